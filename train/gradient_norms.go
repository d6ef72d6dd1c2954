package train

import (
	"errors"
	"fmt"
	"math"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// GradientNorm is how long the gradient of a weight is.
type GradientNorm struct {
	Weight string  // its name, such as "conv1/kernel"
	Norm   float64 // √Σg² of the loss's gradient, L2 penalties included, before any clipping
}

// GradientNorms reports the L2 norms of the gradients of all trainable weights while a run trains: Config.GradientNorms. The norms are
// further results of the training step, one number each; a run without them computes nothing and keeps nothing for them.
type GradientNorms struct {
	// Every is how many updates lie between two reports; 0 means 1. The first update is reported.
	Every int
	// Report gets the number of the update, from 0, and the norms in the order of the model's weights. Both are valid
	// until it returns. An error ends the run. With Config.Accumulate, the norms are those of the update's last batch by itself.
	Report func(step int, norms []GradientNorm) error
}

// check refuses what cannot be called.
func (g *GradientNorms) check() error {
	switch {
	case g == nil:
		return nil
	case g.Report == nil:
		return errors.New("train: GradientNorms without a Report; set it to the function that gets the norms, or leave GradientNorms nil")
	case g.Every < 0:
		return fmt.Errorf("train: GradientNorms.Every is %d; it must be at least 1, or 0 for every step", g.Every)
	}
	return nil
}

// GradientNorms are the norms of the latest step's gradients, of a step with StepConfig.GradientNorms; nil of others. They are
// overwritten by the next call.
func (s *Step) GradientNorms() []GradientNorm {
	for i := range s.norms {
		s.norms[i].Norm = math.Sqrt(float64(*s.normValues[i]))
	}
	return s.norms
}

// squaredNorms adds Σg² of every parameter to the graph.
func (s *Step) squaredNorms(ps []*Parameter) error {
	for _, p := range ps {
		n, err := squares(op.Of(p.Gradient)).Node()
		if err != nil {
			return fmt.Errorf("train: norm of the gradient of %q: %w", p.Weight.Name, err)
		}
		s.norms = append(s.norms, GradientNorm{Weight: p.Weight.Name})
		s.normNodes = append(s.normNodes, n)
	}
	return nil
}

// bindNorms finds where the compiled step leaves them.
func (s *Step) bindNorms() error {
	for _, n := range s.normNodes {
		v, err := s.machine.Value(n)
		if err != nil {
			return err
		}
		f, ok := v.(*gorgonia.F32)
		if !ok {
			return fmt.Errorf("train: the norm of a gradient is a %T, expected a float32 scalar", v)
		}
		s.normValues = append(s.normValues, f)
	}
	return nil
}

// reportNorms reports those of a batch that is finished, the last one of its update.
func (t *Trainer) reportNorms(s *Step) error {
	g := t.cfg.GradientNorms
	step := t.state.Step - 1
	if g == nil || step%max(g.Every, 1) != 0 {
		return nil
	}
	return g.Report(step, s.GradientNorms())
}
