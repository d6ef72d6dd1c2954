//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package data

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes an exclusive lock on f, which ends when f is closed, and reports false when another process has it. File
// systems without locks (some network ones) answer with other errors; there downloads go unlocked, and the
// digest catches what two of them at once would do to each other.
func tryLock(f *os.File) bool {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	return !errors.Is(err, syscall.EWOULDBLOCK)
}
