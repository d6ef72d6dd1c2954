//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package main

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The folder of a table is one writer's at a time, and nothing is left in it.
func TestTuneLocksTheFolder(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lockFolder(dir)
	require.NoError(t, err)
	second := make(chan error)
	go func() {
		unlock, err := lockFolder(dir)
		if err == nil {
			unlock()
		}
		second <- err
	}()
	select {
	case <-second:
		t.Fatal("two have the lock")
	case <-time.After(50 * time.Millisecond):
	}
	unlock()
	require.NoError(t, <-second)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	_, err = lockFolder(dir + "/nowhere")
	require.Error(t, err)
}
