package train

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// FitGraph is a network in a Gorgonia graph, with as many inputs, targets and outputs as it has, as Fitter.Build makes it.
type FitGraph struct {
	Inputs  gorgonia.Nodes // that batches of Arrays.Inputs are bound to: (batch, …), float32 or int
	Targets gorgonia.Nodes // that batches of Arrays.Targets are bound to
	// Weights is what the loss weighs samples with, (batch,) float32, to be handed to nn.Loss's Reduced; nil where it does not.
	Weights *gorgonia.Node
	// TargetWeights are such nodes of the losses of each of Targets, for Arrays.TargetWeights; Weights may be nil then.
	TargetWeights gorgonia.Nodes
	// Nets are the models that the network is made of. One that is there several times shares its weights, and its penalty counts once; in training
	// that is refused where it updates weights itself, as batch normalization does: one model may have it in several places, see nn.Builder.Share.
	Nets []*nn.Net
	Loss *gorgonia.Node // a scalar, to be minimised; penalties of the models are added
	// Losses are scalars that FitEpoch tells the means of, such as what Loss is the sum of; none by default.
	Losses  gorgonia.Nodes
	Outputs gorgonia.Nodes // what Predict returns and Fitter.Observe is handed: (batch, …) float32
}

// losses are those of the outputs of Model, nil where one has none.
func (f *Fitter) losses() []nn.Loss {
	if f.Losses != nil {
		return f.Losses
	}
	l := f.Loss
	if isNil(l) {
		l = nn.SparseCategoricalCrossentropyLoss{}
	}
	return slices.Repeat([]nn.Loss{l}, len(f.Model.Outputs()))
}

// checkLosses looks at what a model of several outputs learns.
func (f *Fitter) checkLosses() error {
	if f.Losses == nil && f.LossWeights == nil {
		return nil
	}
	wrong := func(field, problem, remedy string) error { return &ArgumentError{"Fitter." + field, problem, remedy} }
	if f.Model == nil {
		return wrong("Losses", "or LossWeights is set beside Build", "have Build return the losses in FitGraph.Loss and FitGraph.Losses")
	}
	outputs := len(f.Model.Outputs())
	switch {
	case f.Losses != nil && !isNil(f.Loss):
		return wrong("Losses", "is set beside Loss", "give one of them: Loss is that of every output")
	case f.Losses != nil && len(f.Losses) != outputs:
		return wrong("Losses", fmt.Sprintf("has %d losses, the model has %d outputs", len(f.Losses), outputs), "give one for each output, nil for one that is not to learn")
	case f.Losses != nil && !slices.ContainsFunc(f.Losses, func(l nn.Loss) bool { return !isNil(l) }):
		return wrong("Losses", "are all nil", "give one of the outputs a loss")
	case f.LossWeights != nil && len(f.LossWeights) != outputs:
		return wrong("LossWeights", fmt.Sprintf("has %d numbers, the model has %d outputs", len(f.LossWeights), outputs), "give one for each output, or nil")
	}
	for i, w := range f.LossWeights {
		if w != w || math.IsInf(float64(w), 0) {
			return wrong("LossWeights", fmt.Sprintf("has %v for output %d, expected a finite number", w, i), "")
		}
	}
	return nil
}

// build is the graph of one model and the losses of its outputs.
func (f *Fitter) build(g *gorgonia.ExprGraph, batch int, training bool) (*FitGraph, error) {
	net, err := f.Model.Build(g, nn.BuildConfig{Batch: batch, Training: training, Seed: f.Seed, Dtype: tensor.Float32})
	if err != nil {
		return nil, err
	}
	made := &FitGraph{Inputs: net.Inputs, Nets: []*nn.Net{net}, Outputs: net.Outputs}
	several := len(net.Outputs) > 1
	for i, loss := range f.losses() {
		if isNil(loss) {
			continue
		}
		s, dt, name := net.Outputs[i].Shape(), tensor.Float32, "fit/target"
		of := "fit/sample_weight"
		if sparse(loss) {
			s, dt = s[:len(s)-1], tensor.Int
		}
		if i > 0 {
			name, of = fmt.Sprintf("%s_%d", name, i), fmt.Sprintf("%s_%d", of, i)
		}
		target := gorgonia.NewTensor(g, dt, len(s), gorgonia.WithShape(s...), gorgonia.WithName(name))
		weights := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(batch), gorgonia.WithName(of))
		cost, err := loss.Reduced(net.Outputs[i], target, weights)
		if err != nil {
			return nil, err
		}
		made.Targets = append(made.Targets, target)
		if several {
			made.TargetWeights, made.Losses = append(made.TargetWeights, weights), append(made.Losses, cost)
		} else {
			made.Weights = weights
		}
		term := op.Of(cost)
		if f.LossWeights != nil && f.LossWeights[i] != 1 {
			term = term.Mul(op.Number(float64(f.LossWeights[i])))
		}
		if made.Loss != nil {
			term = op.Of(made.Loss).Add(term)
		}
		if made.Loss, err = term.Node(); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// sparse says whether a loss takes class numbers.
func sparse(l nn.Loss) bool {
	switch l := l.(type) {
	case nn.SparseCategoricalCrossentropyLoss, *nn.SparseCategoricalCrossentropyLoss, nn.SparseCategoricalFocalCrossentropy, *nn.SparseCategoricalFocalCrossentropy:
		return true
	case nn.LossFunc:
		return l.Sparse
	case *nn.LossFunc:
		return l.Sparse
	}
	return false
}

// fitKey is what the compiled graphs of a fitter differ in.
type fitKey struct {
	batch    int
	training bool
}

// fitStep is a compiled graph.
type fitStep struct {
	machine         *graph.Machine
	used            int // Fitter.used when it was last
	inputs, targets *feeder
	weights         []float32
	targetWeights   [][]float32
	steps           []*gorgonia.I // that dropout draws by
	scalars         *Scalars      // of the optimizer, nil in evaluation
	loss            *gorgonia.F32
	losses          []*gorgonia.F32
	outputs         []*tensor.Dense // nil in training
}

// maxFitSteps is how many compiled graphs a fitter keeps, each with memory of its own: more than the six that fit, evaluate and predict
// alternate between with one training and one validation set.
const maxFitSteps = 8

// step compiles the graph for a batch size, once. It forgets the one that has not been used for longest where there are many.
func (f *Fitter) step(key fitKey) (*fitStep, error) {
	f.used++
	if s := f.steps[key]; s != nil {
		s.used = f.used
		return s, nil
	}
	if len(f.steps) >= maxFitSteps {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(f.steps)), func(a, b fitKey) int { return f.steps[a].used - f.steps[b].used })
		err := f.steps[oldest].machine.Close() // the weights of the device are in their tensors then
		if delete(f.steps, oldest); err != nil {
			return nil, err
		}
	}
	g, build := gorgonia.NewGraph(), f.Build
	if build == nil {
		build = f.build
	}
	made, err := build(g, key.batch, key.training)
	if err != nil {
		return nil, err
	}
	s, err := f.compile(g, made, key)
	if err != nil {
		return nil, err
	}
	if f.steps == nil {
		f.steps = map[fitKey]*fitStep{}
	}
	f.steps[key], s.used = s, f.used
	return s, nil
}

func (f *Fitter) compile(g *gorgonia.ExprGraph, made *FitGraph, key fitKey) (*fitStep, error) {
	if made == nil || made.Loss == nil || !made.Loss.IsScalar() || len(made.Nets) == 0 {
		return nil, &ArgumentError{"FitGraph", "has no Nets, or its Loss is nil or no scalar", "return the nets of the models and a loss that is reduced to one number"}
	}
	s := &fitStep{}
	var err error
	if s.inputs, err = newFeeder("Inputs", made.Inputs, key.batch); err != nil {
		return nil, err
	}
	if s.targets, err = newFeeder("Targets", made.Targets, key.batch); err != nil {
		return nil, err
	}
	if made.Weights != nil {
		w, err := newFeeder("Weights", gorgonia.Nodes{made.Weights}, key.batch)
		if err != nil {
			return nil, err
		}
		var ok bool
		if s.weights, ok = w.memory[0].Data().([]float32); !ok || made.Weights.Dims() != 1 {
			return nil, &ArgumentError{"FitGraph.Weights", "must be a vector of float32", "make it with gorgonia.NewVector and gorgonia.WithShape(batch)"}
		}
	}
	if len(made.TargetWeights) > 0 {
		if len(made.TargetWeights) != len(made.Targets) {
			return nil, &ArgumentError{"FitGraph.TargetWeights", fmt.Sprintf("has %d nodes for %d targets", len(made.TargetWeights), len(made.Targets)), "return one for each target, or none"}
		}
		w, err := newFeeder("TargetWeights", made.TargetWeights, key.batch)
		if err != nil {
			return nil, err
		}
		for i, m := range w.memory {
			numbers, ok := m.Data().([]float32)
			if !ok || made.TargetWeights[i].Dims() != 1 {
				return nil, &ArgumentError{fmt.Sprintf("FitGraph.TargetWeights[%d]", i), "must be a vector of float32", "make it with gorgonia.NewVector and gorgonia.WithShape(batch)"}
			}
			s.targetWeights = append(s.targetWeights, numbers)
		}
		if s.weights == nil {
			s.weights = make([]float32, key.batch) // for Observe
		}
	}
	whole, cost, err := f.join(g, made, s)
	if err != nil {
		return nil, err
	}
	var updates []op.Update
	outputs := slices.Concat(gorgonia.Nodes{cost}, made.Losses, made.Outputs)
	o := []graph.Option{graph.WithEngine(f.Engine), graph.WithResident(whole.Nodes()...)}
	if key.training {
		outputs = outputs[:1+len(made.Losses)]
		trained := whole
		if f.Model != nil { // an output without a loss may have weights of its own
			trained = reached(whole, cost)
		}
		of := &Step{}
		if updates, err = of.updates(trained, cost, f.Optimizer, f.Slots, stepKind{}); err != nil {
			return nil, err
		}
		s.scalars = of.scalars
		o = append(o, graph.WithUpdatesSince(s.scalars.LR))
	}
	if s.machine, err = graph.Compile(g, append(o, graph.WithOutputs(outputs...), graph.WithUpdates(updates...))...); err != nil {
		return nil, err
	}
	if err := s.results(outputs, len(made.Losses), key.batch); err != nil {
		return nil, errors.Join(err, s.machine.Close())
	}
	return s, nil
}

// join makes one net of the models', each weight once, and adds their penalties to the loss.
func (f *Fitter) join(g *gorgonia.ExprGraph, made *FitGraph, s *fitStep) (whole *nn.Net, cost *gorgonia.Node, err error) {
	whole, cost = &nn.Net{Graph: g}, made.Loss
	have, known := map[*nn.Weight]bool{}, map[*nn.Weight]bool{}
	for _, m := range f.models() {
		for _, w := range m.Weights() {
			known[w] = true
		}
	}
	for i, net := range made.Nets {
		if net == nil || net.Graph != g {
			return nil, nil, &ArgumentError{fmt.Sprintf("FitGraph.Nets[%d]", i), "is nil or of another graph", "build the models in the graph that Build is given"}
		}
		for _, p := range net.Params {
			if !known[p.Weight] {
				return nil, nil, &ArgumentError{"Fitter.Models", fmt.Sprintf("lacks the model of the weight %q", p.Weight.Name), "name all models that Build uses"}
			}
			if have[p.Weight] {
				continue
			}
			have[p.Weight] = true
			whole.Params = append(whole.Params, p)
			if r := p.Weight.Regularizer; !isNil(r) {
				penalty, err := r.Penalty(p.Node)
				if cost, err = op.Try(cost, err).Add(op.Try(penalty, err)).Node(); err != nil {
					return nil, nil, err
				}
			}
		}
		whole.Updates = append(whole.Updates, net.Updates...)
		if net.Step != nil {
			step := gorgonia.NewI(0)
			if err := gorgonia.Let(net.Step, step); err != nil {
				return nil, nil, err
			}
			s.steps = append(s.steps, step)
		}
	}
	return whole, cost, nil
}

// reached is a net of those weights only that cost depends on: the others have no gradient.
func reached(net *nn.Net, cost *gorgonia.Node) *nn.Net {
	seen := map[*gorgonia.Node]bool{cost: true}
	queue := gorgonia.Nodes{cost}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		for _, child := range op.Children(n) {
			if !seen[child] {
				seen[child] = true
				queue = append(queue, child)
			}
		}
	}
	part := *net
	part.Params = slices.DeleteFunc(slices.Clone(net.Params), func(p nn.Param) bool { return !seen[p.Node] })
	return &part
}

// results finds the memory of the loss, of as many further losses, and of the outputs, of batches of n.
func (s *fitStep) results(nodes gorgonia.Nodes, losses, n int) error {
	for i, node := range nodes {
		v, err := s.machine.Value(node)
		if err != nil {
			return err
		}
		if i <= losses {
			loss, ok := v.(*gorgonia.F32)
			if !ok {
				return &ArgumentError{"FitGraph.Loss", fmt.Sprintf("is a %T, expected float32", v), "build the models with float32 weights, and reduce losses to one number"}
			}
			if s.loss == nil {
				s.loss = loss
			} else {
				s.losses = append(s.losses, loss)
			}
			continue
		}
		which := fmt.Sprintf("FitGraph.Outputs[%d]", i-1-losses)
		out, ok := v.(*tensor.Dense)
		if !ok || out.Dtype() != tensor.Float32 {
			return &ArgumentError{which, fmt.Sprintf("is a %T of %v, expected a tensor of float32", v, v.Dtype()), ""}
		}
		if out.Shape()[0] != n {
			return &ArgumentError{which, fmt.Sprintf("has shape %v, expected a batch of %d in front", out.Shape(), n),
				"leave out what is no output of samples, and let Fitter.Observe compute it"}
		}
		s.outputs = append(s.outputs, out)
	}
	return nil
}
