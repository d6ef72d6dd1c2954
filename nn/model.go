package nn

import (
	"fmt"
	"sort"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/suggest"
)

// Model is a finished graph of layers between one input and one output, with its weights. It is made by
// [Builder.Model], gets values by [Model.Initialize] or [Model.Allocate], and is turned into Gorgonia graphs by [Model.Build]. Reading a
// Model from several goroutines is safe, Initialize, Allocate and Build are not.
type Model struct {
	name          string
	format        DataFormat
	sequential    bool    // see Builder.Sequential
	layers        []*node // Keras's order, which is topological
	input, output *node
	weights       []*Weight
}

// LayerInfo describes a layer of a model.
type LayerInfo struct {
	Name, Class      string
	OutputShape      Shape    // without the batch axis
	Trainable, Fixed int      // numbers of trainable and other parameters
	Frozen           bool     // Model.SetTrainable froze it
	Inputs           []string // names of the layers it takes its inputs from
	Config           Layer    // the layer as it was added
	Weights          []*Weight
}

// Model returns the model of the layers that lie between an input and an output of this builder, or the first mistake
// made with the builder. Layers that do not lead to the output are left out. Several models made with one builder share
// the weights of their common layers.
func (b *Builder) Model(input, output *Tensor) (*Model, error) {
	if b.err != nil {
		return nil, b.err
	}
	fail := func(kind error, remedy, format string, args ...any) (*Model, error) {
		b.err = &Error{Kind: kind, Class: "Model", Layer: b.name, Problem: fmt.Sprintf(format, args...), Remedy: remedy, Site: callSite()}
		return nil, b.err
	}
	for _, end := range []struct {
		what string
		t    *Tensor
	}{{"input", input}, {"output", output}} {
		switch {
		case end.t == nil || end.t.builder == nil:
			return fail(ErrNilTensor, "pass what Builder.Input and Builder.Add returned", "the %s is nil", end.what)
		case end.t.builder != b || end.t.node == nil:
			return fail(ErrForeignTensor, "describe the whole model with one builder",
				"the %s, %q, belongs to another builder (model %q)", end.what, end.t.Layer(), end.t.builder.name)
		}
	}
	if _, ok := input.node.layer.(Input); !ok {
		return fail(ErrUnconnected, "pass the tensor that Builder.Input returned",
			"the input must come from an Input layer, comes from the %s %q", input.node.class, input.node.name)
	}
	layers := kerasOrder(output.node)
	found := false
	for _, n := range layers {
		if n == input.node {
			found = true
		} else if len(n.inputs) == 0 {
			return fail(ErrUnconnected, fmt.Sprintf("build %q from the model's input; models have one input", output.node.name),
				"the output %q depends on %q, which is not the model's input %q", output.node.name, n.name, input.node.name)
		}
	}
	if !found {
		return fail(ErrUnconnected, "check that each layer gets the result of the one before",
			"the output %q does not depend on the input %q", output.node.name, input.node.name)
	}
	m := &Model{name: b.name, format: b.DataFormat, sequential: b.Sequential, layers: layers, input: input.node, output: output.node}
	if m.sequential && !m.isChain() {
		return fail(ErrArgument, "leave Sequential out, or add each layer behind the one before", "a Sequential model must be a row of layers")
	}
	m.addWeights(layers)
	if err := m.checkNames(); err != nil {
		e := err.(*Error)
		e.Site = callSite()
		b.err = e
		return nil, e
	}
	return m, nil
}

// shown are the layers that summaries show: not the input of a Sequential model.
func (m *Model) shown() []*node {
	if m.sequential {
		return m.layers[1:]
	}
	return m.layers
}

// kerasOrder lists the layers that lead to the output as Keras does: by falling distance from the output (the longest
// way counts), and among equals in the order in which a depth-first walk from the output meets them.
func kerasOrder(output *node) []*node {
	met, done := map[*node]int{}, []*node{}
	var walk func(n *node)
	walk = func(n *node) {
		if _, ok := met[n]; ok {
			return
		}
		met[n] = len(met)
		for _, in := range n.inputs {
			walk(in)
		}
		done = append(done, n)
	}
	walk(output)
	depth := map[*node]int{}
	for i := len(done) - 1; i >= 0; i-- { // consumers before producers
		for _, in := range done[i].inputs {
			depth[in] = max(depth[in], depth[done[i]]+1)
		}
	}
	sort.Slice(done, func(i, j int) bool {
		a, b := done[i], done[j]
		if depth[a] != depth[b] {
			return depth[a] > depth[b]
		}
		return met[a] < met[b]
	})
	return done
}

// Name returns the model's name.
func (m *Model) Name() string { return m.name }

// DataFormat returns the order of axes that the layers see.
func (m *Model) DataFormat() DataFormat { return m.format }

// InputShape returns the shape of a sample.
func (m *Model) InputShape() Shape {
	if m.empty() {
		return nil
	}
	return m.input.shape.clone()
}

// OutputShape returns the shape of a sample's result.
func (m *Model) OutputShape() Shape {
	if m.empty() {
		return nil
	}
	return m.output.shape.clone()
}

// empty says whether the model is nil or was not made by a Builder, as it is where an error was not looked at.
func (m *Model) empty() bool { return m == nil || m.input == nil }

// Batch returns the batch size that the Input layer fixed, or 0.
func (m *Model) Batch() int {
	if m.empty() {
		return 0
	}
	in, _ := m.input.layer.(Input)
	return in.Batch
}

// Layers describes the layers in Keras's order.
func (m *Model) Layers() []LayerInfo {
	out := make([]LayerInfo, len(m.layers))
	for i, n := range m.layers {
		out[i] = LayerInfo{Name: n.name, Class: n.class, OutputShape: n.shape.clone(), Config: n.layer, Frozen: n.frozen,
			Weights: append([]*Weight(nil), n.weights...)}
		out[i].Trainable, out[i].Fixed = n.count()
		for _, in := range n.inputs {
			out[i].Inputs = append(out[i].Inputs, in.name)
		}
	}
	return out
}

// Weights returns the weights in Keras's order: layer by layer, and within a layer as its documentation lists them.
func (m *Model) Weights() []*Weight { return append([]*Weight(nil), m.weights...) }

// Weight returns the weight of that name, e.g. "conv2d/kernel".
func (m *Model) Weight(name string) (*Weight, error) {
	names := make([]string, len(m.weights))
	for i, w := range m.weights {
		if w.Name == name {
			return w, nil
		}
		names[i] = w.Name
	}
	return nil, &Error{Kind: ErrArgument, Class: "Model", Layer: m.name,
		Problem: fmt.Sprintf("has no weight %q%s", name, suggest.Phrase(name, names))}
}

// Dtype returns the element type that Initialize or Allocate fixed, or ok = false before.
func (m *Model) Dtype() (dt tensor.Dtype, ok bool) {
	for _, w := range m.weights {
		if w.Value != nil {
			return w.Value.Dtype(), true
		}
	}
	return tensor.Dtype{}, false
}

// CountParams returns the numbers of parameters: all, trainable, and others.
func (m *Model) CountParams() (total, trainable, nonTrainable int) {
	for _, w := range m.weights {
		if w.Trainable {
			trainable += w.Shape.TotalSize()
		} else {
			nonTrainable += w.Shape.TotalSize()
		}
	}
	return trainable + nonTrainable, trainable, nonTrainable
}
