//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package main

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// lockWait is how long another process may keep a folder locked: to read and write a table takes it a moment.
const lockWait = 10 * time.Second

// lockFolder keeps others who lock the folder from it until unlock is called, or the process ends. The folder itself is locked, so that
// no file remains. Where it cannot be, as on some network file systems or when another process never lets go, it goes unlocked: then two
// that write in the same moment may lose something, which is less than not to write.
func lockFolder(dir string) (unlock func()) {
	f, err := os.Open(dir)
	if err != nil {
		return func() {}
	}
	for start := time.Now(); time.Since(start) < lockWait; time.Sleep(10 * time.Millisecond) {
		if !errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK) {
			break
		}
	}
	return func() { _ = f.Close() } // opened to be locked
}
