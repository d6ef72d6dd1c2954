package atomicfile

import (
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"syscall"
)

func random() uint64 { return rand.Uint64() }

// SyncDir makes renamings and deletions in a folder durable, as far as the system can.
func SyncDir(dir string) error { return syncDir(dir, dir) }

// syncDir makes the new name itself durable. Windows has no such call and needs none; file systems that refuse to
// sync a folder (some network ones) answer EINVAL or ENOTSUP, and there the file's own sync has to do.
func syncDir(path, dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	if dir == "" {
		dir = "."
	}
	d, err := os.Open(dir)
	if errors.Is(err, os.ErrPermission) {
		return nil // a folder one may write to but not list: the file is in place
	}
	if err != nil {
		return fail(path, cause(err))
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return fail(path, cause(err))
	}
	return nil
}
