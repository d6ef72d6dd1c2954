package nn

import (
	"fmt"

	"gorgonia.org/gorgonia"
)

// A model is a layer of other models too, as in Keras: b.Add(base, x) puts all of base behind x, and both share base's
// weights, which keep their names. Freeze it with SetTrainable of either. Summaries show it as one layer of class
// Functional, or Sequential, or with its layers if asked to.

// Identity implements [Layer].
func (m *Model) Identity() (class, name string) {
	if m.sequential {
		return "Sequential", m.name
	}
	return "Functional", m.name
}

// Infer implements [Layer]: the input must have the shape that the model was described for.
func (m *Model) Infer(s *Spec) (Shape, error) {
	if m.empty() {
		return nil, &Error{Kind: ErrNilTensor, Class: "Functional", Problem: "the nested model has no layers",
			Remedy: "look at the error of Builder.Model, or of the function that was to return it"}
	}
	if in := s.Inputs[0]; !in.equal(m.input.shape) {
		return nil, badShape("describe the nested model for this shape", "the nested model wants samples of shape %v, input has %v", m.input.shape, in)
	}
	return m.OutputShape(), nil
}

// Apply implements [Layer].
func (m *Model) Apply(c *Context) *gorgonia.Node {
	if c.err != nil {
		return nil
	}
	b := c.build
	b.done[m.input] = c.Inputs[0]
	for _, n := range m.layers {
		if err := b.layer(n); err != nil {
			return c.Fail(err)
		}
	}
	return b.done[m.output]
}

// leafLayers lists the layers with those of nested models in place of these; the inputs of nested models are no layers
// of their own.
func (m *Model) leafLayers() []*node {
	var leaves []*node
	for _, n := range m.layers {
		inner, ok := n.layer.(*Model)
		if !ok {
			leaves = append(leaves, n)
			continue
		}
		for _, leaf := range inner.leafLayers() {
			if leaf != inner.input {
				leaves = append(leaves, leaf)
			}
		}
	}
	return leaves
}

// checkNames refuses weights that nested models and the layers beside them call alike. A model that is nested twice has
// its weights once.
func (m *Model) checkNames() error {
	owner := map[string]*Weight{}
	for _, w := range m.weights {
		if other := owner[w.Name]; other != nil && other != w {
			return &Error{Kind: ErrDuplicateName, Class: "Model", Layer: m.name,
				Problem: fmt.Sprintf("two layers have a weight called %q: one is in a nested model", w.Name),
				Remedy:  "give the layer of one of them another Name"}
		}
		owner[w.Name] = w
	}
	return nil
}

// addWeights appends the weights of layers, each once.
func (m *Model) addWeights(layers []*node) {
	seen := map[*Weight]bool{}
	for _, n := range layers {
		for _, w := range n.weights {
			if !seen[w] {
				seen[w] = true
				m.weights = append(m.weights, w)
			}
		}
	}
}
