package train

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOutDirNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs", "one")
	d, err := NewOutDir(path)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(path, RunFileName), d.File(RunFileName))

	for _, open := range []func(string) (*OutDir, error){NewOutDir, ResumeOutDir} {
		_, err := open(path)
		var locked *LockedError
		require.ErrorAs(t, err, &locked)
		require.Equal(t, os.Getpid(), locked.PID)
		require.ErrorContains(t, err, fmt.Sprintf("in use by process %d on host", os.Getpid()))
		require.ErrorContains(t, err, "delete "+d.File(lockName))
	}
	require.NoError(t, d.Close())
	require.NoFileExists(t, d.File(lockName))

	// Nothing of a run was written: the folder is still free.
	require.NoError(t, os.WriteFile(d.File("notes.txt"), nil, 0o644))
	d, err = NewOutDir(path)
	require.NoError(t, err)
	require.NoError(t, d.Close())
}

func TestOutDirRefusesToOverwrite(t *testing.T) {
	for _, name := range []string{"run.json", "history.csv", "checkpoint-000000005.safetensors", "best.safetensors", "checkpoints/checkpoint-000000005.safetensors"} {
		path := t.TempDir()
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(path, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(path, name), nil, 0o644))
		_, err := NewOutDir(path)
		require.Equal(t, &RunExistsError{path, []string{filepath.FromSlash(name)}}, CheckNewOutDir(path))
		var exists *RunExistsError
		require.ErrorAs(t, err, &exists)
		require.Equal(t, []string{filepath.FromSlash(name)}, exists.Found)
		require.EqualError(t, err, "train: "+path+" already holds a run ("+filepath.FromSlash(name)+"), which is not overwritten\n    go on with it with --resume, or choose another folder with --out")
		require.NoFileExists(t, filepath.Join(path, lockName))

		d, err := ResumeOutDir(path)
		require.NoError(t, err)
		require.NoError(t, d.Close())
	}
	require.ErrorContains(t, &RunExistsError{"x", []string{"a", "b", "c", "d", "e", "f"}}, "(a, b, c, d and 2 more)")
}

func TestOutDirNothingToResume(t *testing.T) {
	path := t.TempDir()
	_, err := ResumeOutDir(path)
	require.ErrorContains(t, err, "no run to resume in "+path)
	require.NoFileExists(t, filepath.Join(path, lockName))
	_, err = ResumeOutDir(filepath.Join(path, "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "no run to resume")
	require.NoDirExists(t, filepath.Join(path, "none"))
	file := filepath.Join(path, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	_, err = ResumeOutDir(file)
	require.ErrorContains(t, err, "is a file")
	_, err = NewOutDir(file)
	require.ErrorContains(t, err, file)
	require.ErrorContains(t, CheckNewOutDir(file), file)
	require.NoError(t, CheckNewOutDir(path))
	require.NoError(t, CheckNewOutDir(filepath.Join(path, "none")))
	require.NoDirExists(t, filepath.Join(path, "none"))
}

// gone starts and ends a process and returns its number.
func gone(t *testing.T) int {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	require.NoError(t, cmd.Run())
	return cmd.Process.Pid
}

func TestLockStale(t *testing.T) {
	path := filepath.Join(t.TempDir(), lockName)
	host, err := os.Hostname()
	require.NoError(t, err)
	put := func(o lockOwner) {
		b, err := json.Marshal(o)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, b, 0o644))
	}
	take := func() {
		t.Helper()
		l, err := acquireLock(path)
		require.NoError(t, err)
		require.NoError(t, l.release())
		entries, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		require.Empty(t, entries)
	}
	held := func(message string) {
		t.Helper()
		_, err := acquireLock(path)
		require.ErrorAs(t, err, new(*LockedError))
		require.ErrorContains(t, err, message)
		require.FileExists(t, path)
	}

	put(lockOwner{PID: gone(t), Host: host})
	take()
	if runtime.GOOS == "linux" { // our own number, but given out at another time
		put(lockOwner{PID: os.Getpid(), Host: host, Start: "another boot/1"})
		take()
	}
	put(lockOwner{PID: os.Getpid(), Host: host})
	held("process")
	put(lockOwner{PID: gone(t), Host: host + "-other"})
	held(`-other"`)

	for _, text := range []string{"", "{", "null", `{"pid":-4}`, "rubbish"} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		held("just starting")
		old := time.Now().Add(-2 * lockGrace)
		require.NoError(t, os.Chtimes(path, old, old))
		take()
	}
}

// A process that ended but whose parent has not waited for it holds nothing.
func TestLockOfAZombie(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSleepForever$")
	cmd.Env = append(os.Environ(), "STHENO_TEST_SLEEP=1")
	require.NoError(t, cmd.Start())
	pid := cmd.Process.Pid
	start := processStart(pid)
	require.NotEmpty(t, start)
	require.True(t, alive(pid, start))
	require.NoError(t, cmd.Process.Kill())
	require.Eventually(t, func() bool { return !alive(pid, start) }, 5*time.Second, time.Millisecond)
	require.Error(t, cmd.Wait())
}

func TestSleepForever(t *testing.T) {
	if os.Getenv("STHENO_TEST_SLEEP") == "" {
		t.Skip("runs only as a subprocess of TestLockOfAZombie")
	}
	time.Sleep(time.Minute)
}

func TestLockReleaseLeavesOthersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), lockName)
	mine, err := acquireLock(path)
	require.NoError(t, err)
	require.NoError(t, os.Remove(path)) // by hand
	theirs, err := acquireLock(path)
	require.NoError(t, err)
	require.NoError(t, mine.release())
	require.FileExists(t, path)
	require.NoError(t, theirs.release())
	require.NoFileExists(t, path)
	require.NoError(t, theirs.release())

	_, err = acquireLock(filepath.Join(path, "no", "such", "folder"))
	require.ErrorContains(t, err, "cannot be locked")
}

// Many at once over a stale lock: one wins.
func TestLockRace(t *testing.T) {
	dead := gone(t)
	host, _ := os.Hostname()
	b, err := json.Marshal(lockOwner{PID: dead, Host: host})
	require.NoError(t, err)
	for range 12 {
		path := filepath.Join(t.TempDir(), lockName)
		require.NoError(t, os.WriteFile(path, b, 0o644))
		var won atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if _, err := acquireLock(path); err == nil {
					won.Add(1)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 1, won.Load())
	}
}

// A process killed while it removed a stale lock blocks nobody for long.
func TestLockStaleTakeover(t *testing.T) {
	path := filepath.Join(t.TempDir(), lockName)
	host, _ := os.Hostname()
	b, err := json.Marshal(lockOwner{PID: gone(t), Host: host})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, b, 0o644))
	require.NoError(t, os.WriteFile(path+".takeover", nil, 0o644))
	_, err = acquireLock(path)
	require.ErrorAs(t, err, new(*LockedError))
	old := time.Now().Add(-2 * lockGrace)
	require.NoError(t, os.Chtimes(path+".takeover", old, old))
	l, err := acquireLock(path)
	require.NoError(t, err)
	require.NoError(t, l.release())
	require.NoFileExists(t, path+".takeover")
}
