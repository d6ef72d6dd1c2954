package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/weights"
)

// refused runs a command line that must fail with one message that holds all of want.
func refused(t *testing.T, args []string, want ...string) string {
	t.Helper()
	r := stheno(t, args...)
	require.Equal(t, 1, r.code, "%s%s", r.stdout, r.stderr)
	require.Equal(t, 1, strings.Count(r.stderr, "error:"), r.stderr)
	for _, w := range want {
		require.Contains(t, r.stderr, w)
	}
	return r.stderr
}

func TestMisspelled(t *testing.T) {
	for line, want := range map[string]string{
		"trian":                               `did you mean "train"?`,
		"data fetsh cifar10":                  `did you mean "fetch"?`,
		"data describe cifra100":              `did you mean "cifar100"?`,
		"data describe":                       "cifar100",
		"train --optimiser sgd":               "did you mean --optimizer?",
		"explain vgg16 --size 224":            "did you mean --input?",
		"bench --input 224x224x3":             "did you mean --size?",
		"train --arch resnet":                 `did you mean "resnet50"?`,
		"train --data cifar-10":               `did you mean "cifar10"?`,
		"train --data smaple":                 `did you mean "sample"?`,
		"train --optimizer sdg":               `did you mean "sgd"?`,
		"train --schedule cosin":              `did you mean "cosine"?`,
		"train --device cpuu":                 `did you mean "cpu"?`,
		"train --device cuda:99":              "--device cpu computes without a GPU\n",
		"train --device cuda:-1":              "with the number N of a GPU from 0",
		"train --device cuda:":                "with the number N of a GPU from 0",
		"train --device cdua:1":               `did you mean "cuda"?`,
		"train --device auto:1":               "such as cuda:1",
		"train --precision fp16":              `unknown precision "fp16"; did you mean "bf16"? Known are fp32, tf32, bf16`,
		"train --precision fp8":               "unknown precision \"fp8\"; known are fp32, tf32, bf16",
		"tune --device cuda":                  "it measures the CPU, and --tuning measure of train",
		"train --precision TF32":              `did you mean "tf32"?`,
		"train --device cpu --precision tf32": "the CPU engine computes in fp32 and, where the CPU has AVX512-BF16, in bf16; leave the precision out",
		"train --device cpu:1":                "there is one CPU engine",
		"train --device null":                 "unknown device \"null\"; the devices are auto, cpu",
		"train --device gpu":                  `unknown device "gpu"; did you mean "cuda"? The devices are auto, cpu`,
		"train --device GPU:1":                `did you mean "cuda"?`,
		"train --device CUDA":                 `did you mean "cuda"?`,
		"train foo":                           `takes flags only, got "foo"`,
		"train --epochs":                      "flag needs an argument: --epochs",
		"train --epochs x":                    `--epochs wants a whole number, got "x"`,
		"train --lr abc":                      `--lr wants a number such as 0.01, got "abc"`,
		"train --seed 99999999999999999999":   "out of range",
		"train -q":                            "see stheno train --help",
		"train -epochs 3":                     "unknown shorthand flag: 'e' in -epochs; did you mean --epochs? See stheno train --help",
		"train -learning_rate=3":              "did you mean --lr?",
		"recipes vgg16-cifar100 more":         "recipes wants the name of one recipe, or none, got 2",
		"train --epochs 0":                    "--epochs wants at least 1",
		"train --limit-train -1":              "--limit-train wants at least 0, got -1",
		"train --lr -1":                       "--lr wants a positive number",
		"train --lr NaN":                      "--lr wants a positive number",
		"train --threads -1":                  "--threads wants at least 0",
		"train --momentum 0.9":                "--momentum goes with --optimizer sgd",
		"train --resume":                      "--resume needs --out",
		"train --arch simplecnn --batch-norm": "simplecnn has no --batch-norm; leave it out\n",
		"train --arch resnet50 --dropout 0.5": "resnet50 has no --dropout; leave it out; its options are --no-l2",
		"train --arch vgg16 --no-l2":          "vgg16 has no --no-l2; leave it out; its options are --batch-norm, --dropout",
		"summary vgg16 --rescale-inputs":      "vgg16 has no --rescale-inputs; leave it out; its options are --batch-norm, --dropout",
		"summary resnet50 --batch-norm":       "resnet50 has no --batch-norm; leave it out; its options are --rescale-inputs",
		"train --threads 1025":                "--threads wants at least 0 and at most 1024, got 1025",
		"devices --threads 1":                 "unknown flag: --threads",
		"train --data cifar10 --offline":      "cifar10",
		"train --data cifar100 --offline":     "not asked (offline)",
		"train --data-dir=":                   "--data-dir is empty",
		"data describe sample --data-dir=":    "--data-dir is empty",
		"data fetch sample --offline":         "unknown flag: --offline",
		"predict --run nosuch a.png":          "--run: the folder nosuch does not exist",
		"train --data sample --limit-train 9 --epochs 3 --schedule cosine+warmup:3": "e.g. +warmup:0.3, or raise --epochs above 3",
		"summary":                                      "simplecnn, vgg16, resnet50",
		"summary vgg":                                  `did you mean "vgg16"?`,
		"summary vgg16 --input 32x32":                  "want three sizes",
		"summary vgg16 --input 0x32x3":                 "such as 32x32x3",
		"summary vgg16 --input 28x28x1":                "block5_pool",
		"summary vgg16 --format kerax":                 `did you mean "keras"?`,
		"summary vgg16 --classes 0":                    "--classes wants at least 1",
		"explain":                                      "simplecnn, vgg16, resnet50",
		"explain vgg":                                  `did you mean "vgg16"?`,
		"explain vgg16 --format txt":                   `did you mean "text"?`,
		"explain vgg16 --format dot --view plam":       `did you mean "plan"?`,
		"explain vgg16 --view graph":                   "--view goes with --format dot or svg, not text",
		"explain vgg16 --batch 0":                      "--batch wants at least 1, got 0",
		"explain vgg16 --classes 0":                    "--classes wants at least 1, got 0\n",
		"explain vgg16 --precision fp16":               "error: unknown precision",
		"explain vgg16 --device null --threads 2":      "--threads is for an engine, and --device null asks none",
		"explain vgg16 --device null --tuning nosuch":  "--tuning is for an engine",
		"explain vgg16 --device null --precision bf16": "--precision is for an engine",
		"explain vgg16 --memory-budget 1KiB":           "cannot do with 1.00 KiB: the least is",
		"tune --batch 0":                               "error: batch size 0; use one from",
		"train --resume --out nosuch":                  "nosuch cannot be resumed: there is no such folder; name that of a run with --out, or leave --resume out to begin one",
		"explain vgg16 --input 32x32":                  "want three sizes",
		"explain vgg16 --optimizer sdg":                `did you mean "sgd"?`,
		"explain vgg16 --momentum 0.9":                 "--momentum goes with --optimizer sgd",
		"explain vgg16 --nesterov":                     "--nesterov goes with --optimizer sgd",
		"explain vgg16 --inference --training":         "two plans; name one",
		"explain vgg16 --inference --nesterov":         "--nesterov goes with a training step",
		"explain vgg16 --device cuda:99":               "--device cpu computes without a GPU",
		"explain vgg16 --recompute cheep":              `did you mean "cheap"?`,
		"explain vgg16 --memory-budget 1MiB":           "cannot do with 1.0 MiB: the least is",
		"explain vgg16 --no-l2":                        "vgg16 has no --no-l2; leave it out; its options are --batch-norm, --dropout",
		"explain vgg16 --batch 100000000000":           "no memory can hold",
		"train --profile=":                             "--profile= is empty",
		"train --profile=nosuch/trace.json":            "--profile: stat nosuch: no such file",
		"train --profile-steps 3":                      "--profile-steps goes with --profile",
		"train --profile --profile-steps -3":           "--profile-steps wants at least 0, got -3",
		"train --profile trace.json":                   `takes flags only, got "trace.json"; a file for the profile is --profile=trace.json`,
		"eval":                                         "--run FOLDER or --checkpoint FILE",
		"eval --run a --checkpoint b":                  "--run FOLDER or --checkpoint FILE",
		"eval --run a --batch 0":                       "--batch at least 1",
		"predict":                                      "at least one PNG or JPEG file",
		"predict --top 0 --run a b.png":                "--top wants at least 1",
		"devices 1":                                    "takes flags only",
	} {
		t.Run(line, func(t *testing.T) {
			wd := t.TempDir()
			t.Chdir(wd)
			text := refused(t, strings.Fields(line), want)
			require.NotRegexp(t, `\.go:\d`, text, "no line of the program")
			entries, err := os.ReadDir(wd)
			require.NoError(t, err)
			require.Empty(t, entries, "nothing is begun")
		})
	}
}

var quick = []string{"train", "--data", "sample", "--limit-train", "64", "--limit-test", "20", "--epochs", "1"}

func with(args []string, more ...string) []string {
	return append(append([]string{}, args...), more...)
}

func TestFoldersThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("mine"), 0o644))
	refused(t, with(quick, "--out", file), file, "output folder", "name a folder, which need not exist yet, with --out")
	refused(t, with(quick, "--out", filepath.Join(file, "below")), file)
	refused(t, with(quick, "--out", file, "--resume"), file)
	refused(t, with(quick, "--out", filepath.Join(dir, "nowhere"), "--resume"), "nowhere", "cannot be resumed")
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "mine", string(content))

	if runtime.GOOS == "linux" {
		refused(t, with(quick, "--out", "/proc/stheno"), "/proc/stheno")
	}
	if os.Geteuid() != 0 && runtime.GOOS != "windows" { // root may write everywhere
		locked := filepath.Join(dir, "locked")
		require.NoError(t, os.Mkdir(locked, 0o555))
		refused(t, with(quick, "--out", filepath.Join(locked, "run")), locked, "permission denied")
	}

	run := trained(t)
	refused(t, with(quick, "--out", run), run, "already holds a run", "--resume")
	// Before any data is looked for.
	refused(t, []string{"train", "--data", "mnist", "--offline", "--data-dir", dir, "--out", run}, "already holds a run")
	require.Empty(t, stheno(t, "eval", "--run", run, "--limit-test", "10").stderr)
	require.NoError(t, os.WriteFile(filepath.Join(run, "run.json"), []byte(`{"arch": "simple`), 0o644))
	resumed := stheno(t, "train", "--resume", "--out", run)
	require.Zero(t, resumed.code, resumed.stderr)
	require.Contains(t, resumed.stderr, "run.json:1:17: the file ends within the JSON value: it is incomplete; using the configuration in ")
	require.NoError(t, os.WriteFile(filepath.Join(run, "run.json"), []byte(`{"arch": "simple`), 0o644))
	require.NoError(t, os.RemoveAll(filepath.Join(run, "checkpoints")))
	refused(t, []string{"train", "--resume", "--out", run}, "run.json", "incomplete")
}

func TestFileInsteadOfFolder(t *testing.T) {
	run := trained(t)
	best := filepath.Join(run, "checkpoints", "best.safetensors")
	refused(t, []string{"eval", "--run", best}, best+" is a file", "the file with --checkpoint")
	refused(t, []string{"eval", "--checkpoint", run}, run+" is a folder", "with --run")
	refused(t, []string{"eval", "--run", run, "--data-dir="}, "--data-dir is empty")
}

func TestFewerEpochsThanDone(t *testing.T) {
	run := trained(t)
	ok(t, "train", "--resume", "--out", run, "--epochs", "2")
	before, err := os.ReadFile(filepath.Join(run, "run.json"))
	require.NoError(t, err)
	refused(t, []string{"train", "--resume", "--out", run, "--epochs", "1"}, "has done 2 epochs, --epochs 1 is less")
	after, err := os.ReadFile(filepath.Join(run, "run.json"))
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
	require.Contains(t, ok(t, "train", "--resume", "--out", run, "--epochs", "3"),
		"note: the cosine schedule is stretched from 2 to 3 epochs: epoch 3 begins at learning rate 0.00025\n")
}

func TestResumeWithOtherFlags(t *testing.T) {
	run := trained(t)
	text := refused(t, []string{"train", "--resume", "--out", run, "--arch", "resnet50", "--lr", "0.5", "--limit-train", "128"}, run,
		"--arch is simplecnn there, not resnet50", "--lr is 0.001 there, not 0.5")
	require.NotContains(t, text, "limit-train", "that one is the same")
	out := ok(t, "train", "--resume", "--out", run)
	require.Contains(t, out, "the run of 1 epoch is done; raise --epochs")
	out = ok(t, "train", "--resume", "--out", run, "--epochs", "2", "--batch", "32", "--offline", "--threads", "1")
	require.Contains(t, out, "resuming from "+filepath.Join(run, "checkpoints", "checkpoint-000000004.safetensors")+": 1 epoch done; 4 steps in all")
	require.Contains(t, out, "epoch 2/2")
}

func TestDivergedRun(t *testing.T) {
	run := filepath.Join(t.TempDir(), "run")
	refused(t, with(quick, "--batch", "8", "--lr", "1e9", "--out", run), "became", "lower --lr", filepath.Join(run, "checkpoints", "checkpoint-000000000.safetensors"))
	ok(t, "eval", "--run", run, "--limit-test", "10")
}

func TestCheckpointsThatCannotBeUsed(t *testing.T) {
	run := trained(t)
	best := filepath.Join(run, "checkpoints", "best.safetensors")
	for _, command := range [][]string{{"eval"}, {"predict", writePNG(t, t.TempDir(), 0)}} {
		text := filepath.Join(t.TempDir(), "a.png")
		require.NoError(t, os.WriteFile(text, []byte("this is no checkpoint"), 0o644))
		refused(t, with(command, "--checkpoint", text), text)
		refused(t, with(command, "--checkpoint", filepath.Join(run, "nowhere")), "nowhere")
		refused(t, with(command, "--checkpoint", run), run)
		refused(t, with(command, "--run", t.TempDir()), "no usable checkpoint")
		b, err := os.ReadFile(best)
		require.NoError(t, err)
		b[len(b)-1] ^= 1
		corrupt := filepath.Join(t.TempDir(), "corrupt")
		require.NoError(t, os.WriteFile(corrupt, b, 0o644))
		refused(t, with(command, "--checkpoint", corrupt), corrupt, "SHA-256", "damaged")
		require.NoError(t, os.WriteFile(corrupt, b[:1000], 0o644))
		refused(t, with(command, "--checkpoint", corrupt), corrupt)
	}
	// Trained for ten classes of 32×32×3, asked for others.
	cifar := fakeCIFAR100(t, "test.bin", 10000, nil)
	refused(t, []string{"eval", "--run", run, "--data", "cifar100", "--data-dir", cifar, "--offline", "--allow-modified"}, best, "10 classes", "cifar100", "with 100")
}

func TestBestCheckpointDamaged(t *testing.T) {
	run := trained(t)
	folder := filepath.Join(run, "checkpoints")
	best, newest := filepath.Join(folder, "best.safetensors"), filepath.Join(folder, "checkpoint-000000004.safetensors")
	image := writePNG(t, t.TempDir(), 0)
	eval, predict := []string{"eval", "--run", run, "--limit-test", "50"}, []string{"predict", "--run", run, image}
	want, classes := ok(t, eval...), ok(t, predict...)
	require.NoError(t, os.Remove(best)) // it is a link to the newest
	require.NoError(t, os.WriteFile(best, []byte("this is no checkpoint"), 0o644))
	for _, args := range [][]string{eval, predict} {
		r := stheno(t, args...)
		require.Zero(t, r.code, r.stderr)
		require.Contains(t, r.stderr, "note: skipped: weights: checkpoint "+best+" cannot be used")
		require.Contains(t, r.stderr, "note: using "+newest+" instead\n")
		if args[0] == "predict" {
			require.Equal(t, classes, r.stdout)
		} else {
			require.Equal(t, strings.Replace(want, best, newest, 1), r.stdout)
		}
	}
	require.NoError(t, os.Remove(best))
	require.Contains(t, ok(t, eval...), newest, "no epoch is complete: nothing to note")
	require.NoError(t, os.WriteFile(best, nil, 0o644))
	numbered, err := filepath.Glob(filepath.Join(folder, "checkpoint-*"))
	require.NoError(t, err)
	for _, path := range numbered {
		require.NoError(t, os.Truncate(path, 100))
	}
	refused(t, eval, run, "no usable checkpoint", best, newest)
}

// Errors quote files of unknown origin: nothing in them may move the cursor or change colors.
func TestErrorsArePrintable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	bad := &weights.File{Tensors: []weights.Tensor{{Name: "a\x1b[2J\r\u009bx", Shape: []int{1}, Data: []float32{1}}}}
	require.NoError(t, weights.WriteSafetensors(path, bad))
	text := refused(t, []string{"convert", "--dry-run", path, "--arch", "simplecnn"}, "unexpected", `\x1b[2J\r\u009bx`)
	require.NotContains(t, text, "\x1b")
}

// A wrong flag is all that is said, whatever else there would be to say: of the device, of a recipe, or of a learning rate.
func TestWrongFlagsAreRefusedFirst(t *testing.T) {
	run, dir := trained(t), t.TempDir()
	new := []string{"train", "--out", filepath.Join(dir, "run"), "--lr-batch", "256", "--recipe", "vgg16-cifar100", "--arch", "resnet18", "--optimizer", "adamw"}
	for _, flags := range [][]string{{"--tuning", "measured"}, {"--tuning="}, {"--device", "cpuu"}, {"--precision", "fp99"}, {"--threads", "-1"}, {"--lr", "-1"},
		{"--data", "cifar7"}, {"--data-dir", filepath.Join(dir, "none")}, {"--data-dir="}, {"--stem", "cifra"}, {"--resnet-version", "v3"},
		{"--exif", "maybe"}, {"--profile", "--profile-steps", "-1"}, {"--loss", "none"}, {"--recompute", "none"}} {
		alone(t, with(new, flags...))
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
	for _, command := range [][]string{{"eval", "--run", run}, {"predict", "--run", run, "a.png"}, {"explain", "simplecnn"}, {"bench", "--arch", "simplecnn"}} {
		for _, flags := range [][]string{{"--tuning", "measured"}, {"--tuning="}, {"--device", "cpuu"}, {"--precision", "fp99"}, {"--threads", "-1"}} {
			alone(t, with(command, flags...))
		}
	}
	for _, line := range []string{"--data cifar7", "--data-dir " + dir + "/none", "--exif maybe", "--batch 0"} {
		alone(t, append([]string{"eval", "--run", run}, strings.Fields(line)...))
	}
	for _, line := range []string{"explain simplecnn --input 3", "explain resnet18 --stem cifra", "explain simplecnn --optimizer sdg", "gradients --data cifar7", "gradients --data-dir " + dir + "/none",
		"gradients --depth 5", "predict --run " + run + " a.png --top 0"} {
		alone(t, strings.Fields(line))
	}
}

// alone runs a command line that must fail with one message and nothing else.
func alone(t *testing.T, args []string) {
	t.Helper()
	r := stheno(t, args...)
	require.Equal(t, 1, r.code, args)
	require.Empty(t, r.stdout+r.noGPU, args)
	require.True(t, strings.HasPrefix(r.stderr, "error: ") && strings.Count(r.stderr, "error: ") == 1, "%v: %s", args, r.stderr)
}
