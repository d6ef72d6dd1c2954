package nn

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
)

// A model is a layer of other models too, as in Keras: b.Add(base, x) puts all of base behind x, and both share base's
// weights, which keep their names. A model of several inputs takes as many tensors, and AddAll returns those of several outputs. Freeze it
// with SetTrainable of either. Summaries show it as one layer of class Functional, or Sequential, or with its layers if asked to.

// Identity implements [Layer].
func (m *Model) Identity() (class, name string) {
	if m.sequential {
		return "Sequential", m.name
	}
	return "Functional", m.name
}

// Arity implements [MultiInput]: as many as the model has inputs.
func (m *Model) Arity() (least, most int) {
	if m.empty() {
		return 0, -1 // Infer says what is wrong
	}
	return len(m.inputs), len(m.inputs)
}

// Infer implements [Layer]: the inputs must have the shapes that the model was described for. It returns the first output's shape.
func (m *Model) Infer(s *Spec) (Shape, error) {
	if m.empty() {
		return nil, &Error{Kind: ErrNilTensor, Class: "Functional", Problem: "the nested model has no layers",
			Remedy: "look at the error of Builder.Model, or of the function that was to return it"}
	}
	for i, want := range m.inputs {
		in, which := s.Inputs[i], "input"
		if len(m.inputs) > 1 {
			which = fmt.Sprintf("input %d", i)
		}
		if want := want.first().shape(); !in.equal(want) {
			return nil, badShape("describe the nested model for this shape", "the nested model wants samples of shape %v, %s has %v", want, which, in)
		}
	}
	return m.OutputShape(), nil
}

// Apply implements [Layer]: it returns the first output.
func (m *Model) Apply(c *Context) *gorgonia.Node {
	if c.err != nil {
		return nil
	}
	b, around := c.build, c.build.done
	b.done = map[result]*gorgonia.Node{} // the models around may have the same layers, with other inputs
	defer func() { b.done = around }()
	for i, in := range m.inputs {
		b.done[in.first()] = c.Inputs[i]
	}
	for _, inner := range m.calls {
		if err := b.layer(inner); err != nil {
			return c.Fail(err)
		}
	}
	for _, out := range m.outputs {
		c.results = append(c.results, b.done[out])
	}
	return c.results[0]
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
			if !inner.takes(leaf) {
				leaves = append(leaves, leaf)
			}
		}
	}
	return leaves
}

// takes says whether a layer is one of the model's inputs.
func (m *Model) takes(n *node) bool {
	return slices.ContainsFunc(m.inputs, func(in *call) bool { return in.node == n })
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
