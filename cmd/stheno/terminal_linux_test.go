package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal: what is written to tty can be read from the other end.
func terminal(t *testing.T) (other, tty *os.File) {
	t.Helper()
	other, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { other.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(other.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(other.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	require.NoError(t, unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: 150}))
	return other, tty
}

func TestBarOnATerminal(t *testing.T) {
	other, tty := terminal(t)
	run := filepath.Join(t.TempDir(), "run")
	// A net slow enough for the bar to be drawn within an epoch, on a fast machine too.
	cmd := start(t, tty, tty, "train", "--arch", "resnet50", "--data", "sample", "--limit-train", "160", "--limit-test", "16", "--epochs", "2", "--batch", "16", "--threads", "1", "--out", run)
	require.NoError(t, tty.Close())
	shown, _ := io.ReadAll(other) // ends with EIO when the process does
	require.NoError(t, cmd.Wait(), "%s", shown)
	require.Regexp(t, `epoch 1/2 +\d+/10 \[[=>-]+\] +loss [0-9.]+  top-1 [0-9.]+%  top-5 [0-9.]+%  \d+ images/s  ETA \d+s`, string(shown))
	require.Regexp(t, `epoch 2/2  loss [0-9.]+ .*\|  val loss`, string(shown))
	require.Contains(t, string(shown), "done: ")
	require.True(t, bytes.HasSuffix(bytes.TrimSpace(shown), []byte("IMAGE...")), "the bar is gone at the end")
}

func TestBenchOnATerminal(t *testing.T) {
	other, tty := terminal(t)
	require.NoError(t, unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: 60}))
	cmd := start(t, tty, tty, with(brief, "--mode", "inference")...)
	require.NoError(t, tty.Close())
	shown, _ := io.ReadAll(other)
	require.NoError(t, cmd.Wait(), "%s", shown)
	require.Contains(t, string(shown), "measuring what the device does at best…\r\x1b[K")
	require.Contains(t, string(shown), "1/1  simplecnn 32×32, batch 6, inference, 1 thread: timing…\r\x1b[K", "no longer than the terminal is wide")
	require.Regexp(t, `(?m)^simplecnn +32×32 +6 +inference`, string(shown))
}

func TestTuneOnATerminal(t *testing.T) {
	cacheFolder(t)
	other, tty := terminal(t)
	cmd := start(t, tty, tty, with(briefTune, "--mode", "train")...)
	require.NoError(t, tty.Close())
	shown, _ := io.ReadAll(other)
	require.NoError(t, cmd.Wait(), "%s", shown)
	require.Regexp(t, `1/1  simplecnn 32×32, batch 6, train, 1 thread: \[-{20}\] 0/\d  3×3 3→16 at 32×32, batch 6, forward…\r\x1b\[K`, string(shown))
	require.Regexp(t, `: \[=+-+\] 2/\d  `, string(shown))
	require.Regexp(t, `(?m)^\d convolutions measured; `, string(shown))
}

// TestTerminalThatGoesAway closes the window of a run.
func TestTerminalThatGoesAway(t *testing.T) {
	other, tty := terminal(t)
	run := filepath.Join(t.TempDir(), "run")
	cmd := start(t, tty, tty, "train", "--data", "sample", "--limit-train", "640", "--limit-test", "50", "--epochs", "4", "--out", run)
	require.NoError(t, tty.Close())
	await(t, "the first checkpoint", func() bool { return exists(filepath.Join(run, "checkpoints", "checkpoint-*")) })
	require.NoError(t, other.Close())
	require.NoError(t, cmd.Wait(), "without a hang-up signal it goes on")
	require.NotEmpty(t, lastCheckpoint(t, run))
}
