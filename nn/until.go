package nn

import "github.com/stheno-ml/stheno/internal/suggest"

// Until returns the model that ends with a layer of this one, such as what stands in front of a classifier: Keras's
// Model(m.input, m.get_layer(layer).output). Both share layers and weights, with their values. A layer within a nested model is not
// found. Put it into a model with another head by adding it as a layer, and give values to the head with [Model.InitializeRest].
func (m *Model) Until(layer string) (*Model, error) {
	if m.empty() {
		return nil, &Error{Kind: ErrNilTensor, Class: "Model", Problem: "Until wants a model, this one is nil or has no layers",
			Remedy: "look at the error of Builder.Model, or of the function that was to return it"}
	}
	names := make([]string, len(m.layers))
	for i, n := range m.layers {
		if names[i] = n.name; n.name != layer {
			continue
		}
		if n == m.input {
			return nil, m.fail(ErrArgument, "name a layer behind it", "a model of the input %q alone computes nothing", layer)
		}
		part := &Model{name: m.name, format: m.format, layers: kerasOrder(n), input: m.input, output: n}
		part.addWeights(part.layers)
		for _, l := range part.layers {
			if l == m.input {
				return part, nil
			}
		}
		return nil, m.fail(ErrUnconnected, "name a layer behind the input", "layer %q does not depend on the model's input", layer)
	}
	return nil, m.fail(ErrArgument, "Model.Layers lists the names", "no layer is called %q%s", layer, suggest.Phrase(layer, names))
}
