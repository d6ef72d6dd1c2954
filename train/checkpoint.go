package train

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// tensorsOf lists a model's weights and an optimizer's slots under their names in a checkpoint. The data is shared.
func tensorsOf(m *nn.Model, slots Slots) []weights.NamedTensor {
	var out []weights.NamedTensor
	for _, w := range m.Weights() {
		out = append(out, weights.NamedTensor{Name: "model/" + w.Name, Shape: w.Shape, Data: w.Value.Data()})
	}
	names := make([]string, 0, len(slots))
	for name := range slots {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t := slots[name]
		out = append(out, weights.NamedTensor{Name: "optimizer/" + name, Shape: t.Shape(), Data: t.Data()})
	}
	return out
}

// save writes a checkpoint of the current state. metric is the validation's top-1, NaN in the middle of an epoch.
func (t *Trainer) save(metric float64) error {
	for _, s := range t.steps {
		if err := s.Sync(); err != nil {
			return err
		}
	}
	run, err := json.Marshal(t.cfg)
	if err != nil {
		return fmt.Errorf("train: run configuration: %w", err)
	}
	state, err := json.Marshal(t.state)
	if err != nil {
		return fmt.Errorf("train: run state: %w", err)
	}
	c := &weights.Checkpoint{Arch: t.cfg.Arch, Run: run, State: state}
	for _, n := range tensorsOf(t.model, t.slots) {
		c.Tensors = append(c.Tensors, weights.Tensor{Name: n.Name, Shape: n.Shape, Data: n.Data})
	}
	saved, err := t.keeper.Save(c, int64(t.state.Step), metric)
	if err != nil {
		return fmt.Errorf("train: the checkpoint of step %d could not be saved (the earlier ones are untouched): %w", t.state.Step, err)
	}
	for _, line := range saved.Notices {
		t.observer.Note(line)
	}
	t.last, t.saved = saved.Path, t.state.Step
	return nil
}

// resume loads the newest sound checkpoint.
func (t *Trainer) resume() error {
	found, err := weights.Latest(filepath.Join(t.cfg.Out, CheckpointDir))
	if err != nil {
		return fmt.Errorf("train: nothing to resume from: %w", err)
	}
	for _, skipped := range found.Skipped {
		t.observer.Note(fmt.Sprintf("skipped: %v", skipped))
	}
	c := found.Checkpoint
	if err := json.Unmarshal(c.State, &t.state); err != nil {
		return fmt.Errorf("train: %s: its state is not one of this program: %w", found.Path, err)
	}
	if err := c.Assign(t.cfg.Arch, tensorsOf(t.model, t.slots)); err != nil {
		return fmt.Errorf("train: %s: %w", found.Path, err)
	}
	t.last, t.saved = found.Path, t.state.Step
	return nil
}

// LoadModel makes the model of a checkpoint with its weights, for evaluation and prediction. It returns the
// configuration of the run that made it as well.
func LoadModel(path string) (*nn.Model, Config, error) {
	var cfg Config
	c, err := weights.LoadCheckpoint(path)
	if err != nil {
		return nil, cfg, err
	}
	if err := json.Unmarshal(c.Run, &cfg); err != nil {
		return nil, cfg, fmt.Errorf("train: %s: the run that made it is not described in a way this program knows: %w", path, err)
	}
	m, err := NewModel(cfg)
	if err == nil {
		err = m.Initialize(cfg.Seed, tensor.Float32)
	}
	if err == nil {
		err = weights.Assign(modelTensors(m), c.Section("model/"))
	}
	if err != nil {
		return nil, cfg, fmt.Errorf("train: %s: %w", path, err)
	}
	return m, cfg, nil
}

func modelTensors(m *nn.Model) []weights.NamedTensor {
	var out []weights.NamedTensor
	for _, w := range m.Weights() {
		out = append(out, weights.NamedTensor{Name: w.Name, Shape: w.Shape, Data: w.Value.Data()})
	}
	return out
}
