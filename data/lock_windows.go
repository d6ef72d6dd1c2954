package data

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// tryLock takes an exclusive lock on f, which ends when f is closed, and reports false when another process has it.
// The byte locked lies far behind any content: Windows locks forbid reading and writing what they cover.
func tryLock(f *os.File) bool {
	at := &windows.Overlapped{OffsetHigh: 0x7fffffff}
	flags := uint32(windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY)
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, at)
	return !errors.Is(err, windows.ERROR_LOCK_VIOLATION) && !errors.Is(err, windows.ERROR_IO_PENDING)
}
