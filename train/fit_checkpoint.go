package train

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/stheno-ml/stheno/weights"
)

// fitArch is the architecture that checkpoints of a Fitter name: they know weights, not networks.
const fitArch = "fit"

// bestPrefix begins the names of the best epoch's weights in a checkpoint. Package convert sets them aside.
const bestPrefix = "best_epoch/"

// tensors are those of a checkpoint, as far as they are; the data is shared.
func (f *Fitter) tensors() (out []weights.NamedTensor) {
	for _, m := range f.models() {
		out = append(out, modelTensors(m, modelPrefix)...)
	}
	for _, part := range []struct {
		prefix string
		slots  Slots
	}{{"optimizer/", f.Slots}, {bestPrefix, f.state.weights}} {
		for _, name := range slices.Sorted(maps.Keys(part.slots)) {
			t := part.slots[name]
			out = append(out, weights.NamedTensor{Name: part.prefix + name, Shape: t.Shape(), Data: t.Data()})
		}
	}
	return out
}

// Save writes the weights, the optimizer's state and how far Fit has come, as a checkpoint that Load reads: between calls, or in OnEpoch. A
// weight that is not finite is a *[DivergedError]; after it and after every other error the file that was there before is there still. Only what OnEpoch saves
// continues bit for bit where EarlyStop.Restore sets the weights back at the end. convert.Load takes the weights out of the file, too.
func (f *Fitter) Save(path string) error {
	if err := f.check(true); err != nil {
		return err
	}
	if err := f.sync(); err != nil {
		return err
	}
	state, err := json.Marshal(f.state)
	if err != nil {
		return fmt.Errorf("train: state: %w", err)
	}
	c := &weights.Checkpoint{Arch: fitArch, Step: int64(f.state.Step), Metric: math.NaN(), State: state}
	for _, n := range f.tensors() {
		if v, ok := firstNonFinite(n.Data.([]float32)); ok {
			return &DivergedError{Epoch: f.state.Epoch, Step: f.state.Step, What: n.Name, Value: float64(v)}
		}
		c.Tensors = append(c.Tensors, weights.Tensor{Name: n.Name, Shape: n.Shape, Data: n.Data})
	}
	return weights.SaveCheckpoint(path, c)
}

// Load takes up where a Fitter with the same models, optimizer and settings was when it was saved: Fit goes on with the epoch after, bit for bit on
// one engine. Models need values, which are overwritten. A file of another model or optimizer is a *weights.MismatchError, a damaged one a
// *weights.CorruptError, one of something else an *[ArgumentError], and nothing is changed.
func (f *Fitter) Load(path string) error {
	if err := f.check(true); err != nil {
		return err
	}
	c, err := weights.LoadCheckpoint(path)
	if err != nil {
		return err
	}
	var state fitState
	if err := json.Unmarshal(c.State, &state); err != nil || c.Arch != fitArch {
		return &ArgumentError{path, fmt.Sprintf("is a checkpoint of %q, not of a Fitter", c.Arch), "take its weights with convert.Load"}
	}
	if state.Plateau == nil { // saved before the first epoch
		state.Plateau = &PlateauState{}
	}
	was := f.state
	f.state = state
	if len(c.Section(bestPrefix)) > 0 {
		f.keepWeights()
	}
	if err := c.Assign(fitArch, f.tensors()); err != nil {
		f.state = was
		return fmt.Errorf("train: %s: %w", path, err)
	}
	return f.refresh()
}
