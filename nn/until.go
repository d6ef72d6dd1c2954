package nn

import (
	"slices"

	"github.com/stheno-ml/stheno/internal/suggest"
)

// Until returns the model that ends with a layer of this one, such as what stands in front of a classifier: Keras's
// Model(m.input, m.get_layer(layer).output). Both share layers and weights, with their values. A layer within a nested model is not
// found. Put it into a model with another head by adding it as a layer, and give values to the head with [Model.InitializeRest].
//
// Of several inputs it keeps those that the layer depends on. A layer that is a nested model of several outputs gives as many outputs.
func (m *Model) Until(layer string) (*Model, error) { return m.UntilAll(layer) }

// UntilAll is Until for several layers: the model whose outputs are the results of all of them, in this order, such as features of
// several depths.
func (m *Model) UntilAll(layers ...string) (*Model, error) {
	if m.empty() {
		return nil, noModel("Until")
	}
	if len(layers) == 0 {
		return nil, m.fail(ErrArgument, "name at least one", "UntilAll got no layers")
	}
	part := &Model{name: m.name, format: m.format}
	for _, layer := range layers {
		n, err := m.ownLayer(layer)
		if err != nil {
			return nil, err
		}
		needs := kerasOrder(nil, []result{n.first()})
		switch {
		case slices.Contains(m.inputs, n):
			return nil, m.fail(ErrArgument, "name a layer behind it", "a model of the input %q alone computes nothing", layer)
		case !slices.ContainsFunc(needs, func(n *node) bool { return slices.Contains(m.inputs, n) }):
			return nil, m.fail(ErrUnconnected, "name a layer behind the input", "layer %q does not depend on the model's input", layer)
		}
		for i := range n.shapes {
			part.outputs = append(part.outputs, result{n, i})
		}
	}
	part.layers = kerasOrder(nil, part.outputs)
	for _, in := range m.inputs {
		if slices.Contains(part.layers, in) {
			part.inputs = append(part.inputs, in)
		}
	}
	part.addWeights(part.layers)
	return part, nil
}

// ownLayer finds a layer by its name.
func (m *Model) ownLayer(name string) (*node, error) {
	names := make([]string, len(m.layers))
	for i, n := range m.layers {
		if n.name == name {
			return n, nil
		}
		names[i] = n.name
	}
	return nil, m.fail(ErrArgument, "Model.Layers lists the names", "no layer is called %q%s", name, suggest.Phrase(name, names))
}
