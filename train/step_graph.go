package train

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// StepGraph returns the graph of the step that NewTrainStep compiles, and what to compile it with, for those who want to look
// at it: graph.PlanFor and graph.Compile take both. Weights and slots need no values and get none.
func StepGraph(m *nn.Model, opt Optimizer, n int, seed uint64) (*gorgonia.ExprGraph, []graph.Option, error) {
	return StepGraphFor(data.LoaderConfig{}, m, opt, n, seed)
}

// StepGraphFor is StepGraph for the step that NewTrainStepFor compiles for a loader of configuration c: of raw batches it makes the
// images itself. It takes Indexed batches as batches with pixels: of a configuration it is not known how many images the set has.
func StepGraphFor(c data.LoaderConfig, m *nn.Model, opt Optimizer, n int, seed uint64) (*gorgonia.ExprGraph, []graph.Option, error) {
	c.Indexed = false
	return stepGraph(m, opt, stepKind{n: n, source: source{raw: augmentOf(c), mixup: c.Augment.Mixup > 0}, seed: seed})
}

// RunStepGraph is StepGraphFor for the step of a full batch that a run of configuration c compiles, with its loss, optimizer, augmentation
// and recomputation; where gradients are accumulated, for the last batch of an update. c's Input, Classes, Mean and Std say what New would
// find in the data set, and m is the model, NewModel's or another one for such images. raw says that the engine is fed with bytes, as one with a memory
// of its own is (graph.IsRemote).
func RunStepGraph(c Config, m *nn.Model, raw bool) (*gorgonia.ExprGraph, []graph.Option, error) {
	opt, err := NewOptimizer(c)
	if err != nil {
		return nil, nil, err
	}
	loss, err := c.LossFunction()
	if err != nil {
		return nil, nil, err
	}
	again, err := c.CompileOptions()
	if err != nil {
		return nil, nil, err
	}
	if err := c.checkAugment(c.Input); err != nil {
		return nil, nil, err
	}
	if err := c.feedRaw(m); err != nil {
		return nil, nil, err
	}
	files := c.Data == data.FolderName
	l := c.trainingLoader(files, raw)
	kind := stepKind{n: c.Batch, seed: c.Seed, loss: loss, weighted: c.ClassWeight != ""}
	kind.mixup = c.Mixup > 0
	if err := c.freeze(m); err != nil {
		return nil, nil, err
	}
	kind.rate = c.rates(m)
	if files {
		kind.crop = cropOfPictures(l, &data.Dataset{Shape: c.Input, Files: &data.Files{}})
	} else {
		kind.raw = augmentOf(l)
	}
	g, o, err := stepGraph(m, opt, kind)
	return g, append(o, again...), err
}

// stepGraph is the graph of a training step without values.
func stepGraph(m *nn.Model, opt Optimizer, kind stepKind) (*gorgonia.ExprGraph, []graph.Option, error) {
	if err := checkOptimizer(opt); err != nil {
		return nil, nil, err
	}
	kind.shapesOnly = true
	s, net, cost, err := forward(m, kind)
	if err != nil {
		return nil, nil, err
	}
	updates, err := s.updates(net, cost, opt, nil, kind)
	if err != nil {
		return nil, nil, err
	}
	outputs, err := s.outputs(net, cost)
	return net.Graph, []graph.Option{graph.WithOutputs(outputs...), graph.WithUpdates(updates...), graph.WithResident(net.Nodes()...), graph.WithUpdatesSince(s.scalars.LR),
		graph.WithVariables(s.sharedInputs...)}, err
}

// InferenceGraph returns the graph of m's inference for batches of n images, and what to compile it with, without values.
func InferenceGraph(m *nn.Model, n int) (*gorgonia.ExprGraph, []graph.Option, error) {
	g := gorgonia.NewGraph()
	net, err := m.Build(g, nn.BuildConfig{Batch: n, Dtype: tensor.Float32, ShapesOnly: true})
	if err != nil {
		return nil, nil, err
	}
	return g, []graph.Option{graph.WithOutputs(net.Outputs...)}, nil
}

// forward builds the graph up to the loss with its inputs: floats, or what kind.raw makes them of.
func forward(m *nn.Model, kind stepKind) (*Step, *nn.Net, *gorgonia.Node, error) {
	if err := errors.Join(checkOne(m), checkBatch(kind.n)); err != nil {
		return nil, nil, nil, err
	}
	g, n := gorgonia.NewGraph(), kind.n
	in := append(tensor.Shape{n}, m.InputShape()...)
	s := &Step{}
	var x, labels *gorgonia.Node
	var err error
	switch {
	case kind.crop != nil:
		x, err = s.cropped(g, in, kind)
	case kind.raw != nil:
		x, err = s.made(g, in, kind)
	default:
		x, s.images = input[float32](g, "images", kind.shapesOnly, in...)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	labels, s.labels = input[int](g, "labels", kind.shapesOnly, n)
	net, err := m.Build(g, nn.BuildConfig{Batch: n, Input: x, Training: !kind.evaluation, Dtype: tensor.Float32, Seed: kind.seed, ShapesOnly: kind.shapesOnly})
	if err != nil {
		return nil, nil, nil, err
	}
	if net.Step != nil {
		s.count = gorgonia.NewI(0)
		if err := gorgonia.Let(net.Step, s.count); err != nil {
			return nil, nil, nil, err
		}
	}
	loss, err := s.mixedLoss(net, labels, kind)
	if err != nil {
		return nil, nil, nil, err
	}
	cost, err := net.Cost(loss)
	if err != nil {
		return nil, nil, nil, err
	}
	s.labelNode = labels
	return s, net, cost, nil
}

// made are the images that kind.raw makes of bytes: those of a batch, or those of a set that an index names.
func (s *Step) made(g *gorgonia.ExprGraph, batch tensor.Shape, kind stepKind) (*gorgonia.Node, error) {
	var pixels *gorgonia.Node
	draws, numbers := input[int](g, "draws", kind.shapesOnly, batch[0], kind.raw.Numbers())
	s.draws = numbers
	if kind.set == nil {
		pixels, s.pixels = input[byte](g, "images", kind.shapesOnly, batch...)
		return op.Apply(kind.raw, pixels, draws)
	}
	all := append(tensor.Shape{kind.set.Len()}, kind.set.Shape[:]...)
	if !slices.Equal(all[1:], batch[1:]) {
		return nil, fmt.Errorf("train: the model takes images of %v, those of %s are of %v", batch[1:], kind.set.Name, all[1:])
	}
	pixels = gorgonia.NewTensor(g, tensor.Uint8, len(all), gorgonia.WithShape(all...), gorgonia.WithName("images"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(all...), tensor.WithBacking(kind.set.Images))))
	s.constants = gorgonia.Nodes{pixels}
	index, numbers := input[int](g, "index", kind.shapesOnly, batch[0])
	s.index = numbers
	return op.Apply(kind.raw, pixels, draws, index)
}

// mixedLoss is the loss, where images are mixed that of both labels by their shares: λ·loss(labels) + (1−λ)·loss(others), written with
// one product.
func (s *Step) mixedLoss(net *nn.Net, labels *gorgonia.Node, kind stepKind) (*gorgonia.Node, error) {
	loss, err := s.loss(net, labels, kind)
	if err != nil || !kind.mixup || kind.evaluation {
		return loss, err
	}
	labels, s.others = input[int](net.Graph, "mixed_labels", kind.shapesOnly, kind.n)
	other, err := s.loss(net, labels, kind)
	if err != nil {
		return nil, err
	}
	s.share = gorgonia.NewF32(1)
	share := gorgonia.NewScalar(net.Graph, gorgonia.Float32, gorgonia.WithName("mixup_share"), gorgonia.WithValue(s.share))
	return op.Of(loss).Sub(op.Of(other)).Mul(op.Of(share)).Add(op.Of(other)).Node()
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
