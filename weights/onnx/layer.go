package onnx

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
)

// Layer is a node of a file as a layer of package nn, made by [Graph.Model]: the operations for which nn has no layer of the same
// meaning. It is several nodes where the values between them have another first axis than the batch. Its class is the operation's name in ONNX. Its weights are the initializers that the operation uses, under their names in
// the file; kernels of convolutions have the layout of nn, (rows, columns, in/groups, out).
type Layer struct{ *layer }

type layer struct {
	g           *Graph
	name, class string
	nodes       []*nodeProto // the last one is the node itself, those before compute operands from weights or inner values
	inputs      []string     // names of values in the file
	indices     []bool       // those of inputs that are of integers
	output      string
	constants   map[string][2]*value // operands that aren't computed, at the first two probed batch sizes
	weights     map[string]weightKey // by local name
	stored      map[weightKey]func() (*array, error)
}

// Identity implements [nn.Layer].
func (l Layer) Identity() (class, name string) { return l.class, l.name }

// Arity says how many inputs the layer takes.
func (l Layer) Arity() (least, most int) { return len(l.inputs), len(l.inputs) }

// Infer implements [nn.Layer].
func (l Layer) Infer(s *nn.Spec) (nn.Shape, error) {
	if len(s.Inputs) != len(l.inputs) {
		return nil, &nn.Error{Kind: nn.ErrArgument, Problem: fmt.Sprintf("takes %d inputs, got %d", len(l.inputs), len(s.Inputs))}
	}
	const batch = 2
	g := gorgonia.NewGraph()
	in := make(gorgonia.Nodes, len(s.Inputs))
	for i, shape := range s.Inputs {
		dt := tensor.Float32
		if l.indices[i] {
			dt = tensor.Int
		}
		in[i] = dryLeaf(g, fmt.Sprintf("input_%d", i), append([]int{batch}, shape...), dt)
	}
	d := &dry{g: g, params: map[weightKey]*gorgonia.Node{}, declare: func(key weightKey, shape []int, trainable bool, values func() (*array, error)) {
		local := l.local(key)
		l.weights[local], l.stored[key] = key, values
		s.Weight(nn.Weight{Name: local, Shape: slices.Clone(tensor.Shape(shape)), Trainable: trainable})
	}}
	y, err := l.evaluate(d, in, batch, nil)
	if err != nil {
		return nil, &nn.Error{Kind: nn.ErrShape, Problem: err.Error(), Cause: err}
	}
	return nn.Shape(slices.Clone([]int(y.Shape()[1:]))), nil
}

// does says what a layer does, and with which weights and constants, "" where graphs or tensors in attributes take part. Inputs and inner values are
// told by their numbers.
func (l Layer) does() string {
	names := map[string]string{}
	for i, in := range l.inputs {
		names[in] = fmt.Sprintf("input %d %v", i, l.indices[i])
	}
	text := ""
	for k, n := range l.nodes {
		if len(n.captured) > 0 {
			return ""
		}
		text += fmt.Sprintf("%s %d", n.fullType(), len(n.outputs))
		for _, a := range n.attributes {
			if a.t != nil || a.g != nil {
				return ""
			}
			text += fmt.Sprintf(" %q=%#v", a.name, *a)
		}
		for _, in := range n.inputs {
			if number, ok := names[in]; ok {
				text += " " + number
			} else {
				text += fmt.Sprintf(" %q", in)
			}
		}
		for i, out := range n.outputs {
			names[out] = fmt.Sprintf("value %d %d", k, i)
		}
		text += "\n"
	}
	return text + names[l.output]
}

// local makes the name of a weight within the layer.
func (l Layer) local(key weightKey) string {
	for name, k := range l.weights {
		if k == key {
			return name
		}
	}
	name := strings.ReplaceAll(key.name, "/", "_")
	at := name
	for i := 1; ; i++ {
		if _, taken := l.weights[at]; !taken {
			return at
		}
		at = fmt.Sprintf("%s_%d", name, i)
	}
}

// Apply implements [nn.Layer].
func (l Layer) Apply(c *nn.Context) *gorgonia.Node {
	if c.Err() != nil {
		return nil
	}
	y, err := l.evaluate(&applied{l: l, c: c}, c.Inputs, c.Inputs[0].Shape()[0], c)
	if err != nil {
		return c.Fail(err)
	}
	return y
}

// evaluate computes the layer's nodes.
func (l Layer) evaluate(leaves leaves, in gorgonia.Nodes, batch int, c *nn.Context) (*gorgonia.Node, error) {
	values := map[string]*value{}
	for i, name := range l.inputs {
		values[name] = &value{node: in[i], shape: in[i].Shape().Clone()}
	}
	for name, pair := range l.constants {
		values[name] = pair[0]
		if pair[0] != pair[1] {
			a := between(pair[0], pair[1], batch)
			values[name] = &value{fixed: a, shape: a.shape}
		}
	}
	var train *training
	if c != nil && c.Training && !c.Frozen {
		train = &training{c.Random}
	}
	e := l.g.evaluator(leaves, values, train, 0)
	for _, n := range l.nodes {
		if err := e.node(n); err != nil {
			return nil, err
		}
	}
	return e.output(l.output)
}

// applied is the leaves of a layer that is built.
type applied struct {
	l Layer
	c *nn.Context
}

func (a *applied) weight(key weightKey, _ []int, _ bool, _ func() (*array, error)) (*gorgonia.Node, error) {
	return a.c.Weight(a.l.local(key)), a.c.Err()
}

func (a *applied) constant(name string, v *array) (*gorgonia.Node, error) {
	x, dt := a.c.Inputs[0], tensor.Float32
	for i, in := range a.c.Inputs {
		if !a.l.indices[i] {
			dt = in.Dtype()
		}
	}
	used := map[string]bool{}
	for _, n := range x.Graph().AllNodes() {
		used[n.Name()] = true
	}
	b := &build{net: &Net{Graph: x.Graph()}, names: used, cfg: BuildConfig{Dtype: dt}}
	return b.constant(name, v)
}

// dry is leaves without values, for shapes.
type dry struct {
	g       *gorgonia.ExprGraph
	params  map[weightKey]*gorgonia.Node
	declare func(key weightKey, shape []int, trainable bool, values func() (*array, error))
	made    int
}

func (d *dry) weight(key weightKey, s []int, trainable bool, values func() (*array, error)) (*gorgonia.Node, error) {
	if n := d.params[key]; n != nil {
		return n, nil
	}
	if d.declare != nil {
		d.declare(key, s, trainable, values)
	}
	d.params[key] = dryLeaf(d.g, fmt.Sprintf("weight_%d", len(d.params)), s, tensor.Float32)
	return d.params[key], nil
}

func (d *dry) constant(_ string, a *array) (*gorgonia.Node, error) {
	d.made++
	return dryLeaf(d.g, fmt.Sprintf("constant_%d", d.made), a.shape, denseType(a, tensor.Float32)), nil
}

func dryLeaf(g *gorgonia.ExprGraph, name string, s []int, dt tensor.Dtype) *gorgonia.Node {
	if len(s) == 0 {
		return gorgonia.NewScalar(g, dt, gorgonia.WithName(name))
	}
	return gorgonia.NewTensor(g, dt, len(s), gorgonia.WithShape(s...), gorgonia.WithName(name))
}
