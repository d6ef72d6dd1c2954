//go:build linux

package stheno_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// script runs a script of folder scripts, below root, and returns what it says and its status.
func script(t *testing.T, root, name string, env []string, args ...string) (string, int) {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("needs bash")
	}
	cmd := exec.Command("bash", append([]string{filepath.Join(root, "scripts", name)}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil {
		require.ErrorAs(t, err, &exit)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// program packs a script as a program of "make gpu-bins".
func program(t *testing.T, root, name, text string) {
	t.Helper()
	file, err := os.Create(filepath.Join(root, ".build", "gpu", name+".gz"))
	require.NoError(t, err)
	w := gzip.NewWriter(file)
	_, err = w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, file.Close())
}

// Every script for a GPU says what it is for, without beginning.
func TestScriptsHaveHelp(t *testing.T) {
	files, err := filepath.Glob("scripts/gpu-*.sh")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		head := strings.TrimPrefix(strings.Split(string(text), "\n")[1], "# ")
		for _, flag := range []string{"-h", "--help"} {
			out, code := script(t, ".", filepath.Base(file), nil, flag)
			require.Zero(t, code, file)
			require.True(t, strings.HasPrefix(out, head+"\n"), "%s: %s", file, out)
			require.NotContains(t, out, "set -")
		}
	}
	out, code := script(t, ".", "gpu-env.sh", nil)
	require.Equal(t, 2, code)
	require.Contains(t, out, "no command")
}

// A training that is called again goes on, and one that fails leaves the results of an earlier one.
func TestTrainingScript(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "scripts"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(root, ".build", "gpu"), 0o755))
	for _, name := range []string{"gpu-train.sh", "gpu-unpack.sh"} {
		text, err := os.ReadFile(filepath.Join("scripts", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(root, "scripts", name), text, 0o644))
	}
	out, code := script(t, root, "gpu-train.sh", nil)
	require.Equal(t, 1, code)
	require.Equal(t, "gpu-unpack: .build/gpu/stheno.gz or .xz cannot be unpacked; run make gpu-bins\n", out)

	program(t, root, "stheno", `#!/bin/sh
case $1 in
devices) if [ -n "$NO_GPU" ]; then echo 'no GPU: none'; else echo 'cuda:0 is a stub, for tests'; fi ;;
train)
	echo "called with $*"
	while [ "$1" != --out ]; do shift; done
	mkdir -p "$2"
	echo '{}' >"$2/run.json"
	printf 'epoch\n1\n' >"$2/history.csv"
	exit "${STATUS:-0}"
	;;
esac
`)
	results, run := filepath.Join(root, "results"), filepath.Join(root, "run")
	env := []string{"OUT=" + results, "RUN=" + run}
	out, code = script(t, root, "gpu-train.sh", append(env, "NO_GPU=1"))
	require.Equal(t, 1, code)
	require.Equal(t, "no GPU: none\ngpu-train: there is no GPU that can be used; without one: stheno train --device cpu --recipe …\n", out)
	require.NoDirExists(t, results)

	out, code = script(t, root, "gpu-train.sh", append(env, "STATUS=1"))
	require.Equal(t, 1, code)
	require.NotContains(t, out, "--resume")
	require.NoDirExists(t, results, "it failed")
	out, code = script(t, root, "gpu-train.sh", env, "--epochs", "2")
	require.Zero(t, code, out)
	require.Regexp(t, `called with train .* --resume --epochs 2\n`, out)
	require.FileExists(t, filepath.Join(results, "history.csv"))
}

// copyScripts copies scripts into a folder of their own, with one for programs.
func copyScripts(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	files, err := filepath.Glob("scripts/gpu-*.sh")
	require.NoError(t, err)
	for _, dir := range []string{"scripts", ".build/gpu", "cuda/internal/cudnn", "train", "internal/memcopy"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(root, file), text, 0o644))
	}
	return root
}

// aTest is a program of tests: what becomes of each is in its name.
const aTest = `#!/bin/bash
while [ $# -gt 0 ]; do
	case $1 in -test.list) list=$2 && shift ;; -test.run) run=$2 && shift ;; -test.bench) bench=$2 && shift ;; esac
	shift
done
[ -z "$bench" ] || { echo 'BenchmarkA/b-2    10    12.5 ns/op' && exit; }
all=$(printf '%s\n' $STUB_TESTS | sort -u)
[ -z "$list" ] || { echo "$all" | grep -E "$list"; exit; }
for name in $(echo "$all" | grep -E "$run"); do
	case $name in
	TestPasses*) echo "--- PASS: $name (0.01s)" ;;
	TestFails*) echo "--- FAIL: $name (0.02s)" ;;
	TestSkips) echo "--- SKIP: $name (0.00s)" ;;
	TestNeedsGPU) echo 'needs a GPU, or the simulated one' && echo "--- SKIP: $name (0.00s)" ;;
	TestHangs) sleep 100 ;;
	TestCrashes) exit 3 ;;
	TestLosesIt) echo "--- FAIL: $name (0.00s)" && lost=1 ;;
	TestAlsoLost) if [ -n "$lost" ]; then echo 'the context is lost' && echo "--- FAIL: $name (0.00s)"; else echo "--- PASS: $name (0.00s)"; fi ;;
	TestFlaky) if [ -e "$STUB_FLAKY" ]; then echo "--- PASS: $name (0.00s)"; else touch "$STUB_FLAKY" && echo "--- FAIL: $name (0.00s)"; fi ;;
	*) echo "--- PASS: $name (0.00s)" ;;
	esac
done
`

// One test that hangs, crashes or loses the GPU keeps no other from being run, and what passed is not run again.
func TestTestsScript(t *testing.T) {
	root := copyScripts(t)
	program(t, root, "cuda.test", aTest)
	logs := filepath.Join(root, "logs")
	env := []string{"LOGS=" + logs, "TEST_LIMIT=2", "JOBS=2", "CHUNK=20", "SHARES=2", "STUB_FLAKY=" + filepath.Join(root, "flaky"), "FIRST=TestPassesFirst TestNowhere",
		"STUB_TESTS=TestPasses TestPassesFirst TestFails TestSkips TestNeedsGPU TestHangs TestCrashes TestLosesIt TestAlsoLost TestFlaky TestOps"}
	// outcomes are the last of each test.
	outcomes := func() map[string]string {
		text, err := os.ReadFile(filepath.Join(logs, "results"))
		require.NoError(t, err)
		all := map[string]string{}
		for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			f := strings.Split(line, "|")
			require.Len(t, f, 5, line)
			all[f[1]] = f[2]
		}
		return all
	}
	out, code := script(t, root, "gpu-tests.sh", env, "cuda.test", "^Test", "^TestLosesIt$|^TestAlsoLost$")
	require.Equal(t, 1, code, out)
	first := outcomes()
	var took int // seconds until it was ended: the limit, or more on a busy machine
	_, err := fmt.Sscanf(first["TestHangs"], "not done in %d s", &took)
	require.NoError(t, err, first["TestHangs"])
	require.GreaterOrEqual(t, took, 2)
	first["TestHangs"] = "not done"
	require.Equal(t, map[string]string{"TestPasses": "pass", "TestPassesFirst": "pass", "TestSkips": "skip", "TestNeedsGPU": "found no GPU", "TestFails": "failed",
		"TestCrashes": "ended with exit status 3", "TestHangs": "not done", "TestFlaky": "failed beside others, passed by itself",
		"TestOps 1/2": "pass", "TestOps 2/2": "pass"}, first, out)
	require.Contains(t, out, "   tests: 4 passed, 1 skipped, 5 failed or not done, 0 passed before")
	text, err := os.ReadFile(filepath.Join(logs, "results"))
	require.NoError(t, err)
	require.Contains(t, string(text), "tests|TestPassesFirst|pass|0.01|1\n", "it began first")

	require.NoError(t, os.Remove(filepath.Join(logs, "results")))
	out, code = script(t, root, "gpu-tests.sh", append(env, "FIRST="), "cuda.test", "Los|Passes")
	require.Equal(t, 1, code, out)
	require.Equal(t, map[string]string{"TestPasses": "pass", "TestPassesFirst": "pass", "TestLosesIt": "failed", "TestAlsoLost": "pass"}, outcomes(), out)
	out, code = script(t, root, "gpu-tests.sh", env, "cuda.test", "Pass|Also")
	require.Zero(t, code, out)
	require.Contains(t, out, "   tests: 0 passed, 0 skipped, 0 failed or not done, 3 passed before")
	out, code = script(t, root, "gpu-tests.sh", append(env, "LIMIT=0"), "cuda.test", "Fails")
	require.Equal(t, 1, code, out)
	require.Equal(t, "no time was left", outcomes()["TestFails"])
	program(t, root, "cuda.test", aTest+"# another program\n")
	out, code = script(t, root, "gpu-tests.sh", env, "cuda.test", "Pass|Also")
	require.Zero(t, code, out)
	require.Contains(t, out, "   tests: 3 passed, 0 skipped, 0 failed or not done, 0 passed before")
}

// aStheno is a program that does what the scripts ask of it: it trains a million steps a second.
const aStheno = `#!/bin/bash
case $1 in
devices) if [ -n "$NO_GPU" ]; then echo 'no GPU: none'; else echo 'cuda:0 is a stub, for tests'; fi ;;
version) echo 'stub 1' ;;
bench)
	while [ $# -gt 0 ]; do
		case $1 in --case) cases=$2 ;; --profile) profile=$2 ;; esac
		shift
	done
	echo 'note: tried for Conv2D: "a" took 2 µs; "b" took 1 µs' >&2
	echo 'note: "c" is not taken for Conv2D: other bits' >&2
	if [[ $cases == *,*fp32* ]]; then kill -SEGV $$; fi
	echo '{'
	echo '  "machine": {},'
	for c in ${cases//,/ }; do
		IFS=: read -r arch size batch mode precision <<<"$c"
		printf '      "arch": "%s",\n      "size": %d,\n      "classes": 7,\n      "batch": %d,\n      "mode": "%s",\n      "precision": "%s",\n' "$arch" "$size" "$batch" "$mode" "$precision"
		case $c in
		simplecnn:*:fp32) echo '      "why": "it is too simple"' ;;
		vgg16:*:fp32) echo '      "why": "too little is left of the budget of 5 seconds"' ;;
		*) echo '      "images_per_second": 1000000.4,' ;;
		esac
		[ -z "$profile" ] || echo "$arch by kernel" >>"$profile"
	done
	echo '}'
	;;
esac
`

// What there is to be shown is shown in its order, and a later call goes on.
func TestAllScript(t *testing.T) {
	root := copyScripts(t)
	program(t, root, "stheno", aStheno)
	for _, name := range []string{"cuda.test", "cudnn.test", "train.test", "memcopy.test"} {
		program(t, root, name, aTest)
	}
	out, kept := filepath.Join(root, "found"), filepath.Join(root, ".build", "gpu-all")
	env := []string{"OUT=" + out, "PYTHON=nowhere", "PYTHON_JAX=", "STUB_FLAKY=" + filepath.Join(root, "flaky"), "BUDGET=100", "SANITIZER=false", "SKIP=memory large inference tf32 small others",
		"STUB_TESTS=TestConformance TestConformanceWithoutPasses TestOps TestTiny TestNarrow TestElse TestFails TestGPULosses TestGPUPrecisionLosses TestGPUOther"}
	said, code := script(t, root, "gpu-all.sh", append(env, "NO_GPU=1"))
	require.Equal(t, 1, code)
	require.Equal(t, "no GPU: none\ngpu-all: there is no GPU that can be used; SIM=1 tries the script without one\n", said)

	said, code = script(t, root, "gpu-all.sh", env)
	require.Equal(t, 1, code, said)
	text := func(name string) string {
		b, err := os.ReadFile(filepath.Join(out, name))
		require.NoError(t, err, said)
		return string(b)
	}
	files, err := os.ReadDir(out)
	require.NoError(t, err)
	require.LessOrEqual(t, len(files), 8)
	summary := text("summary.md")
	require.Contains(t, said, summary, "it ends with the summary")
	for _, row := range []string{
		`tests \| \*\*failed\*\*: 9 of 11 parts passed or cannot be run here, 2 failed, 0 not done in time`,
		`compile \| cannot be done here: no PyTorch`, `prepare \| .*`, `jax \| cannot be done here: no JAX`, `races \| .*`, `goals \| done: 5 of 5 cases`, `kernels \| done: 8 of 8 parts .*`, `fp32 \| not all: 2 of 3 cases`,
	} {
		require.Regexp(t, `(?m)^\| `+row+` \| \d+ \|$`, summary)
	}
	require.Regexp(t, `(?m)^Not done: memory large inference tf32 small fp32 others `, summary)
	require.Contains(t, summary, "\n- TestFails: failed\n")
	require.Contains(t, summary, "\n| resnet50:32:64:train:bf16 | 1000000 | – | – | – | – | – | – | – |\n")
	require.Contains(t, summary, "\n| resnet50:32:512:train:fp32 | 1000000 |", "by itself, as the process of all three ended")
	require.NotContains(t, summary, "simplecnn:32:1024:train:fp32 | 1000000")
	require.Contains(t, summary, `- note: "c" is not taken for Conv2D: other bits`)
	require.Contains(t, text("alternatives.txt"), `tried for Conv2D: "a" took 2 µs`)
	require.Equal(t, "vgg16 by kernel\nresnet50 by kernel\nresnet50 by kernel\nresnet50 by kernel\nsimplecnn by kernel\n", text("profile.txt"))
	require.Contains(t, text("results.json"), `"gpu":"a stub"`)
	require.Contains(t, text("gpu-check.md"), "| Kernels: sums of channels | pass |")
	require.Contains(t, text("gpu-check.md"), "TestFails: failed", "what an earlier part of the script found")

	// All is done, but for what was left out.
	env = append(env, "SKIP=memory large inference tf32 small fp32 others")
	before := text("results.json")
	said, _ = script(t, root, "gpu-all.sh", env)
	require.NotContains(t, said, "== ")
	require.Equal(t, before, text("results.json"))
	said, code = script(t, root, "gpu-all.sh", append(env, "BUDGET=10", "SKIP=", "ONLY=memory"))
	require.Contains(t, said, "== memory: no time is left\n")
	require.Equal(t, 1, code, "tests have failed")

	// It goes on elsewhere with what it left.
	require.NoError(t, os.RemoveAll(kept))
	require.NoError(t, os.MkdirAll(kept, 0o755))
	require.NoError(t, exec.Command("tar", "-xzf", filepath.Join(out, "logs.tar.gz"), "-C", kept).Run())
	said, _ = script(t, root, "gpu-all.sh", env)
	require.NotContains(t, said, "== ")
}

// A signal ends it, and what was found until then is kept.
func TestAllScriptEndsEarly(t *testing.T) {
	root := copyScripts(t)
	program(t, root, "stheno", aStheno)
	for _, name := range []string{"cuda.test", "cudnn.test", "train.test", "memcopy.test"} {
		program(t, root, name, aTest)
	}
	out := filepath.Join(root, "found")
	cmd := exec.Command("bash", filepath.Join(root, "scripts", "gpu-all.sh"))
	cmd.Env = append(os.Environ(), "OUT="+out, "PYTHON=nowhere", "STUB_TESTS=TestPasses TestHangs", "FIRST=TestPasses", "ONLY=tests goals")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	results := filepath.Join(root, ".build", "gpu-all", "check", "tests", "results")
	require.Eventually(t, func() bool { text, _ := os.ReadFile(results); return len(text) > 0 }, time.Minute, 50*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.Error(t, cmd.Wait())
	summary, err := os.ReadFile(filepath.Join(out, "summary.md"))
	require.NoError(t, err, said.String())
	require.Regexp(t, `(?m)^- TestHangs: not done in \d+ s$`, string(summary), said.String())
	require.Regexp(t, `(?m)^Not done: .*tests .*goals`, string(summary))
	require.Contains(t, said.String(), "gpu-all: it ends early\n")
	require.FileExists(t, filepath.Join(out, "gpu-check.md"))
}

// Shares that were clean are not checked again.
func TestSanitizeScript(t *testing.T) {
	root := copyScripts(t)
	program(t, root, "cuda.test", "#!/bin/sh\necho '=== RUN   TestOps/own_kernels/A_float32'\necho '        --- PASS: TestOps/own_kernels/A_float32 (0.01s)'\n")
	sanitizer := filepath.Join(root, "sanitizer")
	require.NoError(t, os.WriteFile(sanitizer, []byte(`#!/bin/bash
echo "$STHENO_TEST_SHARE" >>calls
while [ "$1" != "" ]; do case $1 in --tool | --error-exitcode | --print-limit | --check-exit-code) shift 2 ;; *) break ;; esac; done
"$@"
if [ "$STHENO_TEST_SHARE" = "$STUB_SLOW" ]; then exec sleep 100; fi
echo '========= ERROR SUMMARY: 0 errors'
if [ "$STHENO_TEST_SHARE" = "$STUB_WRONG" ]; then exit 99; fi
`), 0o755))
	env := []string{"SANITIZER=" + sanitizer, "SHARES=3", "JOBS=3", "TOOLS=memcheck"}
	said, code := script(t, root, "gpu-sanitize.sh", append(env, "STUB_SLOW=2/3", "STUB_WRONG=3/3", "LIMIT=7"))
	require.Equal(t, 1, code, said)
	require.Equal(t, "number: memcheck: **errors**; 1 of 3 shares are clean, 2 cases passed or begun; share 2: not done, share 3: errors\n", said)
	require.NoError(t, os.Remove(filepath.Join(root, "cuda", "calls")))
	said, code = script(t, root, "gpu-sanitize.sh", env)
	require.Zero(t, code, said)
	require.Equal(t, "number: memcheck: clean; 0 errors; 3 cases passed, 0 failed, in 3 shares\n", said)
	calls, err := os.ReadFile(filepath.Join(root, "cuda", "calls"))
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"2/3", "3/3"}, strings.Fields(string(calls)))
}
