package nn

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/suggest"
)

// Model is a finished graph of layers between inputs and outputs, mostly one of each, with its weights. It is made by
// [Builder.Model] or [Builder.Functional], gets values by [Model.Initialize] or [Model.Allocate], and is turned into Gorgonia graphs by [Model.Build]. Reading a
// Model from several goroutines is safe, Initialize, Allocate and Build are not.
type Model struct {
	name       string
	format     DataFormat
	sequential bool              // see Builder.Sequential
	layers     []*node           // Keras's order, which is topological where each has one call
	calls      []*call           // in the order in which they are computed
	places     map[*node][]*call // the calls of each layer, in the order in which they were added
	inputs     []*call           // of Input layers
	steps      int               // calls in all, those of nested models included
	outputs    []result
	weights    []*Weight
}

// LayerInfo describes a layer of a model.
type LayerInfo struct {
	Name, Class      string
	OutputShape      Shape    // without the batch axis; of a nested model of several outputs the first one's, of several calls the first's
	OutputShapes     []Shape  // of all outputs
	Trainable, Fixed int      // numbers of trainable and other parameters
	Frozen           bool     // Model.SetTrainable froze it
	Inputs           []string // names of the layers it takes its inputs from, in all its calls
	InputIndices     []int    // for each of Inputs, which result of that layer; 0 but for nested models of several outputs
	Calls            []Call   // where the layer is applied: one but for layers that are shared, and models that were added several times
	Config           Layer    // the layer as it was added
	Weights          []*Weight
}

// Call is a layer in one of its places in a model: Keras's node.
type Call struct {
	Number       int // among all calls of the layer, those that the model does not need included: Keras's node index
	Inputs       []Source
	OutputShapes []Shape // as LayerInfo's
}

// Source is a result of a layer: what Keras writes as layer[call][result].
type Source struct {
	Layer        string
	Call, Result int
}

// shown are the layers that summaries show: not the input of a Sequential model.
func (m *Model) shown() []*node {
	if m.sequential {
		return m.layers[1:]
	}
	return m.layers
}

// Name returns the model's name.
func (m *Model) Name() string { return m.name }

// DataFormat returns the order of axes that the layers see.
func (m *Model) DataFormat() DataFormat { return m.format }

// InputShape returns the shape of a sample; of several inputs the first one's.
func (m *Model) InputShape() Shape {
	if m.empty() {
		return nil
	}
	return m.inputs[0].shapes[0].clone()
}

// OutputShape returns the shape of a sample's result; of several outputs the first one's.
func (m *Model) OutputShape() Shape {
	if m.empty() {
		return nil
	}
	return m.outputs[0].shape().clone()
}

// empty says whether the model is nil or was not made by a Builder, as it is where an error was not looked at.
func (m *Model) empty() bool { return m == nil || len(m.inputs) == 0 }

// noModel is the error of what wants one that is not empty.
func noModel(what string) error {
	return &Error{Kind: ErrNilTensor, Class: "Model", Problem: what + " wants a model, this one is nil or has no layers",
		Remedy: "look at the error of Builder.Model, or of the function that was to return it"}
}

// Batch returns the batch size that an Input layer fixed, or 0.
func (m *Model) Batch() int {
	if m.empty() {
		return 0
	}
	for _, n := range m.inputs {
		if in, ok := n.layer.(Input); ok && in.Batch > 0 {
			return in.Batch
		}
	}
	return 0
}

// Layers describes the layers in Keras's order.
func (m *Model) Layers() []LayerInfo {
	out := make([]LayerInfo, len(m.layers))
	for i, n := range m.layers {
		out[i] = LayerInfo{Name: n.name, Class: n.class, Config: n.layer, Frozen: n.frozen, Weights: append([]*Weight(nil), n.weights...)}
		out[i].Trainable, out[i].Fixed = n.count()
		for _, c := range m.places[n] {
			one := Call{Number: c.number}
			for _, shape := range c.shapes {
				one.OutputShapes = append(one.OutputShapes, shape.clone())
			}
			for _, in := range c.inputs {
				one.Inputs = append(one.Inputs, Source{in.name, in.number, in.index})
				out[i].Inputs, out[i].InputIndices = append(out[i].Inputs, in.name), append(out[i].InputIndices, in.index)
			}
			out[i].Calls = append(out[i].Calls, one)
		}
		for _, shape := range m.places[n][0].shapes {
			out[i].OutputShapes = append(out[i].OutputShapes, shape.clone())
		}
		out[i].OutputShape = out[i].OutputShapes[0].clone()
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
