// Package atomicfile writes files that are either complete or absent.
//
// The content goes to a temporary name in the target's own folder, is flushed to the disk, and takes the target's
// name only then. Whatever happens before that (a full disk, an error of the writer, the process killed) leaves an
// older file of that name untouched. A killed process can leave the temporary file behind, whose name ends in
// TempSuffix; nothing else of it remains.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// TempSuffix ends the names of temporary files: ".NAME.RANDOM.stheno-tmp" beside the target NAME.
const TempSuffix = ".stheno-tmp"

// WriteFile calls write with a buffered writer and makes what it wrote the content of path, replacing a file of that
// name. A new file gets mode 0644 less the umask on Unix; one that is replaced keeps its permissions. Every
// error names path and wraps its cause (so errors.Is finds syscall.ENOSPC, fs.ErrPermission, or write's own error),
// and leaves neither a temporary file nor a changed target.
func WriteFile(path string, write func(io.Writer) error) error { return put(path, write, false) }

// WriteNew is WriteFile for a file that must not exist yet: if one does, also one made by someone else in the
// meantime, the error wraps fs.ErrExist and the existing file stays. On file systems without hard links the last check
// and the renaming are two steps.
func WriteNew(path string, write func(io.Writer) error) error {
	if _, err := os.Lstat(path); err == nil {
		return fail(path, fs.ErrExist)
	}
	return put(path, write, true)
}

func fail(path string, err error) error { return fmt.Errorf("writing %s: %w", path, err) }

func put(path string, write func(io.Writer) error, isNew bool) (err error) {
	dir, name := filepath.Split(path)
	if name == "" || name == "." || name == ".." {
		return fail(path, errors.New("this is not the name of a file"))
	}
	mode := fs.FileMode(0)
	if info, err := os.Stat(path); err == nil {
		if !info.Mode().IsRegular() {
			return fail(path, errors.New("it exists and is not a regular file"))
		}
		mode = info.Mode().Perm()
	}
	f, err := createTemp(dir, name)
	if err != nil {
		return fail(path, cause(err))
	}
	temp := f.Name()
	open := true
	// Deferred, so that a panic of the caller's write removes the temporary file too.
	defer func() {
		if open {
			f.Close()
		}
		if temp != "" {
			os.Remove(temp)
		}
	}()
	if err := fill(f, write); err != nil {
		return fail(path, cause(err))
	}
	if mode != 0 {
		if err := f.Chmod(mode); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return fail(path, cause(err))
		}
	}
	if err := f.Sync(); err != nil {
		return fail(path, cause(err))
	}
	open = false
	if err := f.Close(); err != nil {
		return fail(path, cause(err))
	}
	if isNew {
		// A hard link fails when the name exists: the only portable way to check and name in one step.
		switch err := os.Link(temp, path); {
		case err == nil:
			return syncDir(path, dir)
		case errors.Is(err, fs.ErrExist):
			return fail(path, fs.ErrExist)
		}
		if _, err := os.Lstat(path); err == nil {
			return fail(path, fs.ErrExist)
		}
	}
	if err := os.Rename(temp, path); err != nil {
		return fail(path, cause(err))
	}
	temp = ""
	return syncDir(path, dir)
}

func fill(f *os.File, write func(io.Writer) error) error {
	b := bufio.NewWriterSize(f, 1<<16)
	if err := write(b); err != nil {
		return err
	}
	return b.Flush()
}

// cause drops the temporary file's name from an error of the os package: the caller names the target.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return l.Err
	}
	return err
}

// createTemp is os.CreateTemp with the permissions of an ordinary new file instead of 0600.
func createTemp(dir, name string) (*os.File, error) {
	for try := 0; ; try++ {
		temp := filepath.Join(dir, fmt.Sprintf(".%s.%x%s", name, random(), TempSuffix))
		f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) && try < 100 {
			continue
		}
		return f, err
	}
}
