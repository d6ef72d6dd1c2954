package nn

import (
	"fmt"
	"slices"

	"github.com/stheno-ml/stheno/internal/suggest"
)

// Until returns the model that ends with a layer of this one, such as what stands in front of a classifier: Keras's
// Model(m.input, m.get_layer(layer).output). Both share layers and weights, with their values. A layer within a nested model is not
// found. Put it into a model with another head by adding it as a layer, and give values to the head with [Model.InitializeRest].
// Of a layer that is applied several times a place must be meant: "embed[1]" is the second, as summaries of Keras write it.
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
		c, err := m.ownCall(layer)
		if err != nil {
			return nil, err
		}
		switch {
		case slices.Contains(m.inputs, c):
			return nil, m.fail(ErrArgument, "name a layer behind it", "a model of the input %q alone computes nothing", layer)
		case !slices.ContainsFunc(needs(c.first()), func(c *call) bool { return slices.Contains(m.inputs, c) }):
			return nil, m.fail(ErrUnconnected, "name a layer behind the input", "layer %q does not depend on the model's input", layer)
		}
		for i := range c.shapes {
			part.outputs = append(part.outputs, result{c, i})
		}
	}
	needed := needs(part.outputs...)
	for _, in := range m.inputs {
		if slices.Contains(needed, in) {
			part.inputs = append(part.inputs, in)
		}
	}
	part.arrange()
	return part, nil
}

// ownCall finds a place of a layer by the layer's name, and the place's number where there are several.
func (m *Model) ownCall(name string) (*call, error) {
	names := make([]string, len(m.layers))
	for i, n := range m.layers {
		calls := m.places[n]
		if n.name == name {
			if last := calls[len(calls)-1]; len(calls) > 1 {
				return nil, m.fail(ErrArgument, fmt.Sprintf("say which, from %s[%d] to %s[%d]", name, calls[0].number, name, last.number), "layer %q is applied %d times", name, len(calls))
			}
			return calls[0], nil
		}
		names[i] = n.name
	}
	for _, c := range m.calls {
		if name == fmt.Sprintf("%s[%d]", c.name, c.number) {
			return c, nil
		}
	}
	return nil, m.fail(ErrArgument, "Model.Layers lists the names", "no layer is called %q%s", name, suggest.Phrase(name, names))
}
