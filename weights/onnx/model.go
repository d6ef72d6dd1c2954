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
	// Output is the value that the model returns; the graph's outputs by default. A value inside gives a model up to there, such as the
	// features in front of a classifier.
	Output string
	// Outputs are several such values, where Output is empty.
	Outputs      []string
	Dtype        tensor.Dtype // of the weights; as in BuildConfig
	MaxConstants int64
	// Images makes a model of images as data sets hold them: rows, columns, channels. Where the graph takes channels first, the model begins
	// with a Permute; a graph that begins with a Transpose to that order takes them as they are. Of several inputs those with four axes are images.
	Images bool
	// Size gives the rows, columns and channels of images where the file leaves them open, in this order, whatever the graph's is.
	Size nn.Shape
}

// Model describes a graph as a model of package nn, of as many inputs and outputs, with the weights of the file and for any batch size:
// each node becomes a layer, named like it. Convolutions, products, poolings, batch normalizations, dropouts, ReLU, softmax and sums
// become the layers of nn where these mean the same, so that, for one, the running averages of batch normalization move in training;
// every other node becomes a [Layer], and so do nodes between which values have another first axis than the batch, such as the rows of all
// sequences in an attention: they become one, or several that each compute what they share, with weights of its own. Inputs of int32 and int64 are of tensor.Int: they may be indices of a Gather. The data format is channels first.
//
// Nodes that do the same with the same weights become one layer in several places. Weights that others use, too, become weights of each: Build
// keeps them one. Inputs and outputs must have the batch as their first axis. A
// file that does otherwise gives a *[GraphError]; use [Graph.Build] for it.
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
	outputs := c.Outputs
	switch {
	case c.Output != "":
		outputs = []string{c.Output}
	case len(outputs) == 0:
		for _, out := range g.Outputs {
			outputs = append(outputs, out.Name)
		}
	}
	t := &translation{g: g, tensors: map[string]*nn.Tensor{}, taken: map[string]bool{}, labels: map[string]bool{}, values: map[string]func() (*array, error){},
		shared: map[string]*nn.Shared{}}
	for _, n := range g.nodes {
		t.labels[allowed(label(n))] = true
	}
	inputs, err := g.inputs(c)
	if err != nil {
		return nil, nil, err
	}
	images, first := map[string]bool{}, map[string]bool{}
	for _, input := range inputs {
		if !c.Images && len(c.Size) == 0 || len(inputs) > 1 && len(input.Dims) != 4 {
			continue
		}
		shape, channels, err := g.imageShape(c, input)
		if err != nil {
			return nil, nil, err
		}
		images[input.Name], first[input.Name] = c.Images, channels
		if shape != nil {
			c.Shapes = maps.Clone(c.Shapes)
			if c.Shapes == nil {
				c.Shapes = map[string][]int{}
			}
			c.Shapes[input.Name] = shape
		}
	}
	if err := t.probe(c, inputs, outputs); err != nil {
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
	var x, y []*nn.Tensor
	for _, input := range inputs {
		if images[input.Name] {
			in, result := t.imageInput(input.Name, first[input.Name])
			x, t.tensors[input.Name] = append(x, in), result
			continue
		}
		in := nn.Input{Shape: t.sample(input.Name), Name: t.name(input.Name, "input")}
		if isIndices(t.probes[0].values[input.Name].node) {
			in.Dtype = tensor.Int
		}
		t.tensors[input.Name] = b.Add(in)
		x = append(x, t.tensors[input.Name])
	}
	for _, n := range g.nodes {
		if err := t.node(n); err != nil {
			return nil, nil, err
		}
	}
	for _, name := range outputs {
		if t.tensors[name] == nil {
			return nil, nil, &GraphError{Problem: fmt.Sprintf("its output %q does not depend on the input %q", name, inputs[0].Name)}
		}
		y = append(y, t.tensors[name])
	}
	var m *nn.Model
	if len(x) == 1 && len(y) == 1 {
		m, err = b.Model(x[0], y[0])
	} else {
		m, err = b.Functional(x, y)
	}
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
	alive   map[string]bool       // values that depend on the inputs' elements
	inner   map[string]bool       // those of alive that have not the batch, and only the batch, as their first axis: layers return none of them
	maker   map[string]*nodeProto // of values
	tensors map[string]*nn.Tensor
	taken   map[string]bool                   // names of layers
	labels  map[string]bool                   // names of nodes
	values  map[string]func() (*array, error) // of weights, by their full names

	shared map[string]*nn.Shared // layers with weights, by what they do and with which

	gathered int // nodes in layers so far
}

// maxGathered bounds the nodes in all layers, by those of the graph: what lies before several layers is in each of them, such as a product for the
// queries, keys and values of an attention.
const maxGathered = 16

// probe builds the graph at several batch sizes, without values.
func (t *translation) probe(c ModelConfig, inputs []*Value, outputs []string) error {
	shapes := map[string][]int{}
	for i, batch := range probed {
		for name, s := range c.Shapes {
			shapes[name] = slices.Clone(s)
			if slices.ContainsFunc(inputs, func(in *Value) bool { return in.Name == name }) && len(s) > 0 {
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
	t.alive, t.maker = map[string]bool{}, map[string]*nodeProto{}
	for _, in := range inputs {
		t.alive[in.Name] = true
	}
	for _, n := range t.g.nodes {
		alive := slices.ContainsFunc(n.needs(), func(in string) bool { return t.alive[in] })
		for _, out := range n.outputs {
			t.maker[out] = n
			if v := t.probes[0].values[out]; v != nil && v.node != nil && alive {
				t.alive[out] = true
			}
		}
	}
	t.inner = map[string]bool{}
	for name := range t.alive {
		for i, batch := range probed {
			s, first := t.probes[i].values[name].shape, t.probes[0].values[name].shape
			t.inner[name] = t.inner[name] || len(s) == 0 || s[0] != batch || !slices.Equal(s[1:], first[1:])
		}
	}
	for _, in := range inputs {
		outputs = append(slices.Clip(outputs), in.Name)
	}
	for _, name := range outputs {
		if !t.inner[name] {
			continue
		}
		return &GraphError{Node: fmt.Sprintf("%q", name), Problem: fmt.Sprintf("has the shape %s for a batch of %d; models want the batch as first axis of their inputs and outputs, and only there",
			format(t.probes[0].values[name].shape), probed[0]), Remedy: useBuild}
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
		if !t.alive[out] || t.inner[out] {
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
		l := Layer{&layer{g: t.g, class: n.opType, output: out, constants: map[string][2]*value{}, weights: map[string]weightKey{},
			stored: map[weightKey]func() (*array, error){}}}
		if err := t.gather(l.layer, n, map[*nodeProto]bool{}); err != nil {
			return err
		}
		for _, in := range l.inputs {
			l.indices = append(l.indices, isIndices(t.probes[0].values[in].node))
		}
		key := l.does()
		if t.again(key, out, l.inputs...) {
			continue
		}
		l.name = t.name(label(n), strings.ToLower(n.opType))
		if key == "" {
			t.add(l, out, l.inputs...)
		} else if t.addFirst(key, l, out, l.inputs...); len(l.weights) == 0 {
			delete(t.shared, key) // there is nothing to share
		}
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

// gather collects what a layer needs: n, the nodes that compute its operands from weights or hand it inner values, and constants.
func (t *translation) gather(l *layer, n *nodeProto, seen map[*nodeProto]bool) error {
	if seen[n] {
		return nil
	}
	seen[n] = true
	if t.gathered++; t.gathered > maxGathered*len(t.g.nodes) {
		return &GraphError{Problem: fmt.Sprintf("computes so much with other first axes than the batch for so many values that its layers would be of more than %d times its %d nodes", maxGathered, len(t.g.nodes)),
			Remedy: useBuild}
	}
	for _, in := range n.needs() {
		v := t.probes[0].values[in]
		switch {
		case in == "" || l.constants[in][0] != nil:
		case t.alive[in] && !t.inner[in]:
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
