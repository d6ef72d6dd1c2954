package train

import (
	"path/filepath"

	"github.com/stheno-ml/stheno/weights"
)

// CheckpointDir is the folder of the checkpoints within a run's folder.
const CheckpointDir = "checkpoints"

// openOut makes the run's folder, or finds it and what is in it when the run is resumed.
func (t *Trainer) openOut() (err error) {
	t.keeper = &weights.Keeper{Dir: filepath.Join(t.cfg.Out, CheckpointDir), Keep: t.cfg.Keep}
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
	if err := t.resume(); err != nil {
		return err
	}
	if t.history, err = ResumeHistory(t.dir.File(HistoryFileName), t.state.Epoch); err != nil {
		return err
	}
	if err := WriteJSON(t.dir.File(RunFileName), t.cfg); err != nil { // the number of epochs may have been raised
		return err
	}
	return t.startKeeper()
}

func (t *Trainer) startKeeper() error {
	notices, err := t.keeper.Start()
	for _, line := range notices {
		t.observer.Note(line)
	}
	return err
}

// ReadConfig reads the configuration of the run in a folder, to resume it or to use its model.
func ReadConfig(dir string) (Config, error) {
	c, err := ReadJSON[Config](filepath.Join(dir, RunFileName))
	c.Out = dir
	return c, err
}
