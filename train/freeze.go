package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/stheno-ml/stheno/internal/host"
	"github.com/stheno-ml/stheno/internal/thousands"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// Values of Config.Freeze besides patterns of layers.
const (
	FreezeBackbone = "backbone"
	FreezeNone     = "none"
)

// checkFreeze refuses what cannot be whatever the network is.
func (c Config) checkFreeze() error {
	switch {
	case c.UnfreezeAt < 0 || c.UnfreezeAt == 1:
		return fmt.Errorf("train: --unfreeze-at wants an epoch of at least 2, as those before are trained with --freeze, or 0, got %d", c.UnfreezeAt)
	case c.UnfreezeAt > 0 && (c.Freeze == "" || c.Freeze == FreezeNone):
		return errors.New("train: --unfreeze-at goes with --freeze, which says what is frozen before")
	case c.UnfreezeAt > 0 && c.EMA > 0:
		return errors.New("train: give --unfreeze-at or --ema, but not both: averages of frozen weights have no beginning; train in two runs, the second with --weights")
	case !(c.HeadRate >= 0) || math.IsInf(c.HeadRate, 0):
		return fmt.Errorf("train: --head-lr-factor wants a number above 0, or 0 for 1, got %v", c.HeadRate)
	case c.Reinit != "" && c.Weights == "":
		return errors.New("train: --reinit goes with --weights: without them all layers have initial values")
	}
	return nil
}

// freeze freezes the layers of a model that Freeze says.
func (c Config) freeze(m *nn.Model) error {
	switch c.Freeze {
	case "":
	case FreezeNone:
		if err := m.SetTrainable(true); err != nil {
			return err
		}
	case FreezeBackbone:
		head, err := m.Classifier()
		if err != nil {
			return fmt.Errorf("train: --freeze %s: %w; or name the layers to freeze", FreezeBackbone, err)
		}
		free := []string{pattern(head)}
		if c.Reinit != "" {
			free = append(free, slices.DeleteFunc(patterns(c.Reinit), func(p string) bool { return p == reinitHead })...)
		}
		if err := m.SetTrainable(false); err != nil {
			return err
		}
		if err := m.SetTrainable(true, free...); err != nil {
			return noLayer("--reinit", err)
		}
	default:
		named, err := m.WeightsOf(patterns(c.Freeze)...)
		if err != nil {
			return noLayer("--freeze", err)
		}
		if len(named) == 0 {
			return fmt.Errorf("train: --freeze %s names layers without weights, so that nothing is frozen; stheno summary lists the layers and their numbers of parameters", c.Freeze)
		}
		if err := m.SetTrainable(false, patterns(c.Freeze)...); err != nil {
			return noLayer("--freeze", err)
		}
	}
	if c.HeadRate != 0 {
		if _, err := m.Classifier(); err != nil {
			return fmt.Errorf("train: --head-lr-factor: %w", err)
		}
	}
	if _, trainable, _ := m.CountParams(); trainable == 0 {
		if c.Freeze == "" {
			return fmt.Errorf("train: all layers of the network are frozen in its file, so that nothing is left to train; --freeze %s sets them free, --freeze %s all but the classifier's", FreezeNone, FreezeBackbone)
		}
		return fmt.Errorf("train: --freeze %s freezes all that the network could learn, so that nothing is left to train; --freeze %s leaves the classifier out", c.Freeze, FreezeBackbone)
	}
	return nil
}

// noLayer is the error for a pattern of a flag, with a remedy for those who have no model to ask.
func noLayer(flag string, err error) error {
	if e, ok := errors.AsType[*nn.Error](err); ok {
		own := *e
		own.Remedy = "stheno summary lists the names of the layers"
		err = &own
	}
	return fmt.Errorf("train: %s: %w", flag, err)
}

// rates is what the learning rate is multiplied by for each weight of m, nil for 1.
func (c Config) rates(m *nn.Model) func(*nn.Weight) float64 {
	if c.HeadRate == 0 || c.HeadRate == 1 {
		return nil
	}
	head, again, err := c.fresh(m)
	if err != nil { // freeze has said so
		return nil
	}
	return func(w *nn.Weight) float64 {
		if slices.Contains(head, w) || slices.Contains(again, w) {
			return c.HeadRate
		}
		return 1
	}
}

// closeSteps frees the compiled steps of training.
func (t *Trainer) closeSteps() error {
	var errs []error
	for _, s := range t.steps {
		errs = append(errs, s.Close())
	}
	t.steps = map[stepKey]*Step{}
	return errors.Join(errs...)
}

// compileUnfrozen looks whether the steps of the epochs after UnfreezeAt, which take more memory, can be compiled: a run is not to fail in its middle.
func (t *Trainer) compileUnfrozen() (err error) {
	if t.cfg.UnfreezeAt == 0 || t.cfg.UnfreezeAt > t.cfg.Epochs {
		return nil
	}
	frozen, slots := t.model, t.slots
	defer func() { t.model, t.slots = frozen, slots }()
	if t.model, err = NewModel(t.cfg); err != nil {
		return err
	}
	for i, w := range t.model.Weights() {
		w.Value = frozen.Weights()[i].Value
	}
	if err := t.model.SetTrainable(true); err != nil {
		return err
	}
	if err := fitsMemory(t.model, t.opt, t.cfg.SWA > 0, int64(host.Memory())); err != nil {
		return err
	}
	t.slots = NewSlots(t.model, t.opt)
	if err := t.compile(); err != nil {
		return errors.Join(err, t.closeSteps())
	}
	return t.closeSteps()
}

// unfreeze sets all layers free when the epoch for it begins.
func (t *Trainer) unfreeze() error {
	if at := t.cfg.UnfreezeAt; at == 0 || t.state.Unfrozen > 0 || t.state.Epoch+1 < at {
		return nil
	}
	if err := t.finishProfile(); err != nil { // of the steps that go
		return err
	}
	if err := t.setFree(t.state.Step); err != nil {
		return err
	}
	_, n, _ := t.model.CountParams()
	t.observer.Note(fmt.Sprintf("epoch %d: all layers are trained from now on, %s parameters; the optimizer begins anew", t.state.Epoch+1, thousands.Format(n)))
	return nil
}

// setFree sets all layers free after so many steps. The optimizer's state is new: what it kept of the classifier is of another problem, as it
// is where Keras compiles a model again.
func (t *Trainer) setFree(steps int) error {
	if err := t.sync(); err != nil {
		return err
	}
	if err := t.closeSteps(); err != nil {
		return err
	}
	if err := t.model.SetTrainable(true); err != nil {
		return err
	}
	t.slots = NewSlots(t.model, t.opt)
	t.state.Unfrozen = steps
	return t.compile()
}

// resumeUnfrozen brings a resumed run to where the checkpoint was written, if that was behind UnfreezeAt.
func (t *Trainer) resumeUnfrozen(c *weights.Checkpoint) error {
	var s State
	if err := json.Unmarshal(c.State, &s); err != nil || s.Unfrozen <= 0 || t.cfg.UnfreezeAt == 0 {
		return nil // resume says what is wrong
	}
	return t.setFree(s.Unfrozen)
}
