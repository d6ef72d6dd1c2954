package train

import (
	"errors"
	"fmt"
	"reflect"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// Slots is the state of an optimizer: "<slot>/<weight>" → tensor, e.g. "momentum/conv2d/kernel".
type Slots map[string]*tensor.Dense

// NewSlots makes the state of opt for the trainable weights of m, all zero.
func NewSlots(m *nn.Model, opt Optimizer) Slots {
	s := Slots{}
	for _, w := range m.Weights() {
		if !w.Trainable {
			continue
		}
		for _, slot := range opt.Slots() {
			s[slot+"/"+w.Name] = tensor.New(tensor.WithShape(w.Shape...), tensor.Of(tensor.Float32))
		}
	}
	return s
}

// Step is a model compiled for one batch size, either to train or to evaluate. Steps of the same model share its
// weights and the optimizer's slots.
type Step struct {
	machine *graph.Machine
	images  []float32 // of a step on floats
	pixels  []byte    // of a step on raw batches, with draws
	draws   []int
	labels  []int
	lr      *gorgonia.F32 // nil in evaluation
	count   *gorgonia.I   // number of the step from 0, for dropout; nil when nothing is random
	t       *gorgonia.I   // number of the step from 1, for Adam

	labelNode *gorgonia.Node

	loss, top1, top5 *gorgonia.F32
}

// StepResult are the results of a step over its batch.
type StepResult struct {
	Loss       float64 // mean over the batch, L2 penalties included, as Keras reports it
	Top1, Top5 int     // images whose label is the best, among the five best
}

// NewTrainStep compiles a training step of m for batches of n images on engine e: loss, gradients, opt's updates of the
// weights and of slots (from NewSlots of the same model and optimizer), and the metrics. seed is that of dropout. Options are
// further ones of graph.Compile, such as graph.WithRecompute.
func NewTrainStep(e graph.Engine, m *nn.Model, opt Optimizer, slots Slots, n int, seed uint64, opts ...graph.Option) (*Step, error) {
	return newTrainStep(e, m, opt, slots, nil, n, seed, opts...)
}

// NewTrainStepFor is NewTrainStep for batches of n images of a loader, to be fed with FeedBatch. Of raw batches the device makes
// the images itself; they are those that the loader would have made, and so are the results, bit by bit on one engine.
func NewTrainStepFor(l *data.Loader, e graph.Engine, m *nn.Model, opt Optimizer, slots Slots, n int, seed uint64, opts ...graph.Option) (*Step, error) {
	return newTrainStep(e, m, opt, slots, augmentOf(l.Config()), n, seed, opts...)
}

// augmentOf is what makes images of the raw batches of a loader of configuration c, nil where it makes them itself.
func augmentOf(c data.LoaderConfig) *op.Augment {
	if !c.Raw {
		return nil
	}
	return &op.Augment{Padding: c.Augment.PadCrop, Mean: c.Normalize.Mean, Std: c.Normalize.Std}
}

func newTrainStep(e graph.Engine, m *nn.Model, opt Optimizer, slots Slots, raw *op.Augment, n int, seed uint64, opts ...graph.Option) (*Step, error) {
	s, net, cost, err := forward(m, raw, n, true, seed, false)
	if err != nil {
		return nil, err
	}
	updates, err := s.updates(net, cost, opt, slots)
	if err != nil {
		return nil, err
	}
	return s.compile(e, net, cost, updates, opts...)
}

// StepGraph returns the graph of the step that NewTrainStep compiles, and what to compile it with, for those who want to look
// at it: graph.PlanFor and graph.Compile take both. Weights and slots need no values and get none.
func StepGraph(m *nn.Model, opt Optimizer, n int, seed uint64) (*gorgonia.ExprGraph, []graph.Option, error) {
	return StepGraphFor(data.LoaderConfig{}, m, opt, n, seed)
}

// StepGraphFor is StepGraph for the step that NewTrainStepFor compiles for a loader of configuration c: of raw batches it makes the
// images itself.
func StepGraphFor(c data.LoaderConfig, m *nn.Model, opt Optimizer, n int, seed uint64) (*gorgonia.ExprGraph, []graph.Option, error) {
	s, net, cost, err := forward(m, augmentOf(c), n, true, seed, true)
	if err != nil {
		return nil, nil, err
	}
	updates, err := s.updates(net, cost, opt, nil)
	if err != nil {
		return nil, nil, err
	}
	outputs, err := s.outputs(net, cost)
	return net.Graph, []graph.Option{graph.WithOutputs(outputs...), graph.WithUpdates(updates...)}, err
}

// InferenceGraph returns the graph of m's inference for batches of n images, and what to compile it with, without values.
func InferenceGraph(m *nn.Model, n int) (*gorgonia.ExprGraph, []graph.Option, error) {
	g := gorgonia.NewGraph()
	net, err := m.Build(g, nn.BuildConfig{Batch: n, Dtype: tensor.Float32, ShapesOnly: true})
	if err != nil {
		return nil, nil, err
	}
	return g, []graph.Option{graph.WithOutputs(net.Output)}, nil
}

// updates adds the gradients of cost and opt's updates to the graph: those of the trainable weights and of slots, which have
// no values where slots is nil, and those of the layers.
func (s *Step) updates(net *nn.Net, cost *gorgonia.Node, opt Optimizer, slots Slots) ([]op.Update, error) {
	params := net.Trainable()
	grads, err := gorgonia.Grad(cost, params...)
	if err != nil {
		return nil, fmt.Errorf("train: the model cannot be differentiated: %w", err)
	}
	s.lr, s.t = gorgonia.NewF32(0), gorgonia.NewI(1)
	lr := gorgonia.NewScalar(net.Graph, tensor.Float32, gorgonia.WithName("learning_rate"), gorgonia.WithValue(s.lr))
	t := gorgonia.NewScalar(net.Graph, tensor.Int, gorgonia.WithName("iteration"), gorgonia.WithValue(s.t))
	updates := append([]op.Update(nil), net.Updates...)
	i := 0
	for _, p := range net.Params {
		if !p.Weight.Trainable {
			continue
		}
		var nodes []*gorgonia.Node
		for _, slot := range opt.Slots() {
			name := slot + "/" + p.Weight.Name
			o := []gorgonia.NodeConsOpt{gorgonia.WithShape(p.Weight.Shape...), gorgonia.WithName(name)}
			if slots != nil {
				o = append(o, gorgonia.WithValue(slots[name]))
			}
			nodes = append(nodes, gorgonia.NewTensor(net.Graph, tensor.Float32, len(p.Weight.Shape), o...))
		}
		u, err := opt.Updates(p.Node, grads[i], lr, t, nodes)
		if err != nil {
			return nil, fmt.Errorf("train: optimizer %s for %q: %w", opt.Name(), p.Weight.Name, err)
		}
		if c := p.Weight.Constraint; c != nil {
			for j := range u {
				if u[j].Target != p.Node {
					continue
				}
				if u[j].New, err = c.Project(u[j].New); err != nil {
					return nil, fmt.Errorf("train: constraint %s of %q: %w", c, p.Weight.Name, err)
				}
			}
		}
		updates = append(updates, u...)
		i++
	}
	return updates, nil
}

// NewEvalStep compiles the evaluation of m for batches of n images on engine e: loss and metrics, no update. Weights are expected to stay:
// what is made of them alone, such as filters with batch normalization folded in, is made in the first run and kept. Weights that are changed
// after it count after [Step.Refresh].
func NewEvalStep(e graph.Engine, m *nn.Model, n int) (*Step, error) {
	return newEvalStep(e, m, nil, n)
}

func newEvalStep(e graph.Engine, m *nn.Model, raw *op.Augment, n int) (*Step, error) {
	s, net, cost, err := forward(m, raw, n, false, 0, false)
	if err != nil {
		return nil, err
	}
	return s.compile(e, net, cost, nil)
}

// forward builds the graph up to the loss with its inputs: floats, or what raw makes them of; shapesOnly leaves inputs and weights
// without values.
func forward(m *nn.Model, raw *op.Augment, n int, training bool, seed uint64, shapesOnly bool) (*Step, *nn.Net, *gorgonia.Node, error) {
	g := gorgonia.NewGraph()
	in := append(tensor.Shape{n}, m.InputShape()...)
	s := &Step{}
	var x, labels *gorgonia.Node
	if raw == nil {
		x, s.images = input[float32](g, "images", shapesOnly, in...)
	} else {
		var pixels, draws *gorgonia.Node
		pixels, s.pixels = input[byte](g, "images", shapesOnly, in...)
		draws, s.draws = input[int](g, "draws", shapesOnly, n, 3)
		var err error
		if x, err = op.Apply(raw, pixels, draws); err != nil {
			return nil, nil, nil, err
		}
	}
	labels, s.labels = input[int](g, "labels", shapesOnly, n)
	net, err := m.Build(g, nn.BuildConfig{Batch: n, Input: x, Training: training, Dtype: tensor.Float32, Seed: seed, ShapesOnly: shapesOnly})
	if err != nil {
		return nil, nil, nil, err
	}
	if net.Step != nil {
		s.count = gorgonia.NewI(0)
		if err := gorgonia.Let(net.Step, s.count); err != nil {
			return nil, nil, nil, err
		}
	}
	cost, err := nn.SparseCategoricalCrossentropy(net.Output, labels)
	if err == nil && net.Penalty != nil {
		cost, err = op.Apply(&op.Add{}, cost, net.Penalty)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	s.labelNode = labels
	return s, net, cost, nil
}

// input makes an input of elements of type T and returns their memory, none of it if shapesOnly.
func input[T any](g *gorgonia.ExprGraph, name string, shapesOnly bool, shape ...int) (*gorgonia.Node, []T) {
	var values []T
	o := []gorgonia.NodeConsOpt{gorgonia.WithShape(shape...), gorgonia.WithName(name)}
	if !shapesOnly {
		values = make([]T, op.Len(shape))
		o = append(o, gorgonia.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))))
	}
	return gorgonia.NewTensor(g, tensor.Dtype{Type: reflect.TypeFor[T]()}, len(shape), o...), values
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
	opts = append([]graph.Option{graph.WithEngine(e), graph.WithOutputs(outputs...), graph.WithUpdates(updates...), graph.WithResident(net.Nodes()...)}, opts...)
	s.machine, err = graph.Compile(net.Graph, opts...)
	if err != nil {
		return nil, err
	}
	for i, to := range []**gorgonia.F32{&s.loss, &s.top1, &s.top5} {
		v, err := s.machine.Value(outputs[i])
		if err != nil {
			return nil, errors.Join(err, s.machine.Close())
		}
		*to = v.(*gorgonia.F32)
	}
	return s, nil
}
