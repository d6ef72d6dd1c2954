package onnx

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// ModelConfig says how a graph becomes a model. The zero value takes everything from the file.
type ModelConfig struct {
	Name      string // of the model; the graph's by default
	Dims      map[string]int
	Shapes    map[string][]int // of inputs; the batch axis is not looked at
	Constants map[string]weights.Tensor
	// Output is the value that the model returns; the graph's output by default. A value inside gives a model up to there, such as the
	// features in front of a classifier.
	Output       string
	Dtype        tensor.Dtype // of the weights; as in BuildConfig
	MaxConstants int64
	// Images makes a model of images as data sets hold them: rows, columns, channels. Where the graph takes channels first, the model begins
	// with a Permute; a graph that begins with a Transpose to that order takes them as they are.
	Images bool
	// Size gives the rows, columns and channels of images where the file leaves them open, in this order, whatever the graph's is.
	Size nn.Shape
}

// Model describes a graph of one input and one output as a model of package nn, with the weights of the file and for any batch size:
// each node becomes a layer, named like it. Convolutions, products, poolings, batch normalizations, dropouts, ReLU, softmax and sums
// become the layers of nn where these mean the same, so that, for one, the running averages of batch normalization move in training;
// every other node becomes a [Layer]. The data format is channels first.
//
// Weights that several nodes use become weights of each: Build keeps them one. Every value must have the batch as its first axis. A file that does otherwise gives a *[GraphError]; use [Graph.Build] for it.
func (g *Graph) Model(c ModelConfig) (*nn.Model, error) {
	m, err := g.model(c)
	if err != nil {
		return nil, withPath(err, g.path)
	}
	return m, nil
}

func (g *Graph) model(c ModelConfig) (*nn.Model, error) {
	t, m, err := g.describe(c)
	if err != nil {
		return nil, err
	}
	return m, t.fill(m, c.Dtype)
}

// describe makes the model without values.
func (g *Graph) describe(c ModelConfig) (*translation, *nn.Model, error) {
	if c.Output == "" {
		if len(g.Outputs) != 1 {
			return nil, nil, &GraphError{Problem: fmt.Sprintf("has %d outputs; models have one", len(g.Outputs)), Remedy: "name one in ModelConfig.Output, or " + useBuild}
		}
		c.Output = g.Outputs[0].Name
	}
	t := &translation{g: g, tensors: map[string]*nn.Tensor{}, taken: map[string]bool{}, labels: map[string]bool{}, values: map[string]func() (*array, error){}}
	for _, n := range g.nodes {
		t.labels[allowed(label(n))] = true
	}
	input, err := g.input(c)
	if err != nil {
		return nil, nil, err
	}
	first := false
	if c.Images || len(c.Size) > 0 {
		var shape []int
		if shape, first, err = g.imageShape(c, input); err != nil {
			return nil, nil, err
		}
		if shape != nil {
			c.Shapes = maps.Clone(c.Shapes)
			if c.Shapes == nil {
				c.Shapes = map[string][]int{}
			}
			c.Shapes[input.Name] = shape
		}
	}
	if err := t.probe(c, input.Name); err != nil {
		return nil, nil, err
	}
	name := c.Name
	if name == "" {
		name = t.name(g.Name, "model")
		t.taken = map[string]bool{}
	}
	b := nn.NewBuilder(name)
	b.DataFormat = nn.ChannelsFirst
	t.b = b
	var x *nn.Tensor
	if c.Images {
		x, t.tensors[input.Name] = t.imageInput(input.Name, first)
	} else {
		x = b.Add(nn.Input{Shape: t.sample(input.Name), Name: t.name(input.Name, "input")})
		t.tensors[input.Name] = x
	}
	for _, n := range g.nodes {
		if err := t.node(n); err != nil {
			return nil, nil, err
		}
	}
	y := t.tensors[c.Output]
	if y == nil {
		return nil, nil, &GraphError{Problem: fmt.Sprintf("its output %q does not depend on the input %q", c.Output, input.Name)}
	}
	m, err := b.Model(x, y)
	if err != nil {
		return nil, nil, &GraphError{Problem: err.Error(), Cause: err}
	}
	return t, m, nil
}

// probed are the batch sizes at which a graph is tried: sizes in it are taken for numbers a + b·batch.
var probed = [3]int{2, 3, 5}

// translation is the state of Model.
type translation struct {
	g       *Graph
	b       *nn.Builder
	probes  [3]*evaluator
	alive   map[string]bool       // values that depend on the input's elements
	maker   map[string]*nodeProto // of values
	tensors map[string]*nn.Tensor
	taken   map[string]bool                   // names of layers
	labels  map[string]bool                   // names of nodes
	values  map[string]func() (*array, error) // of weights, by their full names
}

// probe builds the graph at several batch sizes, without values.
func (t *translation) probe(c ModelConfig, input string) error {
	shapes := map[string][]int{}
	for i, batch := range probed {
		for name, s := range c.Shapes {
			shapes[name] = slices.Clone(s)
			if name == input && len(s) > 0 {
				shapes[name][0] = batch
			}
		}
		cfg := BuildConfig{Batch: batch, Dims: c.Dims, Shapes: shapes, Constants: c.Constants, MaxConstants: c.MaxConstants, Dtype: tensor.Float32, dry: true}
		_, e, _, err := t.g.build(gorgonia.NewGraph(), cfg)
		if err != nil {
			return err
		}
		t.probes[i] = e
	}
	t.alive, t.maker = map[string]bool{input: true}, map[string]*nodeProto{}
	for _, n := range t.g.nodes {
		alive := slices.ContainsFunc(n.needs(), func(in string) bool { return t.alive[in] })
		for _, out := range n.outputs {
			t.maker[out] = n
			if v := t.probes[0].values[out]; v != nil && v.node != nil && alive {
				t.alive[out] = true
			}
		}
	}
	for name := range t.alive {
		for i, batch := range probed {
			s, first := t.probes[i].values[name].shape, t.probes[0].values[name].shape
			if len(s) == 0 || s[0] != batch || !slices.Equal(s[1:], first[1:]) {
				return &GraphError{Node: fmt.Sprintf("%q", name), Problem: fmt.Sprintf("has the shape %s for a batch of %d; models want the batch as first axis, and only there", format(s), batch),
					Remedy: useBuild}
			}
		}
	}
	return nil
}

// sample is the shape of a value without the batch.
func (t *translation) sample(name string) nn.Shape {
	return nn.Shape(slices.Clone(t.probes[0].values[name].shape[1:]))
}

// name makes a layer's name of one in the file.
func (t *translation) name(name, otherwise string) string {
	if name = allowed(name); name == "" {
		name = otherwise
	}
	at := name
	for i := 1; t.taken[at] || i > 1 && t.labels[at]; i++ { // a number behind a name must not make another node's name of it
		at = fmt.Sprintf("%s_%d", name, i)
	}
	t.taken[at] = true
	return at
}

// allowed replaces what names of layers must not have.
func allowed(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r == '/' || unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar {
			return '_'
		}
		return r
	}, name), "_")
}

// node makes the layers of a node's results.
func (t *translation) node(n *nodeProto) error {
	for k, out := range n.outputs {
		if !t.alive[out] {
			continue
		}
		if done, err := t.translate(n, k); done || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		v := t.probes[0].values[out]
		needs := n.needs()
		if same := slices.IndexFunc(needs, func(in string) bool { return t.alive[in] && t.probes[0].values[in].node == v.node }); same >= 0 {
			t.tensors[out] = t.tensors[needs[same]] // an identity
			continue
		}
		l := Layer{&layer{g: t.g, name: t.name(label(n), strings.ToLower(n.opType)), class: n.opType, output: out, constants: map[string][2]*value{}, weights: map[string]weightKey{},
			stored: map[weightKey]func() (*array, error){}}}
		if err := t.gather(l.layer, n, map[*nodeProto]bool{}); err != nil {
			return err
		}
		t.add(l, out, l.inputs...)
	}
	return nil
}

// add puts a layer behind values of the file; its result is the value out.
func (t *translation) add(l nn.Layer, out string, in ...string) {
	tensors := make([]*nn.Tensor, len(in))
	for i, name := range in {
		tensors[i] = t.tensors[name]
	}
	t.tensors[out] = t.b.Add(l, tensors...)
}

// gather collects what a layer needs: n, the nodes that compute its operands from weights, and constants.
func (t *translation) gather(l *layer, n *nodeProto, seen map[*nodeProto]bool) error {
	if seen[n] {
		return nil
	}
	seen[n] = true
	for _, in := range n.needs() {
		v := t.probes[0].values[in]
		switch {
		case in == "" || l.constants[in][0] != nil:
		case t.alive[in]:
			if !slices.Contains(l.inputs, in) {
				l.inputs = append(l.inputs, in)
			}
		case v.node != nil:
			if err := t.gather(l, t.maker[in], seen); err != nil {
				return err
			}
		default:
			pair, err := t.affine(in)
			if err != nil {
				return err
			}
			l.constants[in] = pair
		}
	}
	l.nodes = append(l.nodes, n)
	return nil
}
