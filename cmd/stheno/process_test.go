//go:build unix

package main

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/train/tensorboard"
	"github.com/stheno-ml/stheno/weights"
)

// start runs the command in a process of its own, which does not outlive the test.
func start(t *testing.T, stdout, stderr io.Writer, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	require.NoError(t, cmd.Start())
	return cmd
}

// exists says whether a pattern has a file.
func exists(pattern string) bool {
	found, _ := filepath.Glob(pattern)
	return len(found) > 0
}

// await waits for something that a process does.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	require.Eventually(t, done, 30*time.Second, 2*time.Millisecond, what)
}

// lastCheckpoint is the content of the newest checkpoint: weights, optimizer, configuration and state of the run.
func lastCheckpoint(t *testing.T, run string) []byte {
	t.Helper()
	found, err := weights.Latest(filepath.Join(run, "checkpoints"))
	require.NoError(t, err)
	require.Empty(t, found.Skipped)
	b, err := os.ReadFile(found.Path)
	require.NoError(t, err)
	return b
}

// history is history.csv without its column of speeds.
func history(t *testing.T, run string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(run, "history.csv"))
	require.NoError(t, err)
	var lines []string
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(line, ",")
		cells[8] = ""
		lines = append(lines, strings.Join(cells, ","))
	}
	return strings.Join(lines, "")
}

// requireSameRun compares two runs bit for bit.
func requireSameRun(t *testing.T, want, got string) {
	t.Helper()
	require.Equal(t, history(t, want), history(t, got))
	require.True(t, bytes.Equal(lastCheckpoint(t, want), lastCheckpoint(t, got)), "the last checkpoints differ")
	for _, pattern := range []string{".*", "checkpoints/.*"} {
		require.False(t, exists(filepath.Join(got, pattern)), "a lock or a temporary file is left")
	}
}

// curves are what TensorBoard shows of a run, but for how fast it was.
func curves(t *testing.T, run, of string) map[string][]tensorboard.Point {
	t.Helper()
	read, err := tensorboard.ReadScalars(filepath.Join(run, train.TensorBoardName, of))
	require.NoError(t, err)
	delete(read, "epoch_images_per_second")
	require.Len(t, read["epoch_loss"], 6)
	return read
}

func TestKilledAtAnyMoment(t *testing.T) {
	args := []string{"train", "--data", "sample", "--limit-train", "150", "--limit-test", "200", "--epochs", "6", "--batch", "16", "--augment",
		"--optimizer", "sgd", "--nesterov", "--save-every", "3", "--tensorboard", "--tensorboard-steps", "2", "--tensorboard-histograms", "3",
		"--threads", "2", "--out"}
	whole := filepath.Join(t.TempDir(), "run")
	begin := time.Now()
	require.NoError(t, start(t, io.Discard, os.Stderr, with(args, whole)...).Wait())
	length := time.Since(begin)

	kills, rounds := 0, 3
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		part := filepath.Join(t.TempDir(), "run")
		random := rand.New(rand.NewPCG(uint64(round), 1))
		for done := false; !done; {
			line := with(args, part)
			if exists(filepath.Join(part, "run.json")) {
				line = []string{"train", "--resume", "--out", part}
			}
			var errs bytes.Buffer
			cmd := start(t, io.Discard, &errs, line...)
			killer := time.AfterFunc(time.Duration(random.Float64()*float64(length)*0.5), func() { cmd.Process.Kill() })
			err := cmd.Wait()
			killer.Stop()
			if done = err == nil; !done {
				status := cmd.ProcessState.Sys().(syscall.WaitStatus)
				require.True(t, status.Signaled() && status.Signal() == syscall.SIGKILL, "%v: %s", err, &errs)
				kills++
			}
		}
		requireSameRun(t, whole, part)
		for _, of := range []string{"train", "validation"} {
			require.Equal(t, curves(t, whole, of), curves(t, part, of))
		}
	}
	t.Logf("%d kills in runs of %v", kills, length.Round(time.Millisecond))
	require.Positive(t, kills)
}

func TestSignals(t *testing.T) {
	args := []string{"train", "--data", "sample", "--limit-train", "640", "--limit-test", "50", "--batch", "32", "--epochs", "1000", "--schedule", "constant", "--out"}
	for _, name := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(name.String(), func(t *testing.T) {
			if signal.Ignored(name) {
				t.Skip("the signal is ignored here, as under nohup, and by what is started too")
			}
			run := filepath.Join(t.TempDir(), "a run")
			var out, errs bytes.Buffer
			cmd := start(t, &out, &errs, with(args, run)...)
			await(t, "the first epoch", func() bool { return exists(filepath.Join(run, "checkpoints", "best*")) })
			require.NoError(t, cmd.Process.Signal(name))
			require.Error(t, cmd.Wait())
			require.Equal(t, exitInterrupted, cmd.ProcessState.ExitCode(), errs.String())
			require.Equal(t, "stopping; Ctrl-C again ends at once\n", errs.String())
			require.Contains(t, out.String(), "interrupted; saved "+filepath.Join(run, "checkpoints", "checkpoint-"))
			require.Contains(t, out.String(), "\nresume with: "+quoted(program)+" train --resume --out '"+run+"'\n")
			require.NotEmpty(t, lastCheckpoint(t, run))
			done := strconv.Itoa(strings.Count(history(t, run), "\n") - 1)
			require.Contains(t, ok(t, "train", "--resume", "--out", run, "--epochs", done), "resuming from")
		})
	}
}

func TestSecondInterruptEndsAtOnce(t *testing.T) {
	run := filepath.Join(t.TempDir(), "run")
	errs, stderr, err := os.Pipe()
	require.NoError(t, err)
	defer errs.Close()
	// One step is the whole epoch: seconds on one thread.
	cmd := start(t, io.Discard, stderr, "train", "--data", "sample", "--batch", "5000", "--threads", "1", "--epochs", "1", "--out", run)
	require.NoError(t, stderr.Close())
	await(t, "the first checkpoint", func() bool { return exists(filepath.Join(run, "checkpoints", "checkpoint-*")) })
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	line, err := bufio.NewReader(errs).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "stopping")
	begin := time.Now()
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	require.True(t, status.Signaled() && status.Signal() == syscall.SIGINT, "%v after %v", cmd.ProcessState, time.Since(begin))
	require.NotEmpty(t, lastCheckpoint(t, run))
}

func TestNobodyReadsTheOutput(t *testing.T) {
	run := filepath.Join(t.TempDir(), "run")
	out, stdout, err := os.Pipe()
	require.NoError(t, err)
	var errs bytes.Buffer
	cmd := start(t, stdout, &errs, with(quick, "--limit-train", "640", "--epochs", "3", "--out", run)...)
	require.NoError(t, stdout.Close())
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, out.Close())
	require.NoError(t, cmd.Wait(), errs.String())
	require.Equal(t, "stheno: standard output is lost (write /dev/stdout: broken pipe); going on without it\n", errs.String())
	require.Equal(t, 4, strings.Count(history(t, run), "\n"))

	// Nor standard error.
	run = filepath.Join(t.TempDir(), "run")
	out, stdout, err = os.Pipe()
	require.NoError(t, err)
	require.NoError(t, out.Close())
	cmd = start(t, stdout, stdout, with(quick, "--out", run)...)
	require.NoError(t, stdout.Close())
	require.NoError(t, cmd.Wait())
	require.Equal(t, 2, strings.Count(history(t, run), "\n"))

	// A program whose output is its result ends, as is usual.
	out, stdout, err = os.Pipe()
	require.NoError(t, err)
	require.NoError(t, out.Close())
	cmd = start(t, stdout, io.Discard, "summary", "vgg16")
	require.NoError(t, stdout.Close())
	require.Error(t, cmd.Wait())
}
