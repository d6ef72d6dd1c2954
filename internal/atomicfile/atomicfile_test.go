package atomicfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

// only asserts that dir holds exactly the file path with the content want: no temporary file is left.
func only(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestWriteFileCreatesAndReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.json")
	require.NoError(t, WriteFile(path, text("one")))
	only(t, path, "one")
	require.NoError(t, WriteFile(path, text("")))
	only(t, path, "")
	big := string(bytes.Repeat([]byte("stheno"), 1<<16))
	require.NoError(t, WriteFile(path, text(big)))
	only(t, path, big)
}

func TestWriteFileKeepsPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	path := filepath.Join(t.TempDir(), "a")
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	require.NoError(t, WriteFile(path, text("y")))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
}

func TestFailureLeavesTheOldFile(t *testing.T) {
	diskFull := &fs.PathError{Op: "write", Path: "temporary", Err: syscall.ENOSPC}
	for _, c := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"at once", func(io.Writer) error { return diskFull }},
		{"in the middle", func(w io.Writer) error {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
			return diskFull
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "model.safetensors")
			require.NoError(t, WriteFile(path, text("good")))
			err := WriteFile(path, c.write)
			require.ErrorIs(t, err, syscall.ENOSPC)
			require.EqualError(t, err, "writing "+path+": "+syscall.ENOSPC.Error())
			only(t, path, "good")
		})
	}
}

// The kernel's own "no space left on device", met in the flush rather than in write.
func TestDeviceFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	defer full.Close()
	require.ErrorIs(t, fill(full, text("x")), syscall.ENOSPC)
}

func TestPanicInWriteLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	require.NoError(t, WriteFile(path, text("good")))
	require.Panics(t, func() { _ = WriteFile(path, func(io.Writer) error { panic("caller's bug") }) })
	only(t, path, "good")
}

func TestBadTargets(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "no", "such", "file")
	err := WriteFile(missing, text("x"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Contains(t, err.Error(), missing)
	require.ErrorContains(t, WriteFile(dir, text("x")), "not a regular file")
	require.ErrorContains(t, WriteFile("", text("x")), "not the name of a file")
	require.ErrorContains(t, WriteFile(dir+string(filepath.Separator), text("x")), "not the name of a file")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestWriteNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.json")
	require.NoError(t, WriteNew(path, text("first")))
	only(t, path, "first")
	require.ErrorIs(t, WriteNew(path, text("second")), fs.ErrExist)
	only(t, path, "first")

	// Someone else makes the file while ours is being written.
	require.NoError(t, os.Remove(path))
	err := WriteNew(path, func(w io.Writer) error { return os.WriteFile(path, []byte("theirs"), 0o644) })
	require.ErrorIs(t, err, fs.ErrExist)
	only(t, path, "theirs")

	require.NoError(t, os.Remove(path))
	own := errors.New("encoder failed")
	require.ErrorIs(t, WriteNew(path, func(io.Writer) error { return own }), own)
	require.NoFileExists(t, path)
}
