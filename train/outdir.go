package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/internal/atomicfile"
	"github.com/stheno-ml/stheno/weights"
)

// Files of a run in its output folder. Checkpoints have the names of package
// weights.
const (
	RunFileName     = "run.json"
	HistoryFileName = "history.csv"
)

// OutDir is the output folder of a run, locked against a second process until
// Close.
type OutDir struct {
	// Path is the folder as it was named.
	Path string
	lock *lockFile
	made bool // by NewOutDir
}

// RunExistsError says that a new run was to be put where one is already.
type RunExistsError struct {
	Path  string   // the folder
	Found []string // names of the run's files in it, sorted
}

// Error names the folder, what is in it, and the two ways out.
func (e *RunExistsError) Error() string {
	const shown = 4
	list := strings.Join(e.Found[:min(shown, len(e.Found))], ", ")
	if more := len(e.Found) - shown; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("train: %s already holds a run (%s), which is not overwritten\n    go on with it with --resume, or choose another folder with --out", e.Path, list)
}

// NewOutDir makes the folder for a new run, with its parents, and locks it. A
// folder that holds files of a run gives a *RunExistsError and is not touched;
// other files in it do not matter. A folder in use gives a *LockedError.
func NewOutDir(path string) (*OutDir, error) {
	_, missing := os.Stat(path)
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("train: the output folder cannot be made: %w; name one in a place that can be written with --out", err)
	}
	d, found, err := openOutDir(path)
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return nil, errors.Join(&RunExistsError{path, found}, d.Close())
	}
	d.made = errors.Is(missing, fs.ErrNotExist)
	return d, nil
}

// CheckNewOutDir says early what NewOutDir would: a folder that holds files of a run gives a *RunExistsError, a path that
// is no folder an error. It makes and locks nothing; a folder that is not there is fine.
func CheckNewOutDir(path string) error {
	found, err := runFiles(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("train: the output folder cannot be used: %w; name a folder, which need not exist yet, with --out", err)
	case len(found) > 0:
		return &RunExistsError{path, found}
	}
	return nil
}

// ResumeOutDir locks the folder of a run that is to go on. A folder that is not
// there or holds no files of a run is an error that says so. A folder in use
// gives a *LockedError.
func ResumeOutDir(path string) (*OutDir, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("train: there is no run to resume: the folder %s does not exist\n    name the run's folder with --out, or start a new run without --resume: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("train: %s is a file, not the folder of a run", path)
	}
	d, found, err := openOutDir(path)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		err := fmt.Errorf("train: there is no run to resume in %s: it holds neither %s nor a checkpoint\n    name the run's folder with --out, or start a new run without --resume", path, RunFileName)
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// openOutDir locks first and looks then, so that what it found stays true.
func openOutDir(path string) (*OutDir, []string, error) {
	lock, err := acquireLock(filepath.Join(path, lockName))
	if err != nil {
		return nil, nil, err
	}
	d := &OutDir{Path: path, lock: lock}
	removeTemporary(path)
	found, err := runFiles(path)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("train: %w", err), d.Close())
	}
	return d, found, nil
}

// removeTemporary deletes what a killed process left of a file that it was writing. The folder is locked, so nobody
// writes now; what cannot be deleted harms nothing.
func removeTemporary(path string) {
	entries, _ := os.ReadDir(path)
	for _, e := range entries {
		name := e.Name()
		ours := strings.HasPrefix(name, "."+RunFileName+".") || strings.HasPrefix(name, "."+HistoryFileName+".")
		if ours && strings.HasSuffix(name, atomicfile.TempSuffix) {
			os.Remove(filepath.Join(path, name))
		}
	}
}

// runFiles are the names of a run's files in a folder and in its subfolder
// CheckpointDir, sorted.
func runFiles(path string) ([]string, error) {
	var found []string
	for _, sub := range []string{"", CheckpointDir} {
		entries, err := os.ReadDir(filepath.Join(path, sub))
		if err != nil {
			if sub != "" {
				continue // there is no such subfolder
			}
			return nil, err
		}
		for _, e := range entries {
			name := e.Name()
			numbered, _ := filepath.Match("checkpoint-*.safetensors", name)
			if numbered || name == weights.BestName || name == RunFileName || name == HistoryFileName {
				found = append(found, filepath.Join(sub, name))
			}
		}
	}
	slices.Sort(found)
	return found, nil
}

// File is the path of a file in the folder.
func (d *OutDir) File(name string) string { return filepath.Join(d.Path, name) }

// discard removes a new run's files and releases the folder; other files in it stay, and the folder itself where it was there
// before.
func (d *OutDir) discard() error {
	found, err := runFiles(d.Path)
	errs := []error{err}
	for _, name := range found {
		errs = append(errs, os.Remove(d.File(name)))
	}
	removeTemporary(d.Path)
	_ = os.Remove(d.File(CheckpointDir)) // unless something else is in it
	errs = append(errs, d.Close())
	if d.made {
		_ = os.Remove(d.Path) // nor this
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("train: the files of a run that did not begin stay in %s: %w", d.Path, err)
	}
	return nil
}

// Close releases the folder. It must be called once, when nothing writes there
// any more.
func (d *OutDir) Close() error { return d.lock.release() }
