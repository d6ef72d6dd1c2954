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
	unlock := lockFolder(dir)
	second := make(chan bool)
	go func() {
		lockFolder(dir)()
		second <- true
	}()
	select {
	case <-second:
		t.Fatal("two have the lock")
	case <-time.After(50 * time.Millisecond):
	}
	unlock()
	require.True(t, <-second)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	lockFolder(dir + "/nowhere")()
}
