package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The lock of a folder is a file that only one process can create (O_EXCL, which
// every file system and operating system has, network ones included). It says who
// holds it, so that the lock of a process that is gone can be recognised:
//
//   - on the same host, a process that no longer exists is gone; so is one whose
//     number was given to another process since, which Linux tells by its start
//     time;
//   - of a process on another host nothing can be known, so its lock counts as
//     held, and the error says which file to delete when it is not;
//   - a lock without readable content is one being written, or one whose writer
//     was killed in between: it counts as held for lockGrace.
//
// A stale lock is removed under a second lock file, so that of several processes
// that find it, none can remove the new lock of another.
const lockName = ".stheno-lock"

// lockGrace is far longer than writing a lock takes.
const lockGrace = 10 * time.Second

// lockOwner is the content of a lock file.
type lockOwner struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
	// Start tells processes of the same number apart; empty where the system does
	// not say when a process started.
	Start string `json:"start,omitempty"`
	// Nonce tells this lock from any other, also of the same process.
	Nonce uint64 `json:"nonce"`
}

// LockedError says that another process works in a folder.
type LockedError struct {
	Path  string    // the lock file
	PID   int       // of the process that holds it; 0 if unknown
	Host  string    // its host
	Since time.Time // when it took the lock
}

// Error says who holds the lock and what to do if that is no longer true.
func (e *LockedError) Error() string {
	who := "a process that is just starting"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d on host %q since %s", e.PID, e.Host, e.Since.Format(time.DateTime))
	}
	return fmt.Sprintf("train: the output folder is in use by %s\n    wait for it or choose another folder with --out; if it is not running any more, delete %s", who, e.Path)
}

// lockFile is a lock held by this process.
type lockFile struct {
	path    string
	content []byte
}

// acquireLock creates the lock file at path, replacing the lock of a process that
// is gone, or returns a *LockedError.
func acquireLock(path string) (*lockFile, error) {
	host, _ := os.Hostname() // without a name all locks look like ours, and the pid decides
	owner := lockOwner{PID: os.Getpid(), Host: host, Since: time.Now().UTC().Truncate(time.Second), Start: processStart(os.Getpid()), Nonce: rand.Uint64()}
	content, err := json.Marshal(owner)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	// Each round creates the file, finds it held, or removes a stale one or waits
	// for another process that does.
	for range 100 {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err == nil {
			_, err = file.Write(content)
			if err = errors.Join(err, file.Close()); err != nil {
				os.Remove(path) // best effort: it would expire otherwise
				return nil, fmt.Errorf("train: the output folder cannot be locked: %w", err)
			}
			return &lockFile{path, content}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("train: the output folder cannot be locked: %w", err)
		}
		// Asked once without the guard, for the common answers.
		stale, err := judge(path, host)
		if err != nil {
			return nil, err
		}
		if stale {
			if err := removeStale(path, host); err != nil {
				return nil, err
			}
		}
	}
	return nil, &LockedError{Path: path}
}

// judge says whether the lock at path is stale; a held one is a *LockedError. One
// that is not there any more is neither.
func judge(path, host string) (stale bool, err error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // released in this moment
	}
	if err != nil {
		return false, fmt.Errorf("train: the lock of the output folder cannot be read: %w", err)
	}
	var owner lockOwner
	if json.Unmarshal(content, &owner) != nil || owner.PID <= 0 {
		if fresh(path) {
			return false, &LockedError{Path: path}
		}
		return true, nil
	}
	if owner.Host != host || alive(owner.PID, owner.Start) {
		return false, &LockedError{Path: path, PID: owner.PID, Host: owner.Host, Since: owner.Since}
	}
	return true, nil
}

// fresh says whether the file at path was written within lockGrace.
func fresh(path string) bool {
	info, err := os.Stat(path)
	return err == nil && time.Since(info.ModTime()) < lockGrace
}

// removeStale removes the lock at path if it is still stale, or waits a moment
// when another process is just doing that. nil means: try again to create it.
func removeStale(path, host string) error {
	guard := path + ".takeover"
	file, err := os.OpenFile(guard, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		if !fresh(guard) {
			os.Remove(guard) // its process was killed here; creating it again will tell
		}
		time.Sleep(5 * time.Millisecond)
		return nil
	}
	if err != nil {
		return fmt.Errorf("train: the stale lock of the output folder cannot be removed: %w", err)
	}
	defer os.Remove(guard)
	if err := file.Close(); err != nil {
		return fmt.Errorf("train: the stale lock of the output folder cannot be removed: %w", err)
	}
	// Under the guard nobody else removes a stale lock, so the answer stays true
	// until it is removed here. One that is gone by now must not be: another
	// process may create its own in this moment.
	stale, err := judge(path, host)
	if err != nil || !stale {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("train: the stale lock of the output folder cannot be removed: %w", err)
	}
	return nil
}

// release deletes the lock file, unless it is no longer this lock.
func (l *lockFile) release() error {
	content, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !bytes.Equal(content, l.content) {
		return nil // someone deleted it by hand; whoever came then keeps theirs
	}
	if err == nil {
		err = os.Remove(l.path)
	}
	if err != nil {
		return fmt.Errorf("train: the lock of the output folder stays: %w", err)
	}
	return nil
}

// alive says whether the process that had number pid and start time start still
// runs. When the system does not tell, the answer is yes.
func alive(pid int, start string) bool {
	process, err := os.FindProcess(pid)
	if err != nil {
		return false // Windows: there is no such process
	}
	defer process.Release()
	if runtime.GOOS != "windows" {
		err := process.Signal(syscall.Signal(0))
		if errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH) {
			return false
		}
	}
	now := processStart(pid)
	return start == "" || now == "" || now == start
}

// processStart identifies when a process started: on Linux the boot and the clock
// ticks since (field 22 of /proc/PID/stat), elsewhere nothing.
func processStart(pid int) string {
	if runtime.GOOS != "linux" {
		return ""
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	// The second field is the program's name in parentheses and may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const startTime = 22 - 3 // fields begins with the third
	if len(fields) <= startTime {
		return ""
	}
	if fields[0] == "Z" {
		return "ended" // its parent has not asked for its exit status yet
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + "/" + fields[startTime]
}
