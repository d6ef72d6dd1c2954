package weights

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNoCheckpoint is what [Latest] returns, wrapped, when a folder holds no
// checkpoint that can be used.
var ErrNoCheckpoint = errors.New("no usable checkpoint")

// Found is the checkpoint to resume from.
type Found struct {
	// Path is its file.
	Path string
	// Checkpoint is its content, verified.
	Checkpoint *Checkpoint
	// Skipped holds, newest first, why each newer file could not be used; an
	// entry is usually a *CorruptError. It should be shown to the user.
	Skipped []error
}

// Latest loads the newest checkpoint in dir that verifies. Damaged and incomplete
// files are skipped, and said to be; temporary and other files are ignored. If no
// numbered checkpoint is usable, best.safetensors is taken. When there is nothing
// to take, the error wraps ErrNoCheckpoint and lists what was skipped.
func Latest(dir string) (*Found, error) {
	files, err := list(dir)
	if err != nil {
		return nil, err
	}
	result := &Found{}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		c, err := LoadCheckpoint(path)
		if err == nil && c.Step != f.step {
			err = &CorruptError{Path: path, Reason: fmt.Sprintf("its name says step %d, its content step %d", f.step, c.Step),
				Remedy: "give it back the name it was written under"}
		}
		if err != nil {
			result.Skipped = append(result.Skipped, err)
			continue
		}
		result.Path, result.Checkpoint = path, c
		return result, nil
	}
	path := filepath.Join(dir, BestName)
	c, err := LoadCheckpoint(path)
	if err == nil {
		result.Path, result.Checkpoint = path, c
		return result, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		result.Skipped = append(result.Skipped, err)
	}
	var why strings.Builder
	for _, err := range result.Skipped {
		why.WriteString("\n    skipped: " + strings.ReplaceAll(err.Error(), "\n", "\n    "))
	}
	return nil, fmt.Errorf("weights: %w in %s%s", ErrNoCheckpoint, dir, why.String())
}

// numbered is a checkpoint file by its name alone.
type numbered struct {
	name string
	step int64
}

// list returns the numbered checkpoints in dir, newest first. A folder that does
// not exist holds none.
func list(dir string) ([]numbered, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	var out []numbered
	for _, e := range entries {
		if step, ok := checkpointStep(e.Name()); ok && !e.IsDir() {
			out = append(out, numbered{e.Name(), step})
		}
	}
	slices.SortFunc(out, func(a, b numbered) int { return cmp.Compare(b.step, a.step) })
	return out, nil
}
