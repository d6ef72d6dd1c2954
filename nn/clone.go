package nn

import "gorgonia.org/tensor"

// Clone returns a model of the same layers with weights of its own, of element type dt: a deep copy that shares
// nothing that changes. Weights without values stay so. Nested models are cloned with it.
func (m *Model) Clone(dt tensor.Dtype) (*Model, error) {
	return m.clone(dt, map[*Model]*Model{})
}

// clone keeps in done what was cloned already, so that a model nested twice stays one.
func (m *Model) clone(dt tensor.Dtype, done map[*Model]*Model) (*Model, error) {
	if c := done[m]; c != nil {
		return c, nil
	}
	c := &Model{name: m.name, format: m.format, sequential: m.sequential}
	done[m] = c
	twin := map[*node]*node{}
	for _, n := range m.layers {
		t := *n
		t.inputs, t.weights = nil, nil
		for _, in := range n.inputs {
			t.inputs = append(t.inputs, result{twin[in.node], in.index})
		}
		if inner, ok := n.layer.(*Model); ok {
			own, err := inner.clone(dt, done)
			if err != nil {
				return nil, err
			}
			t.layer, t.weights = own, own.weights
		} else if err := t.cloneWeights(n, dt); err != nil {
			return nil, err
		}
		twin[n] = &t
		c.layers = append(c.layers, &t)
	}
	c.addWeights(c.layers)
	for _, in := range m.inputs {
		c.inputs = append(c.inputs, twin[in])
	}
	for _, out := range m.outputs {
		c.outputs = append(c.outputs, result{twin[out.node], out.index})
	}
	return c, nil
}

// cloneWeights gives t copies of n's weights.
func (t *node) cloneWeights(n *node, dt tensor.Dtype) error {
	for _, w := range n.weights {
		v := *w
		if w.Value != nil {
			var err error
			if v.Value, err = newDense(dt, w.Shape); err != nil {
				return err
			}
			if err := v.Set(w.Value); err != nil {
				return err
			}
		}
		v.Shape = w.Shape.Clone()
		t.weights = append(t.weights, &v)
	}
	return nil
}
