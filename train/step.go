package train

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// Slots is the state of an optimizer: "<slot>/<weight>" → tensor, e.g. "momentum/conv2d/kernel".
type Slots map[string]*tensor.Dense

// NewSlots makes the state of opt for the trainable weights of m as it is before the first step. Where one of both is nil or cannot be
// used it is empty, and the step that it is given to says so.
func NewSlots(m *nn.Model, opt Optimizer) Slots {
	s := Slots{}
	if checkModel(m) != nil || checkOptimizer(opt) != nil {
		return s // the step says what is wrong
	}
	for _, w := range m.Weights() {
		if !w.Trainable {
			continue
		}
		for _, slot := range opt.Slots(w) {
			values := make([]float32, w.Shape.TotalSize())
			for i := range values {
				values[i] = float32(slot.Initial)
			}
			s[slot.Name+"/"+w.Name] = tensor.New(tensor.WithShape(w.Shape...), tensor.WithBacking(values))
		}
	}
	return s
}

// complete tells of a slot that opt wants and s has not: of another model, another optimizer, or before a layer was set free.
func (s Slots) complete(m *nn.Model, opt Optimizer) error {
	for _, w := range m.Weights() {
		if !w.Trainable {
			continue
		}
		for _, slot := range opt.Slots(w) {
			name := slot.Name + "/" + w.Name
			if have := s[name]; have == nil {
				return fmt.Errorf("train: the slots lack %q, which %s wants; make them with NewSlots of this model and optimizer, after Model.SetTrainable", name, opt.Name())
			} else if !have.Shape().Eq(w.Shape) {
				return fmt.Errorf("train: the slot %q has shape %v, its weight %v; make slots with NewSlots of this model", name, have.Shape(), w.Shape)
			} else if have.Dtype() != tensor.Float32 {
				return fmt.Errorf("train: the slot %q is of %v, expected float32; make slots with NewSlots of this model", name, have.Dtype())
			}
		}
	}
	return nil
}

// Step is a model compiled for one batch size, either to train or to evaluate. Steps of the same model share its
// weights and the optimizer's slots.
type Step struct {
	machine *graph.Machine
	images  []float32 // of a step on floats
	pixels  []byte    // of a step on raw batches, with draws
	index   []int     // of a step on a set that the device has, with draws
	draws   []int
	labels  []int
	others  []int         // labels of what is mixed in; nil without mixup
	share   *gorgonia.F32 // of the images themselves, with others
	weights []float32     // of the images in the loss; nil where there are none
	scalars *Scalars      // of the optimizer; nil in evaluation
	count   *gorgonia.I   // number of the step from 0, for dropout; nil when nothing is random

	sharedInputs gorgonia.Nodes // that other steps update
	constants    gorgonia.Nodes // the set that the device has

	since  int  // number of the step that is the optimizer's first
	shared bool // batch is the number of the one that is fed, from 0
	batch  int

	labelNode *gorgonia.Node

	lossValue, top1, top5 *gorgonia.F32

	scores []float32 // (n, classes) of a scored evaluation

	norms      []GradientNorm // of a step that has them, with their squares
	normNodes  gorgonia.Nodes
	normValues []*gorgonia.F32
}

// StepResult are the results of a step over its batch.
type StepResult struct {
	Loss       float64 // mean over the batch, L2 penalties included, as Keras reports it
	Top1, Top5 int     // images whose label is the best, among the five best; of mixed images the label with the larger share
}

// NewTrainStep compiles a training step of m for batches of n images on engine e: loss, gradients, opt's updates of the
// weights and of slots (from NewSlots of the same model and optimizer), and the metrics. seed is that of dropout. Options are
// further ones of graph.Compile, such as graph.WithRecompute.
func NewTrainStep(e graph.Engine, m *nn.Model, opt Optimizer, slots Slots, n int, seed uint64, opts ...graph.Option) (*Step, error) {
	return newTrainStep(e, m, opt, slots, stepKind{n: n, seed: seed}, opts...)
}

// NewWeightedTrainStep is NewTrainStep for a loss in which every image of a batch weighs as Weigh has told: the mean over the batch of
// weight times loss, as in Keras with sample_weight or class_weight. All weigh 1 at first. The accuracies count all images alike.
func NewWeightedTrainStep(e graph.Engine, m *nn.Model, opt Optimizer, slots Slots, n int, seed uint64, opts ...graph.Option) (*Step, error) {
	return newTrainStep(e, m, opt, slots, stepKind{n: n, seed: seed, weighted: true}, opts...)
}

// NewTrainStepFor is NewTrainStep for batches of n images of a loader, to be fed with FeedBatch. Of raw batches the device makes
// the images itself; they are those that the loader would have made, and so are the results, bit by bit on one engine. Where the loader's
// batches are Indexed, the device is given the whole set, once, and the set must not be changed while the step is there. Where the loader
// mixes images (data.Augment's Mixup), the loss is that of both labels, by their shares, and a batch is counted by the label of the larger one.
func NewTrainStepFor(l *data.Loader, e graph.Engine, m *nn.Model, opt Optimizer, slots Slots, n int, seed uint64, opts ...graph.Option) (*Step, error) {
	if l == nil {
		return nil, errNoLoader
	}
	return newTrainStep(e, m, opt, slots, stepKind{n: n, seed: seed, source: sourceOf(l)}, opts...)
}

// NewAccumulateStep compiles the step of a batch that is not the last of its update: it adds the gradients to the sums in slots, which the
// step of NewTrainStep takes into account, and changes no weight but the layers' running averages. l is the loader as of NewTrainStepFor,
// or nil. Tell both with Share what each batch is of its update before it is fed.
func NewAccumulateStep(l *data.Loader, e graph.Engine, m *nn.Model, opt Base, slots Slots, n int, seed uint64, opts ...graph.Option) (*Step, error) {
	if !opt.Accumulate {
		return nil, errors.New("train: gradients are accumulated by a Base optimizer with Accumulate set")
	}
	kind := stepKind{n: n, seed: seed, hold: true}
	if l != nil {
		kind.source = sourceOf(l)
	}
	return newTrainStep(e, m, opt, slots, kind, opts...)
}

func newTrainStep(e graph.Engine, m *nn.Model, opt Optimizer, slots Slots, kind stepKind, opts ...graph.Option) (*Step, error) {
	if err := errors.Join(checkModel(m), checkOptimizer(opt)); err != nil {
		return nil, err
	}
	if err := slots.complete(m, opt); err != nil {
		return nil, err
	}
	if kind.mixup && kind.weighted {
		return nil, errors.New("train: images that are mixed have two labels, and no weight of one: leave out the weights of images or classes, or Mixup")
	}
	s, net, cost, err := forward(m, kind)
	if err != nil {
		return nil, err
	}
	updates, err := s.updates(net, cost, opt, slots, kind)
	if err != nil {
		return nil, err
	}
	return s.compile(e, net, cost, updates, opts...)
}

// updates adds the gradients of cost and opt's updates to the graph: those of the trainable weights and of slots, which have
// no values where slots is nil, and those of the layers. With kind.hold, gradients are only added to their sums.
func (s *Step) updates(net *nn.Net, cost *gorgonia.Node, opt Optimizer, slots Slots, kind stepKind) ([]op.Update, error) {
	if len(net.Trainable()) == 0 {
		return nil, errors.New("train: no weight of the model is trained: it has none, or all of its layers are frozen; set some free with Model.SetTrainable(true, …)")
	}
	grads, err := gorgonia.Grad(cost, net.Trainable()...)
	if err != nil {
		return nil, fmt.Errorf("train: the model cannot be differentiated: %w", err)
	}
	s.scalars = NewScalars(net.Graph)
	ps := parameters(net, grads, opt, slots, s.scalars)
	for _, p := range ps {
		if kind.rate != nil {
			p.Scalars = s.scalars.times(kind.rate(p.Weight))
		}
	}
	if b, ok := opt.(Base); ok {
		s.sharedInputs = b.shared(ps)
	}
	if kind.norms {
		if err := s.squaredNorms(ps); err != nil {
			return nil, err
		}
	}
	updates, err := updatesOf(opt, ps, kind.hold)
	return append(append([]op.Update(nil), net.Updates...), updates...), err
}

// updatesOf are opt's updates of all parameters, or with hold those of the sums of their gradients.
func updatesOf(opt Optimizer, ps []*Parameter, hold bool) (updates []op.Update, err error) {
	if b, ok := opt.(Base); ok {
		if err := b.Check(); err != nil {
			return nil, err
		}
		held, err := b.prepare(ps, hold)
		if err != nil {
			return nil, fmt.Errorf("train: gradients: %w", err)
		}
		if hold {
			return held, nil
		}
	}
	for _, p := range ps {
		u, err := opt.Updates(p)
		if err != nil {
			return nil, fmt.Errorf("train: optimizer %s for %q: %w", opt.Name(), p.Weight.Name, err)
		}
		if err := constrain(p, u); err != nil {
			return nil, err
		}
		updates = append(updates, u...)
	}
	return updates, nil
}

// constrain applies a weight's constraint to its update, as Keras does after all else: averages are of what was before.
func constrain(p *Parameter, updates []op.Update) (err error) {
	c := p.Weight.Constraint
	if c == nil {
		return nil
	}
	for i, u := range updates {
		if u.Target != p.Variable {
			continue
		}
		if updates[i].New, err = c.Project(u.New); err != nil {
			return fmt.Errorf("train: constraint %s of %q: %w", c, p.Weight.Name, err)
		}
	}
	return nil
}

// outputs adds the metrics: loss, top-1 and top-5 are what a step is asked for.
func (s *Step) outputs(net *nn.Net, cost *gorgonia.Node) (gorgonia.Nodes, error) {
	nodes := gorgonia.Nodes{cost}
	for _, k := range []int{1, 5} {
		top, err := op.Apply(&op.TopKCorrect{K: k}, net.Logits, s.labelNode)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, top)
	}
	return nodes, nil
}

// compile adds the metrics and compiles what forward began.
func (s *Step) compile(e graph.Engine, net *nn.Net, cost *gorgonia.Node, updates []op.Update, opts ...graph.Option) (*Step, error) {
	outputs, err := s.outputs(net, cost)
	if err != nil {
		return nil, err
	}
	opts = append([]graph.Option{graph.WithEngine(e), graph.WithOutputs(append(outputs, s.normNodes...)...), graph.WithUpdates(updates...), graph.WithResident(net.Nodes()...),
		graph.WithConstants(s.constants...), graph.WithVariables(s.sharedInputs...)}, opts...)
	if s.scalars != nil {
		opts = append(opts, graph.WithUpdatesSince(s.scalars.LR))
	}
	s.machine, err = graph.Compile(net.Graph, opts...)
	if err != nil {
		return nil, err
	}
	for i, to := range []**gorgonia.F32{&s.lossValue, &s.top1, &s.top5} {
		v, err := s.machine.Value(outputs[i])
		if err != nil {
			return nil, errors.Join(err, s.machine.Close())
		}
		*to = v.(*gorgonia.F32)
	}
	if err := s.bindNorms(); err != nil {
		return nil, errors.Join(err, s.machine.Close())
	}
	return s, nil
}
