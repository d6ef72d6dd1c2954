package onnx

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
)

// build computes all values and returns the names of those that are wanted.
func (g *Graph) build(to *gorgonia.ExprGraph, cfg BuildConfig) (*Net, *evaluator, []string, error) {
	b := newBuild(g, to, cfg)
	values := map[string]*value{}
	for _, in := range g.Inputs {
		v, err := b.input(in)
		if err != nil {
			return nil, nil, nil, err
		}
		values[in.Name] = v
	}
	outputs := cfg.Outputs
	if outputs == nil {
		for _, out := range g.Outputs {
			outputs = append(outputs, out.Name)
		}
	}
	var train *training
	if cfg.Training {
		train = &training{b.random}
	}
	var l leaves = b
	if cfg.dry {
		l = &dry{g: to, params: map[weightKey]*gorgonia.Node{}}
	}
	e := g.evaluator(l, values, train, cfg.MaxConstants)
	return b.net, e, outputs, e.run(g.nodes)
}

// build makes the leaves of a graph; it is the leaves of Build.
type build struct {
	g      *Graph
	cfg    BuildConfig
	net    *Net
	names  map[string]bool                  // of the graph's nodes
	bound  map[*tensor.Dense]*gorgonia.Node // leaves by value
	params map[weightKey]*gorgonia.Node
	drawn  uint32
}

func newBuild(g *Graph, to *gorgonia.ExprGraph, cfg BuildConfig) *build {
	b := &build{g: g, cfg: cfg, net: &Net{Graph: to, Step: cfg.Step}, names: map[string]bool{}, bound: map[*tensor.Dense]*gorgonia.Node{},
		params: map[weightKey]*gorgonia.Node{}}
	for _, n := range to.AllNodes() {
		b.names[n.Name()] = true
		if d, ok := n.Value().(*tensor.Dense); ok && n.Op() == nil {
			b.bound[d] = n
		}
	}
	return b
}

// unique returns a name that no node of the graph has: Gorgonia merges leaves of one name.
func (b *build) unique(name string) string {
	at := name
	for i := 1; b.names[at]; i++ {
		at = fmt.Sprintf("%s_%d", name, i)
	}
	b.names[at] = true
	return at
}

// leaf makes a node without inputs; v may be nil.
func (b *build) leaf(name string, s []int, v gorgonia.Value, dt tensor.Dtype) *gorgonia.Node {
	opts := []gorgonia.NodeConsOpt{gorgonia.WithName(b.unique(name))}
	if len(s) == 0 {
		if d, ok := v.(*tensor.Dense); ok {
			switch x := d.ScalarValue().(type) {
			case float32:
				v = gorgonia.NewF32(x)
			case float64:
				v = gorgonia.NewF64(x)
			case int:
				v = gorgonia.NewI(x)
			}
		}
		if v != nil {
			opts = append(opts, gorgonia.WithValue(v))
		}
		return gorgonia.NewScalar(b.net.Graph, dt, opts...)
	}
	opts = append(opts, gorgonia.WithShape(s...))
	if v != nil {
		opts = append(opts, gorgonia.WithValue(v))
	}
	return gorgonia.NewTensor(b.net.Graph, dt, len(s), opts...)
}

// input returns the value of an input of the graph.
func (b *build) input(in Value) (*value, error) {
	if k, ok := b.cfg.Constants[in.Name]; ok {
		a, err := fromTensor(k)
		if err != nil {
			return nil, &GraphError{Node: fmt.Sprintf("input %q", in.Name), Problem: err.Error()}
		}
		return &value{fixed: a, shape: a.shape}, nil
	}
	fail := func(remedy, format string, args ...any) (*value, error) {
		return nil, &GraphError{Node: fmt.Sprintf("input %q", in.Name), Problem: fmt.Sprintf(format, args...), Remedy: remedy}
	}
	if n := b.cfg.Inputs[in.Name]; n != nil {
		if n.Graph() != b.net.Graph {
			return fail("", "the node %q belongs to another graph", n.Name())
		}
		b.net.Inputs = append(b.net.Inputs, n)
		return &value{node: n, shape: n.Shape().Clone()}, nil
	}
	s, err := in.resolve(b.cfg.Batch, b.cfg.Dims, b.cfg.Shapes)
	if err != nil {
		return nil, err
	}
	dt := b.cfg.Dtype
	switch e := elemOf(in.Type); {
	case e == elemInt32 || e == elemInt64:
		dt = tensor.Int // indices
	case !e.isFloat():
		return fail("pass its value as one of Constants", "is %s; only inputs of floats, and of integers that are indices, are computed with", in.Type)
	}
	n := b.leaf(in.Name, s, nil, dt)
	b.net.Inputs = append(b.net.Inputs, n)
	return &value{node: n, shape: s}, nil
}

func elemOf(name string) elemType {
	for e, t := range elemTypes {
		if t.name == name {
			return e
		}
	}
	return 0
}

// weight implements leaves.
func (b *build) weight(key weightKey, s []int, trainable bool, values func() (*array, error)) (*gorgonia.Node, error) {
	if n := b.params[key]; n != nil {
		return n, nil
	}
	w := b.g.weights[key]
	if w == nil || w.Value.Dtype() != b.cfg.Dtype {
		a, err := values()
		if err != nil {
			return nil, err
		}
		w = &nn.Weight{Name: key.String(), Shape: slices.Clone(tensor.Shape(s)), Trainable: trainable, Value: dense(a, b.cfg.Dtype)}
		b.g.weights[key] = w
	}
	n := b.bound[w.Value]
	if n == nil {
		n = b.leaf(w.Name, s, w.Value, b.cfg.Dtype)
	}
	b.params[key] = n
	b.net.Params = append(b.net.Params, nn.Param{Weight: w, Node: n})
	return n, nil
}

// String is the weight's name.
func (k weightKey) String() string { return k.name }

// constant implements leaves.
func (b *build) constant(name string, a *array) (*gorgonia.Node, error) {
	return b.leaf(name, a.shape, dense(a, b.cfg.Dtype), denseType(a, b.cfg.Dtype)), nil
}

// random hands out what dropouts draw from.
func (b *build) random() (seed uint64, stream uint32, step *gorgonia.Node) {
	if b.net.Step == nil {
		b.net.Step = gorgonia.NewScalar(b.net.Graph, tensor.Int, gorgonia.WithName(b.unique("step")))
	}
	b.drawn++
	return b.cfg.Seed, b.drawn - 1, b.net.Step
}
