package gradients

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// Progress is where an experiment stands.
type Progress struct {
	Step, Steps int // steps done
	Plain       float64
	Residual    float64       // losses of the step
	Remaining   time.Duration // 0 while it is unknown
}

// Run trains both networks on the training images of split, which are standardised, and reports after every step; observe may be nil. When
// ctx ends, or a loss is not finite any more, the report holds what was done until then and the error is train.ErrInterrupted or a
// *[DivergedError]; before the first step there is no report.
func Run(ctx context.Context, c Config, split *data.Split, e graph.Engine, observe func(Progress)) (report *Report, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if split == nil || split.Train == nil {
		return nil, errors.New("gradients: an experiment needs training images")
	}
	d := split.Train
	c.Batch = min(c.Batch, d.Len())
	loader, err := data.NewLoader(d, data.LoaderConfig{Batch: c.Batch, Seed: c.Seed, Shuffle: true, Normalize: data.Standardize(d), DropLast: true, Raw: graph.IsRemote(e)})
	if err != nil {
		return nil, err
	}
	r := &Report{Config: c, Data: split.Title, Engine: fmt.Sprint(e)}
	step := train.StepConfig{Images: c.Batch, Seed: c.Seed, Loader: loader, GradientNorms: true}
	var steps [2]*train.Step
	defer func() {
		for _, s := range steps {
			if s != nil {
				err = errors.Join(err, s.Close())
			}
		}
	}()
	for i, plain := range []bool{true, false} {
		m, err := c.network(plain, nn.Shape(d.Shape[:]), len(d.Classes)).Model()
		if err != nil {
			return nil, err
		}
		if err := m.Initialize(c.Seed, tensor.Float32); err != nil {
			return nil, err
		}
		opt, err := c.optimizer()
		if err != nil {
			return nil, err
		}
		if steps[i], err = train.NewConfiguredStep(e, m, opt, train.NewSlots(m, opt), step); err != nil {
			return nil, err
		}
		r.Nets = append(r.Nets, newNet(m, plain))
	}
	if err := r.train(ctx, loader, steps, observe); err != nil {
		if len(r.Nets[0].Loss) == 0 {
			return nil, errors.Join(ErrNothing, err)
		}
		return r, err
	}
	return r, nil
}

// DivergedError says that a network's loss, or the norm of a gradient, is not finite any more.
type DivergedError struct {
	Network string
	Step    int     // from 1
	Loss    float64 // where it is the loss
	Weight  string  // whose gradient it is; "" where it is the loss
}

// Error says where it happened and what to change.
func (e *DivergedError) Error() string {
	what := fmt.Sprintf("the loss of %s became %v", e.Network, e.Loss)
	if e.Weight != "" {
		what = fmt.Sprintf("the gradient of %s of %s became too large to measure", e.Weight, e.Network)
	}
	return fmt.Sprintf("gradients: %s at step %d; lower --lr, or take --batch-norm or another --init", what, e.Step)
}

// train does the steps, of both networks on each batch.
func (r *Report) train(ctx context.Context, l *data.Loader, steps [2]*train.Step, observe func(Progress)) error {
	begin, step := time.Now(), 0
	for epoch := 0; step < r.Config.Steps; epoch++ {
		it := l.Epoch(epoch, 0)
		for step < r.Config.Steps && it.Next(context.Background()) {
			if err := r.step(it.Batch(), steps, step); err != nil {
				return errors.Join(err, it.Close())
			}
			step++
			if observe != nil {
				n := len(r.Nets[0].Loss)
				left := time.Since(begin) / time.Duration(step) * time.Duration(r.Config.Steps-step)
				observe(Progress{Step: step, Steps: r.Config.Steps, Plain: r.Nets[0].Loss[n-1], Residual: r.Nets[1].Loss[n-1], Remaining: left})
			}
			if ctx.Err() != nil && step < r.Config.Steps {
				return errors.Join(train.ErrInterrupted, r.look(steps, step-1), it.Close())
			}
		}
		if err := errors.Join(it.Err(), it.Close()); err != nil {
			return err
		}
	}
	return nil
}

// step is one step of both.
func (r *Report) step(b *data.Batch, steps [2]*train.Step, i int) error {
	var losses [2]float64
	for k, s := range steps {
		result, err := s.RunBatch(b, r.Config.LR, i)
		if err != nil {
			return err
		}
		if losses[k] = result.Loss; math.IsNaN(result.Loss) || math.IsInf(result.Loss, 0) {
			return &DivergedError{Network: r.Nets[k].Name, Step: i + 1, Loss: result.Loss}
		}
	}
	if i%r.Config.Every == 0 || i == r.Config.Steps-1 {
		if err := r.look(steps, i); err != nil {
			return err
		}
	}
	for k := range steps {
		r.Nets[k].Loss = append(r.Nets[k].Loss, losses[k])
	}
	return nil
}

// look records the norms of step i, unless they are there, or of either network one is not finite: no picture has a place for it.
func (r *Report) look(steps [2]*train.Step, i int) error {
	var looks [2]Norms
	for k, s := range steps {
		looks[k].Step = i + 1
		for _, g := range s.GradientNorms() {
			if math.IsNaN(g.Norm) || math.IsInf(g.Norm, 0) {
				return &DivergedError{Network: r.Nets[k].Name, Step: i + 1, Weight: g.Weight}
			}
			looks[k].Norms = append(looks[k].Norms, g.Norm)
		}
	}
	for k := range r.Nets {
		n := &r.Nets[k]
		if len(n.Norms) == 0 || n.Norms[len(n.Norms)-1].Step != i+1 {
			n.Norms = append(n.Norms, looks[k])
		}
	}
	return nil
}
