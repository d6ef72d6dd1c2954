package train_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/convert"
	"github.com/stheno-ml/stheno/weights/onnx"
)

// eight are the images of scripts/golden/make_finetune.py, for training and tests.
func eight(classes int) *data.Split {
	d := &data.Dataset{Name: "eight", Shape: [3]int{12, 12, 3}}
	for i := range classes {
		d.Classes = append(d.Classes, fmt.Sprint("thing ", i))
	}
	for i := range 8 {
		d.Labels = append(d.Labels, int32(i%min(classes, 5)))
		for y := range 12 {
			for x := range 12 {
				for c := range 3 {
					d.Images = append(d.Images, byte(i*29+y*17+x*(11+i)+c*83+x*y*(c+1)))
				}
			}
		}
	}
	return &data.Split{Name: "eight", Title: "eight images", Train: d, Test: d}
}

// kerasFile unpacks the model of make_finetune.py.
func kerasFile(t *testing.T) string {
	t.Helper()
	in, err := os.Open(filepath.Join("testdata", "finetune.keras.gz"))
	require.NoError(t, err)
	defer in.Close()
	z, err := gzip.NewReader(in)
	require.NoError(t, err)
	text, err := io.ReadAll(z)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "finetune.keras")
	require.NoError(t, os.WriteFile(path, text, 0o644))
	return path
}

// tuned is a run on them from a file.
func tuned(t *testing.T, file string) train.Config {
	c := train.DefaultConfig()
	c.Arch, c.Weights, c.Data, c.Epochs, c.Batch, c.Threads = "", file, "eight", 3, 8, 1
	c.Optimizer, c.Momentum, c.LR, c.Schedule = "sgd", 0.9, 0.01, "constant"
	c.Mean, c.Std = []float32{0.5, 0.5, 0.5}, []float32{0.25, 0.25, 0.25}
	c.Out = filepath.Join(t.TempDir(), "run")
	return c
}

func runEight(t *testing.T, c train.Config, classes int, stop func(train.Progress) bool) (*watcher, error) {
	t.Helper()
	return runOf(t, c, eight(classes), engine(t, 1), stop)
}

// TestFineTuningIsKerass trains a model that Keras saved, with its layers frozen or not, as Keras does.
func TestFineTuningIsKerass(t *testing.T) {
	golden := numtest.LoadGolden(t, "testdata/golden/finetune.json")
	for name, change := range map[string]func(*train.Config){
		"frozen":   func(c *train.Config) { c.Freeze, c.LR = "backbone", 0.1 },
		"all":      func(*train.Config) {},
		"half":     func(c *train.Config) { c.Freeze = "c1, n1" },
		"twostage": func(c *train.Config) { c.Freeze, c.UnfreezeAt, c.Epochs = "backbone", 4, 6 },
	} {
		t.Run(name, func(t *testing.T) {
			c := tuned(t, kerasFile(t))
			change(&c)
			w, err := runEight(t, c, 5, nil)
			require.NoError(t, err)
			want := golden.Case(t, name)
			var losses []float64
			for _, r := range w.rows {
				losses = append(losses, r.Loss)
			}
			require.InDeltaSlice(t, want.Tensor("loss").Data, losses, 1e-6)
			require.InDelta(t, want.Tensor("val_loss").Data[0], w.rows[len(w.rows)-1].ValLoss, 1e-6)
			found, err := weights.Latest(filepath.Join(c.Out, train.CheckpointDir))
			require.NoError(t, err)
			for _, tensor := range found.Checkpoint.Section("model/") {
				values, err := tensor.Float32s()
				require.NoError(t, err)
				for i, v := range values {
					require.InDelta(t, want.Tensor(tensor.Name).Data[i], v, 1e-6, "%s[%d]", tensor.Name, i)
				}
			}
		})
	}
}

// modelOf is the model of a run's newest checkpoint, by name.
func valuesOf(t *testing.T, dir string) map[string][]float32 {
	t.Helper()
	found, err := weights.Latest(filepath.Join(dir, train.CheckpointDir))
	require.NoError(t, err)
	all := map[string][]float32{}
	for _, w := range found.Checkpoint.Section("model/") {
		v, err := w.Float32s()
		require.NoError(t, err)
		all[w.Name] = v
	}
	return all
}

// TestOtherClasses: the classifier is new, the rest is the file's, and stays where it is frozen, running averages too.
func TestOtherClasses(t *testing.T) {
	file := kerasFile(t)
	c := tuned(t, file)
	c.Freeze, c.HeadRate, c.Epochs = "backbone", 2, 1
	w, err := runEight(t, c, 7, nil)
	require.NoError(t, err)
	require.Len(t, w.notes, 1)
	require.Contains(t, w.notes[0], "new, with initial values: head, the classifier: ")
	require.Contains(t, w.notes[0], "has none for 7 classes")
	src, err := convert.Open(file)
	require.NoError(t, err)
	before, err := train.OpenPretrained(file)
	require.NoError(t, err)
	require.Equal(t, train.KerasArch, before.Arch())
	require.Equal(t, [3]int{12, 12, 3}, before.Input())
	got := valuesOf(t, c.Out)
	require.Len(t, got["head/kernel"], 6*7)
	require.Len(t, got, len(src.Tensors))
	whole := tuned(t, file) // whose rate is so small that nothing changes but running averages
	whole.Epochs, whole.LR, whole.Freeze = 1, 1e-30, "c*,n*"
	_, err = runEight(t, whole, 5, nil)
	require.NoError(t, err)
	for name, old := range valuesOf(t, whole.Out) {
		if !strings.HasPrefix(name, "head/") {
			require.Equal(t, old, got[name], name)
		}
	}

	// What is left needs no file: not the run, nor its evaluation, nor another run from it.
	require.NoError(t, os.Remove(file))
	again := resumed(t, c)
	again.Epochs = 2
	_, err = runEight(t, again, 7, nil)
	require.NoError(t, err)
	r, err := train.LoadRun(c.Out)
	require.NoError(t, err)
	require.True(t, r.Config.NewHead)
	require.Equal(t, nn.Shape{7}, r.Model.OutputShape())
	next := tuned(t, c.Out)
	next.Mean, next.Std, next.Epochs, next.Freeze = nil, nil, 1, "backbone"
	w, err = runEight(t, next, 7, nil)
	require.NoError(t, err)
	require.Len(t, w.notes, 1)
	require.Contains(t, w.notes[0], "images are given to the network as in "+filepath.Join(c.Out, train.CheckpointDir))
	found := resumed(t, next)
	require.Equal(t, c.Mean, found.Mean)
	require.Equal(t, valuesOf(t, c.Out)["c2/kernel"], valuesOf(t, next.Out)["c2/kernel"])
	require.NotEqual(t, valuesOf(t, c.Out)["head/kernel"], valuesOf(t, next.Out)["head/kernel"])
	next.Out = filepath.Join(t.TempDir(), "third") // to five classes again, of the network that was made for seven
	w, err = runEight(t, next, 5, nil)
	require.NoError(t, err)
	require.Contains(t, w.notes[1], "has none for 5 classes")
}

// TestInterruptedFineTuning: a run that is stopped and resumed, in either stage and without its file, is the one that was not.
func TestInterruptedFineTuning(t *testing.T) {
	for name, change := range map[string]func(*train.Config){
		"sgd":  func(*train.Config) {},
		"adam": func(c *train.Config) { c.Optimizer, c.LR, c.SWA = "adam", 1e-3, 2 },
	} {
		t.Run(name, func(t *testing.T) {
			file := kerasFile(t)
			set := func(c train.Config) train.Config {
				c.Batch, c.Epochs, c.Freeze, c.UnfreezeAt, c.HeadRate, c.Augment = 3, 4, "backbone", 3, 3, true
				change(&c)
				return c
			}
			whole, part := set(tuned(t, file)), set(tuned(t, file))
			_, err := runEight(t, whole, 7, nil)
			require.NoError(t, err)
			stops := []struct{ epoch, batch int }{{1, 2}, {2, 3}, {3, 1}, {4, 2}}
			for i, at := range stops {
				_, err := runEight(t, part, 7, func(p train.Progress) bool { return !p.Validating && p.Epoch == at.epoch && p.Batch == at.batch })
				require.ErrorIs(t, err, train.ErrInterrupted)
				if i == 0 {
					require.NoError(t, os.Remove(file))
				}
				part = resumed(t, part)
			}
			_, err = runEight(t, part, 7, nil)
			require.NoError(t, err)
			requireOutcome(t, outcomeOf(t, whole.Out), part.Out)
		})
	}
}

// TestBegunAgain: a run that ended before its first checkpoint begins with its file again, which must be there.
func TestBegunAgain(t *testing.T) {
	file := kerasFile(t)
	c := tuned(t, file)
	c.Epochs = 1
	_, err := runEight(t, c, 7, nil)
	require.NoError(t, err)
	want := outcomeOf(t, c.Out)
	forget := func() {
		require.NoError(t, os.RemoveAll(filepath.Join(c.Out, train.CheckpointDir)))
		require.NoError(t, os.Remove(filepath.Join(c.Out, train.HistoryFileName)))
	}
	forget()
	_, err = runEight(t, resumed(t, c), 7, nil)
	require.NoError(t, err)
	requireOutcome(t, want, c.Out)
	forget()
	require.NoError(t, os.Remove(file))
	_, err = runEight(t, resumed(t, c), 7, nil)
	require.ErrorContains(t, err, "start it again with another --out")
}

// TestUnfrozenAndTheBestEpoch: the best epoch's weights come back from before the optimizer began anew.
func TestUnfrozenAndTheBestEpoch(t *testing.T) {
	c := tuned(t, kerasFile(t))
	c.Freeze, c.UnfreezeAt, c.Epochs, c.EarlyStop = "backbone", 2, 4, "patience=1,monitor=loss,min_delta=100,restore" // no epoch is so much better
	w, err := runEight(t, c, 5, nil)
	require.NoError(t, err)
	require.Contains(t, strings.Join(w.notes, "\n"), "the weights are those of epoch 1 again, the best")
	c = tuned(t, kerasFile(t))
	c.Freeze, c.UnfreezeAt = "backbone", 4
	w, err = runEight(t, c, 5, nil)
	require.NoError(t, err)
	require.Contains(t, strings.Join(w.notes, "\n"), "set free from epoch 4 on, which a run of 3 epochs does not have")
}

// TestNamedNetwork puts the weights of several formats into a network that is named, for other classes and from another program's names.
func TestNamedNetwork(t *testing.T) {
	first := small(t)
	first.Arch, first.Epochs, first.LimitTrain, first.LimitTest, first.Seed = "resnet20-cifar", 1, 16, 10, 5
	_, err := run(t, first, nil)
	require.NoError(t, err)
	r, err := train.LoadRun(first.Out)
	require.NoError(t, err)
	dir := t.TempDir()
	files := map[string]string{"run": first.Out, "checkpoint": r.Path}
	for _, name := range []string{"w.safetensors", "w.npz"} {
		files[name] = filepath.Join(dir, name)
		require.NoError(t, convert.Save(files[name], r.Model))
	}
	files["torch"] = filepath.Join(dir, "torch.safetensors")
	require.NoError(t, convert.SaveTorch(files["torch"], r.Model))
	split, err := sample()
	require.NoError(t, err)
	twenty := *split
	other := *split.Train
	other.Classes = append(slices.Clone(other.Classes), "more", "and more")
	twenty.Train, twenty.Test = &other, &other
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			c := small(t)
			c.Arch, c.Weights, c.Freeze, c.Epochs, c.LimitTrain, c.LimitTest = "resnet20-cifar", file, "backbone", 1, 16, 10
			w, err := runOf(t, c, &twenty, engine(t, 2), nil)
			require.NoError(t, err)
			require.Contains(t, strings.Join(w.notes, "\n"), "the classifier: ")
			got := valuesOf(t, c.Out)
			for _, old := range r.Model.Weights() {
				if !strings.HasPrefix(old.Name, "fc") {
					require.Equal(t, old.Value.Data(), got[old.Name], old.Name)
				}
			}
			_, again, err := train.LoadModel(filepath.Join(c.Out, train.CheckpointDir, weights.BestName))
			require.NoError(t, err)
			require.Equal(t, 12, len(again.Classes))
		})
	}
	c := small(t)
	c.Arch, c.Weights, c.Epochs = "resnet32-cifar", first.Out, 1
	_, err = run(t, c, nil)
	require.ErrorContains(t, err, "does not fit")
	require.ErrorContains(t, err, "missing")
	require.ErrorContains(t, err, "name another --arch")
}

// TestMissingAttention: what the error says to begin anew are layers, also where weights of parts of one are missing.
func TestMissingAttention(t *testing.T) {
	c := tuned(t, "")
	c.Arch, c.Weights, c.Input = "vit-ti4", "", [3]int{12, 12, 3}
	for i := range 7 {
		c.Classes = append(c.Classes, fmt.Sprint(i))
	}
	m, err := train.NewModel(c)
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	var f weights.File
	for _, w := range m.Weights() {
		if w.Name != "encoder_layer_0_self_attention/query/kernel" {
			f.Tensors = append(f.Tensors, weights.Tensor{Name: w.Name, Shape: w.Shape, Data: w.Value.Data()})
		}
	}
	c.Weights = filepath.Join(t.TempDir(), "vit.safetensors")
	require.NoError(t, weights.WriteSafetensors(c.Weights, &f))
	c.Epochs = 1
	_, err = runEight(t, c, 7, nil)
	require.ErrorContains(t, err, "--reinit encoder_layer_0_self_attention,head")
	c.Reinit = "encoder_layer_0_self_attention,head"
	w, err := runEight(t, c, 7, nil)
	require.NoError(t, err)
	require.Contains(t, strings.Join(w.notes, "\n"), "new, with initial values: encoder_layer_0_self_attention, head, as --reinit says")
}

// TestOfONNX: a network that ends with scores, for other classes.
func TestOfONNX(t *testing.T) {
	b := nn.NewBuilder("net")
	x := b.Input(nn.Shape{12, 12, 3})
	y := b.Add(nn.Conv2D{Filters: 4, Kernel: nn.K(3), Activation: nn.ReLU, Name: "c"}, x)
	m, err := b.Model(x, b.Add(nn.Dense{Units: 3, Name: "scores"}, b.Add(nn.GlobalAveragePooling2D{}, y)))
	require.NoError(t, err)
	require.NoError(t, m.Initialize(3, tensor.Float32))
	file := filepath.Join(t.TempDir(), "net.onnx")
	require.NoError(t, onnx.Write(file, m, onnx.WriteConfig{}))
	for _, classes := range []int{3, 6} {
		c := tuned(t, file)
		c.Freeze = "backbone"
		w, err := runEight(t, c, classes, nil)
		require.NoError(t, err)
		require.Contains(t, strings.Join(w.notes, "\n"), "the network ends without a softmax, which is put behind it")
		require.Less(t, w.rows[2].Loss, w.rows[0].Loss)
		require.NoError(t, os.Rename(file, file+".away"))
		again := resumed(t, c)
		again.Epochs = 4
		_, err = runEight(t, again, classes, nil)
		require.NoError(t, err)
		require.NoError(t, os.Rename(file+".away", file))
		r, err := train.LoadRun(c.Out)
		require.NoError(t, err)
		require.Equal(t, nn.Shape{classes}, r.Model.OutputShape())
		require.False(t, r.Model.EndsWithScores())
		kernel, err := r.Model.Weight("c/kernel")
		require.NoError(t, err)
		require.Equal(t, m.Weights()[0].Value.Data(), kernel.Value.Data())
	}
}

// TestWhatCannotBeTuned are mistakes.
func TestWhatCannotBeTuned(t *testing.T) {
	file := kerasFile(t)
	broken := filepath.Join(t.TempDir(), "broken.h5")
	require.NoError(t, os.WriteFile(broken, []byte("no weights at all"), 0o644))
	for want, change := range map[string]func(*train.Config){
		"no such file":                   func(c *train.Config) { c.Weights = "nowhere.h5" },
		"is a folder and not that of a":  func(c *train.Config) { c.Weights = t.TempDir() },
		"is no file of weights":          func(c *train.Config) { c.Weights = broken },
		"does not fit":                   func(c *train.Config) { c.Arch = "simplecnn" },
		"stheno summary lists the names": func(c *train.Config) { c.Freeze = "stem" },
		`did you mean "c1"?`:             func(c *train.Config) { c.Freeze = "c12" },
		"so that nothing is frozen":      func(c *train.Config) { c.Freeze = "r*" },
		"nothing to begin anew with":     func(c *train.Config) { c.Reinit = "pool" },
		"nothing is left to train":       func(c *train.Config) { c.Freeze = "*" },
		`did you mean "n2"`:              func(c *train.Config) { c.Reinit = "n22" },
		"--stem is for networks that":    func(c *train.Config) { c.Stem = "cifar" },
		"wants a number for each of 3":   func(c *train.Config) { c.Mean = []float32{1} },
		"--std wants positive numbers":   func(c *train.Config) { c.Std = []float32{1, 0, 1} },
		"--unfreeze-at goes with":        func(c *train.Config) { c.UnfreezeAt = 2 },
		"an epoch of at least 2":         func(c *train.Config) { c.UnfreezeAt, c.Freeze = 1, "backbone" },
		"not both: averages of frozen":   func(c *train.Config) { c.UnfreezeAt, c.Freeze, c.EMA = 2, "backbone", 0.9 },
		"--head-lr-factor wants":         func(c *train.Config) { c.HeadRate = -1 },
		"--reinit goes with --weights":   func(c *train.Config) { c.Arch, c.Weights, c.Reinit = "simplecnn", "", "x" },
	} {
		c := tuned(t, file)
		change(&c)
		_, err := runEight(t, c, 7, nil)
		require.ErrorContains(t, err, want)
		_, err = os.Stat(c.Out)
		require.ErrorIs(t, err, os.ErrNotExist, "nothing was begun: %s", want)
	}
	other := *eight(5) // of another size
	small := *other.Train
	small.Shape = [3]int{6, 24, 3}
	other.Train, other.Test = &small, &small
	_, err := runOf(t, tuned(t, file), &other, engine(t, 1), nil)
	require.ErrorContains(t, err, "takes images of 12×12×3, those of eight are 6×24×3")
}

// TestHeadRate: the classifier alone, with a multiple of the rate, is trained as with that rate, whatever the optimizer makes of it.
func TestHeadRate(t *testing.T) {
	file := kerasFile(t)
	for _, optimizer := range []string{"sgd:momentum=0.9,nesterov", "adam", "adamw", "nadam", "rmsprop", "lamb", "adam:amsgrad"} {
		kernel := func(rate, factor float64) any {
			c := tuned(t, file)
			c.Optimizer, c.Momentum, c.LR, c.HeadRate, c.Freeze, c.Accumulate, c.Batch = optimizer, 0, rate, factor, "backbone", 2, 4
			_, err := runEight(t, c, 5, nil)
			require.NoError(t, err)
			return valuesOf(t, c.Out)["head/kernel"]
		}
		require.Equal(t, kernel(0.25, 0), kernel(0.0625, 4), optimizer)
		require.NotEqual(t, kernel(0.25, 0), kernel(0.25, 4), optimizer)
	}
	// Of all layers, the others have the rate itself.
	step := func(rate, factor float64) map[string][]float32 {
		c := tuned(t, file)
		c.LR, c.HeadRate, c.Epochs = rate, factor, 1
		_, err := runEight(t, c, 5, nil)
		require.NoError(t, err)
		return valuesOf(t, c.Out)
	}
	slow, fast, both := step(0.01, 0), step(0.04, 0), step(0.01, 4)
	require.Equal(t, slow["c2/kernel"], both["c2/kernel"])
	require.Equal(t, fast["head/kernel"], both["head/kernel"])
}

// TestTwoStagesAreTwoRuns: the second stage is what another run with the first one's weights is, whose optimizer is new.
func TestTwoStagesAreTwoRuns(t *testing.T) {
	set := func(file string) train.Config {
		c := tuned(t, file)
		c.Optimizer, c.LR, c.Epochs = "adam", 1e-3, 2
		return c
	}
	file := kerasFile(t)
	one, first := set(file), set(file)
	one.Freeze, one.UnfreezeAt, one.Epochs, first.Freeze = "backbone", 3, 4, "backbone"
	w, err := runEight(t, one, 7, nil)
	require.NoError(t, err)
	_, err = runEight(t, first, 7, nil)
	require.NoError(t, err)
	newest, err := weights.Latest(filepath.Join(first.Out, train.CheckpointDir))
	require.NoError(t, err)
	second := set(newest.Path)
	v, err := runEight(t, second, 7, nil)
	require.NoError(t, err)
	for i := range v.rows {
		require.InDelta(t, v.rows[i].Loss, w.rows[2+i].Loss, 1e-6)
		// The images come in another order. The gradient of c2's bias, which n2 takes away again, is rounding alone, and Adam makes steps of 1e-3 of it, which the
		// running mean follows late.
		require.InDelta(t, v.rows[i].ValLoss, w.rows[2+i].ValLoss, 1e-3)
	}
}

// TestOpenSize: a network that Keras described for images of any size learns those of another size than it was saved with.
func TestOpenSize(t *testing.T) {
	c := tuned(t, kerasFile(t))
	c.Epochs = 1
	_, err := runEight(t, c, 5, nil)
	require.NoError(t, err)
	r, err := train.LoadRun(c.Out)
	require.NoError(t, err)
	fixed := regexp.MustCompile(`\[null,\s*12,\s*12,\s*3\]`)
	require.Regexp(t, fixed, string(r.Config.Model))
	r.Config.Model = fixed.ReplaceAll(r.Config.Model, []byte("[null,null,null,3]"))
	file := filepath.Join(t.TempDir(), "open.safetensors")
	require.NoError(t, train.SaveModel(file, r.Model, r.Config))
	wide := eight(5)
	wide.Train.Shape = [3]int{6, 24, 3} // and of the tests, which are the same
	c.Weights, c.Out, c.Freeze = file, filepath.Join(t.TempDir(), "wide"), "backbone"
	_, err = runOf(t, c, wide, engine(t, 1), nil)
	require.NoError(t, err)
	again, err := train.LoadRun(c.Out)
	require.NoError(t, err)
	require.Equal(t, nn.Shape{6, 24, 3}, again.Model.InputShape())
	require.Equal(t, valuesOf(t, filepath.Dir(filepath.Dir(r.Path)))["c2/kernel"], valuesOf(t, c.Out)["c2/kernel"])
}
