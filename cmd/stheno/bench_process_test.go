//go:build unix

package main

import (
	"bytes"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu"
)

// lockedBuffer is written by a process and read by a test at once.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// An interrupted benchmark prints what it has measured.
func TestBenchInterrupted(t *testing.T) {
	var out, errs lockedBuffer
	cmd := start(t, &out, &errs, "bench", "--arch", "simplecnn", "--threads", "1", "--mode", "train", "--batch", "8,16,32,64,128", "--rounds", "2", "--seconds", "0.3")
	await(t, "the first case", func() bool { return strings.Contains(out.String(), " images/s; ") })
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	err := cmd.Wait()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, exitInterrupted, exit.ExitCode())
	require.Regexp(t, `(?m)^simplecnn +32×32 +8 +train`, out.String())
	require.NotRegexp(t, `(?m)^simplecnn +32×32 +128 +train`, out.String())
	require.Contains(t, errs.String(), "interrupted")
}

// An interrupted tuning keeps what it has measured.
func TestTuneInterrupted(t *testing.T) {
	path := cacheFolder(t)
	var out, errs lockedBuffer
	cmd := start(t, &out, &errs, "tune", "--arch", "simplecnn", "--threads", "1", "--mode", "train", "--batch", "8,128,256,512,1024,2048")
	await(t, "the first case", func() bool { return strings.Contains(out.String(), "batch 8, train, 1 thread: ") })
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	err := cmd.Wait()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, exitInterrupted, exit.ExitCode())
	require.Contains(t, errs.String(), "interrupted")
	require.NotContains(t, out.String(), "batch 2048, train")
	require.Regexp(t, `(?m)^\d+ convolutions measured; the table of \d+ convolutions is `, out.String())
	table, err := cpu.LoadTuning(path)
	require.NoError(t, err)
	require.GreaterOrEqual(t, table.Len(), 3)
}
