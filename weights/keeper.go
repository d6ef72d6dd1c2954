package weights

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/internal/atomicfile"
)

const (
	// BestName is the file beside the numbered checkpoints that holds the best one.
	BestName = "best.safetensors"

	checkpointPrefix = "checkpoint-"
	checkpointSuffix = ".safetensors"
	supersededSuffix = ".superseded"
	defaultKeep      = 3
)

// CheckpointName is the file name of the checkpoint of a step:
// "checkpoint-" and at least nine digits, so that names sort like steps.
func CheckpointName(step int64) string {
	return fmt.Sprintf("%s%09d%s", checkpointPrefix, step, checkpointSuffix)
}

// checkpointStep is CheckpointName backwards.
func checkpointStep(name string) (step int64, ok bool) {
	digits, ok := strings.CutPrefix(name, checkpointPrefix)
	if !ok {
		return 0, false
	}
	digits, ok = strings.CutSuffix(digits, checkpointSuffix)
	if !ok {
		return 0, false
	}
	step, err := strconv.ParseInt(digits, 10, 64)
	return step, err == nil && step >= 0 && CheckpointName(step) == name
}

// Keeper keeps the checkpoints of one run in one folder: the newest few, and the
// best in best.safetensors. Whenever the process or the machine stops, [Latest]
// finds a sound checkpoint there, provided one Save had returned. One Keeper at a
// time may work in a folder, and its methods are not for concurrent use.
type Keeper struct {
	// Dir is the folder. It may hold other files.
	Dir string
	// Keep is how many of the newest checkpoints stay; 0 means 3, a negative
	// number all of them.
	Keep int
	// LowerIsBetter says that metrics are losses rather than accuracies.
	LowerIsBetter bool

	started bool
	best    float64                   // metric of best.safetensors; NaN when there is none
	wrap    func(io.Writer) io.Writer // lets tests break the writer
}

// Saved says what a Save did.
type Saved struct {
	// Path is the new checkpoint, now safely on disk.
	Path string
	// Best says that it is the best so far and best.safetensors holds it.
	Best bool
	// Removed are the older checkpoints that were deleted.
	Removed []string
	// Notices are problems that did not prevent saving, one line each, such as an
	// old file that could not be deleted.
	Notices []string
}

// Start creates the folder if need be, deletes temporary files that a killed
// process left in it, and learns the metric of the best checkpoint that is there,
// which it makes best.safetensors if the process was killed before it could.
// It returns a line for whatever a person would want to know. Save calls Start if
// nobody did.
func (k *Keeper) Start() (notices []string, err error) {
	if err := os.MkdirAll(k.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	entries, err := os.ReadDir(k.Dir)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	for _, e := range entries {
		name := e.Name()
		if !e.Type().IsRegular() || !strings.HasPrefix(name, ".") || !strings.HasSuffix(name, atomicfile.TempSuffix) {
			continue
		}
		path := filepath.Join(k.Dir, name)
		if err := os.Remove(path); err != nil {
			notices = append(notices, fmt.Sprintf("a temporary file of an interrupted run stays: %v", err))
			continue
		}
		notices = append(notices, "removed "+path+", left by an interrupted run")
	}
	k.best = math.NaN()
	switch c, err := LoadCheckpoint(filepath.Join(k.Dir, BestName)); {
	case err == nil:
		k.best = c.Metric
	case !errors.Is(err, fs.ErrNotExist):
		notices = append(notices, fmt.Sprintf("the best checkpoint will be replaced by the next one: %v", err))
	}
	k.started = true
	return append(notices, k.catchUp()...), nil
}

// catchUp makes best.safetensors the best of the numbered checkpoints if one beats it: the process was killed after
// writing that one and before making it the best, and tidying would delete it in time.
func (k *Keeper) catchUp() (notices []string) {
	files, err := list(k.Dir)
	if err != nil {
		return nil // Save will say so
	}
	for _, f := range files {
		path := filepath.Join(k.Dir, f.name)
		if !better(metricOf(path), k.best, k.LowerIsBetter) {
			continue
		}
		c, err := LoadCheckpoint(path)
		if err != nil || c.Step != f.step {
			continue // Latest says what is wrong with it
		}
		if err := k.setBest(path); err != nil {
			notices = append(notices, fmt.Sprintf("%s could not be renewed: %v", BestName, err))
			continue
		}
		k.best = c.Metric
		notices = append(notices, fmt.Sprintf("%s is now %s, the best when an earlier run stopped", BestName, path))
	}
	return notices
}

// metricOf reads the metric of a checkpoint from its header alone, unverified; NaN when there is none.
func metricOf(path string) float64 {
	none := math.NaN()
	in, err := os.Open(path)
	if err != nil {
		return none
	}
	defer in.Close() // read only
	info, err := in.Stat()
	if err != nil {
		return none
	}
	h, err := readHeader(in, info.Size())
	if err != nil {
		return none
	}
	metric, err := strconv.ParseFloat(h.metadata["metric"], 64)
	if err != nil {
		return none
	}
	return metric
}

// Save writes c, with step and metric put into it, as checkpoint-<step>.safetensors
// and flushes it to the disk; only then does it make it best.safetensors if metric
// beats all before it (a NaN, which stands for no metric, never does), and delete
// what is older than the newest Keep. After an error nothing older was deleted.
//
// A checkpoint of a later step is one that this run did not resume from, because
// it was damaged or by choice. It is renamed to *.superseded, not deleted.
func (k *Keeper) Save(c *Checkpoint, step int64, metric float64) (Saved, error) {
	var s Saved
	if !k.started {
		notices, err := k.Start()
		if err != nil {
			return s, err
		}
		s.Notices = notices
	}
	stamped := *c
	stamped.Step, stamped.Metric = step, metric
	path := filepath.Join(k.Dir, CheckpointName(step))
	if err := saveCheckpoint(path, &stamped, k.wrap); err != nil {
		return s, err
	}
	s.Path = path
	if better(metric, k.best, k.LowerIsBetter) {
		if err := k.setBest(path); err != nil {
			// The numbered files are all that is left of the best: delete none.
			s.Notices = append(s.Notices, fmt.Sprintf("%s could not be renewed: %v", BestName, err))
			return s, nil
		}
		k.best, s.Best = metric, true
	}
	k.tidy(&s, step)
	return s, nil
}

// setBest makes best.safetensors the file at path: a hard link, which takes no
// space and no time (checkpoints are replaced, never written to), or a copy where
// the file system has no hard links.
func (k *Keeper) setBest(path string) error {
	best := filepath.Join(k.Dir, BestName)
	temp := filepath.Join(k.Dir, fmt.Sprintf(".%s.%x%s", BestName, rand.Uint64(), atomicfile.TempSuffix))
	if err := os.Link(path, temp); err == nil {
		if err := os.Rename(temp, best); err != nil {
			os.Remove(temp) // best effort: Start removes it otherwise
			return err
		}
		return atomicfile.SyncDir(k.Dir) // before anything older is deleted
	}
	return atomicfile.WriteFile(best, func(w io.Writer) error {
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.Copy(w, in)
		return err
	})
}

// tidy deletes the oldest checkpoints and sets later ones aside. What fails is
// noted: it costs disk space, not the run.
func (k *Keeper) tidy(s *Saved, step int64) {
	keep := k.Keep
	if keep == 0 {
		keep = defaultKeep
	}
	found, err := list(k.Dir)
	if err != nil {
		s.Notices = append(s.Notices, fmt.Sprintf("old checkpoints stay: %v", err))
		return
	}
	kept := 0
	for _, f := range found { // newest first
		path := filepath.Join(k.Dir, f.name)
		switch {
		case f.step > step:
			if err := os.Rename(path, path+supersededSuffix); err != nil {
				s.Notices = append(s.Notices, fmt.Sprintf("a checkpoint of a later step stays: %v", err))
				continue
			}
			s.Notices = append(s.Notices, fmt.Sprintf("%s is of a later step than this run resumed from; it is now %s", path, f.name+supersededSuffix))
		case keep < 0 || kept < keep:
			kept++
		default:
			if err := os.Remove(path); err != nil {
				s.Notices = append(s.Notices, fmt.Sprintf("an old checkpoint stays: %v", err))
				continue
			}
			s.Removed = append(s.Removed, path)
		}
	}
}
