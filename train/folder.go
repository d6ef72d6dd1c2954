package train

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/stheno-ml/stheno/weights"
)

// CheckpointDir is the folder of the checkpoints within a run's folder.
const CheckpointDir = "checkpoints"

// openOut makes the run's folder, or finds it and what is in it when the run is resumed.
func (t *Trainer) openOut() (err error) {
	t.keeper = &weights.Keeper{Dir: filepath.Join(t.cfg.Out, CheckpointDir), Keep: t.cfg.Keep,
		LowerIsBetter: t.stop.restores() && !larger(t.stop.Monitor)}
	if t.cfg.Resume {
		return t.reopenOut()
	}
	if t.dir, err = NewOutDir(t.cfg.Out); err != nil {
		return err
	}
	if err := WriteJSON(t.dir.File(RunFileName), t.cfg); err != nil {
		return err
	}
	if t.history, err = CreateHistory(t.dir.File(HistoryFileName)); err != nil {
		return err
	}
	return t.startKeeper()
}

func (t *Trainer) reopenOut() (err error) {
	if t.dir, err = ResumeOutDir(t.cfg.Out); err != nil {
		return err
	}
	was, err := t.resume()
	if err != nil {
		return err
	}
	if t.history, err = ResumeHistory(t.dir.File(HistoryFileName), t.state.Epoch); err != nil {
		return err
	}
	if err := t.resumeStop(was); err != nil {
		return err
	}
	if err := WriteJSON(t.dir.File(RunFileName), t.cfg); err != nil { // the number of epochs may have been raised
		return err
	}
	return t.startKeeper()
}

// justBegun says that the folder holds a run that was killed before its first checkpoint, in whose place the same run
// can begin again: there never was a checkpoint, nor a finished epoch.
func (t *Trainer) justBegun() bool {
	files, err := runFiles(t.cfg.Out)
	if err != nil || slices.ContainsFunc(files, func(name string) bool { return filepath.Dir(name) == CheckpointDir }) {
		return false
	}
	rows, err := ReadHistory(t.dir.File(HistoryFileName))
	return errors.Is(err, fs.ErrNotExist) || err == nil && len(rows) == 0
}

func (t *Trainer) startKeeper() error {
	notices, err := t.keeper.Start()
	for _, line := range notices {
		t.observer.Note(line)
	}
	return err
}

// ReadConfig reads the configuration of the run in a folder, to resume it. Every checkpoint carries it too: if run.json
// is lost or damaged, the newest sound checkpoint's is taken, and the notice says so.
func ReadConfig(dir string) (c Config, notice string, err error) {
	c, err = ReadJSON[Config](filepath.Join(dir, RunFileName))
	if err == nil {
		c.Out = dir
		return c, "", nil
	}
	found, noCheckpoint := weights.Latest(filepath.Join(dir, CheckpointDir))
	if noCheckpoint != nil {
		return c, "", err
	}
	if c, noCheckpoint = configOf(found.Path, found.Checkpoint); noCheckpoint != nil {
		return c, "", errors.Join(err, noCheckpoint)
	}
	c.Out = dir
	return c, fmt.Sprintf("%v; using the configuration in %s", err, found.Path), nil
}
