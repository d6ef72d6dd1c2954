//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lockWait is how long another process may keep a folder locked: to read and write a table takes it a moment.
const lockWait = 10 * time.Second

// lockFolder keeps others who lock the folder from it until unlock is called, or the process ends. The folder itself is locked, so that
// no file remains. File systems without locks (some network ones) answer with other errors; there it goes unlocked.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for start := time.Now(); errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > lockWait {
			_ = f.Close()
			return nil, fmt.Errorf("the folder %s has been locked by another process for %v", dir, lockWait)
		}
	}
	return func() { _ = f.Close() }, nil // opened to be locked
}
