package train

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// modelTensors lists a model's weights under their names with a prefix. The data is shared.
func modelTensors(m *nn.Model, prefix string) []weights.NamedTensor {
	var out []weights.NamedTensor
	for _, w := range m.Weights() {
		out = append(out, weights.NamedTensor{Name: prefix + w.Name, Shape: w.Shape, Data: w.Value.Data()})
	}
	return out
}

// runTensors lists a model's weights and an optimizer's slots under their names in a checkpoint. The data is shared.
func runTensors(m *nn.Model, slots Slots) []weights.NamedTensor {
	out := modelTensors(m, modelPrefix)
	for _, name := range slices.Sorted(maps.Keys(slots)) {
		out = append(out, weights.NamedTensor{Name: optimizerPrefix + name, Shape: slots[name].Shape(), Data: slots[name].Data()})
	}
	return out
}

// modelPrefix begins the names of the model's weights in a checkpoint, optimizerPrefix those of slots.
const (
	modelPrefix     = "model/"
	optimizerPrefix = "optimizer/"
)

// save writes a checkpoint of the current state, unless a number in it is not finite. metric is the validation's top-1, or what the early stop
// looks at, and NaN in the middle of an epoch.
func (t *Trainer) save(metric float64) error {
	if err := t.sync(); err != nil {
		return err
	}
	if t.cfg.SWA > 0 && t.state.Averaged == 0 {
		t.takeWeights() // there is no average yet
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
	for _, n := range t.tensors() {
		if v, ok := firstNonFinite(n.Data.([]float32)); ok {
			return t.diverged(n.Name, float64(v)) // e.g. by the update after a loss that still was a number
		}
		c.Tensors = append(c.Tensors, weights.Tensor{Name: n.Name, Shape: n.Shape, Data: n.Data})
	}
	saved, err := t.keeper.Save(c, int64(t.state.Step), metric)
	if err != nil {
		if t.last == "" {
			return fmt.Errorf("train: the checkpoint that a run begins with could not be saved: %w\n"+
				"    nothing was trained; when that is mended, or with another --out, give the same command again", err)
		}
		return fmt.Errorf("train: the checkpoint of step %d could not be saved (the earlier ones are untouched): %w\n"+
			"    when that is mended, go on from the newest of them with --resume --out %s", t.state.Step, err, t.cfg.Out)
	}
	for _, line := range saved.Notices {
		t.observer.Note(line)
	}
	t.last, t.saved = saved.Path, t.batches()
	return nil
}

// firstNonFinite finds a NaN or an infinity.
func firstNonFinite(x []float32) (float32, bool) {
	for _, v := range x {
		if v-v != 0 {
			return v, true
		}
	}
	return 0, false
}

// resume loads the newest sound checkpoint, and returns the configuration of the run in it.
func (t *Trainer) resume() (was Config, err error) {
	found, err := weights.Latest(filepath.Join(t.cfg.Out, CheckpointDir))
	if errors.Is(err, weights.ErrNoCheckpoint) && t.justBegun() {
		t.observer.Note("the run ended before its first checkpoint; it begins again")
		err := t.beginAgain()
		t.takeWeights()
		return t.cfg, err
	}
	if err != nil {
		return was, fmt.Errorf("train: %s cannot be resumed: %w", t.cfg.Out, err)
	}
	for _, skipped := range found.Skipped {
		t.observer.Note(fmt.Sprintf("skipped: %v", skipped))
	}
	c := found.Checkpoint
	if err := t.resumeUnfrozen(c); err != nil {
		return was, err
	}
	if err := c.Assign(t.cfg.Arch, t.tensors()); err != nil {
		return was, fmt.Errorf("train: %s: %w", found.Path, err)
	}
	if err := t.ofThisRun(found.Path, c); err != nil { // after Assign, which says more about another architecture
		return was, err
	}
	if err := json.Unmarshal(c.State, &t.state); err != nil {
		return was, fmt.Errorf("train: %s: its state is not one of this program: %w", found.Path, err)
	}
	if p, ok := t.schedule.(*PlateauSchedule); ok {
		if t.state.Plateau == nil {
			return was, fmt.Errorf("train: %s: its state has no plateau, which the schedule %s needs; start a new run", found.Path, t.cfg.Schedule)
		}
		p.State = t.state.Plateau
	}
	t.last, t.saved = found.Path, t.batches()
	if was, err = configOf(t.last, c); err != nil {
		return was, err
	}
	return was, t.epochsChanged(was)
}

// epochsChanged refuses fewer epochs than the run has seen, and notes what another number of them than that of the checkpoint does to a schedule
// that depends on it.
func (t *Trainer) epochsChanged(was Config) error {
	if t.cfg.Epochs < t.state.Epoch {
		return fmt.Errorf("train: the run in %s has done %d epochs, --epochs %d is less; give at least %d, or start a new run with another --out",
			t.cfg.Out, t.state.Epoch, t.cfg.Epochs, t.state.Epoch)
	}
	if !t.spec.endsWithRun() || was.Epochs == t.cfg.Epochs || t.state.Epoch == t.cfg.Epochs {
		return nil
	}
	how, where := "stretched", "begins"
	if was.Epochs > t.cfg.Epochs {
		how = "shortened"
	}
	if t.state.Batch > 0 {
		where = "goes on"
	}
	t.observer.Note(fmt.Sprintf("the %s schedule is %s from %d to %d epochs: epoch %d %s at learning rate %.3g",
		t.spec.Kind, how, was.Epochs, t.cfg.Epochs, t.state.Epoch+1, where, t.schedule.At(t.state.Step)))
	return nil
}

// LoadModel makes the model of a checkpoint with its weights, for evaluation and prediction. It returns the
// configuration of the run that made it as well.
func LoadModel(path string) (*nn.Model, Config, error) {
	c, err := weights.LoadCheckpoint(path)
	if err != nil {
		return nil, Config{}, err
	}
	return modelOf(path, c)
}

// SaveModel writes the weights of a model as a checkpoint that LoadModel reads, for models that were not trained here: c says how
// to make the network (Arch and its options, Input, Classes) and what it expects of pixels (Mean and Std, or RawPixels).
func SaveModel(path string, m *nn.Model, c Config) error {
	made, err := NewModel(c)
	if err != nil {
		return err
	}
	want, have := made.Weights(), m.Weights()
	same := len(want) == len(have)
	for i := range min(len(want), len(have)) {
		same = same && want[i].Name == have[i].Name && want[i].Shape.Eq(have[i].Shape)
	}
	if !same {
		return fmt.Errorf("train: the model %q is not what its configuration describes (%s)", m.Name(), c.Arch)
	}
	run, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("train: run configuration: %w", err)
	}
	file := &weights.Checkpoint{Arch: c.Arch, Metric: math.NaN(), Run: run}
	for _, n := range modelTensors(m, modelPrefix) {
		file.Tensors = append(file.Tensors, weights.Tensor{Name: n.Name, Shape: n.Shape, Data: n.Data})
	}
	return weights.SaveCheckpoint(path, file)
}

// configOf reads the configuration that a checkpoint carries.
func configOf(path string, c *weights.Checkpoint) (cfg Config, err error) {
	if err := json.Unmarshal(c.Run, &cfg); err != nil {
		return cfg, fmt.Errorf("train: %s: the run that made it is not described in a way this program knows: %w", path, err)
	}
	return cfg, nil
}

// ofThisRun refuses a checkpoint that another run made, such as one that was copied into the folder.
func (t *Trainer) ofThisRun(path string, c *weights.Checkpoint) error {
	cfg, err := configOf(path, c)
	if err != nil {
		return err
	}
	was, err := json.Marshal(cfg.identity())
	if err != nil {
		return err
	}
	is, err := json.Marshal(t.cfg.identity())
	if err != nil {
		return err
	}
	if string(was) == string(is) {
		return nil
	}
	var a, b map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(was, &a), json.Unmarshal(is, &b)); err != nil {
		return err
	}
	names := maps.Clone(a)
	maps.Copy(names, b)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if string(a[name]) != string(b[name]) { // what has its default may be left out
			return fmt.Errorf("train: %s was made by another run than the one in %s: %s is %.60s in it and %.60s here; move it elsewhere",
				path, t.cfg.Out, name, cmp.Or(string(a[name]), "left out"), cmp.Or(string(b[name]), "left out"))
		}
	}
	return fmt.Errorf("train: %s was made by another run than the one in %s; move it elsewhere", path, t.cfg.Out)
}

// modelOf makes the model of a checkpoint that was read from path.
func modelOf(path string, c *weights.Checkpoint) (*nn.Model, Config, error) {
	cfg, err := configOf(path, c)
	if err != nil {
		return nil, cfg, err
	}
	m, err := NewModel(cfg)
	if err == nil {
		err = fits(m, c)
	}
	if err == nil {
		err = m.Allocate(tensor.Float32)
	}
	if err == nil {
		err = weights.Assign(modelTensors(m, ""), c.Section(modelPrefix))
	}
	if err != nil {
		return nil, cfg, fmt.Errorf("train: %s: %w", path, err)
	}
	return m, cfg, nil
}

// fits refuses to make room for a network far larger than the file: a damaged description may be of any size.
func fits(m *nn.Model, c *weights.Checkpoint) error {
	const slack = 1 << 27 // numbers, for which there is room
	held := 0
	for _, t := range c.Section(modelPrefix) {
		n := 1
		for _, d := range t.Shape {
			n *= d
		}
		held += n
	}
	if total, _, _ := m.CountParams(); total > held+slack {
		return fmt.Errorf("the network that it describes has %d numbers, it holds %d; the file is damaged", total, held)
	}
	return nil
}

// LoadedRun is the model of a run.
type LoadedRun struct {
	Model  *nn.Model // with values
	Config Config    // of the run that made it
	Path   string    // the checkpoint that was read
	// Skipped says why each better or newer checkpoint could not be used, usually as *weights.CorruptError; it should be
	// shown to the user.
	Skipped []error
}

// LoadRun makes the model of the run in folder dir, from its best checkpoint, or from the newest sound one where no epoch
// is complete or the best cannot be read. A folder without a usable checkpoint is an error that wraps
// weights.ErrNoCheckpoint.
func LoadRun(dir string) (*LoadedRun, error) {
	dir = filepath.Join(dir, CheckpointDir)
	r := &LoadedRun{Path: filepath.Join(dir, weights.BestName)}
	c, err := weights.LoadCheckpoint(r.Path)
	if err != nil {
		found, none := weights.Latest(dir)
		if none != nil {
			return nil, none // it says what is wrong with the best one too
		}
		if !errors.Is(err, fs.ErrNotExist) {
			r.Skipped = append(r.Skipped, err)
		}
		r.Skipped = append(r.Skipped, found.Skipped...)
		r.Path, c = found.Path, found.Checkpoint
	}
	if r.Model, r.Config, err = modelOf(r.Path, c); err != nil {
		return nil, err
	}
	return r, nil
}
