package nn

import "gorgonia.org/tensor"

// Clone returns a model of the same layers with weights of its own, of element type dt: a deep copy that shares
// nothing that changes. Weights without values stay so. Nested models are cloned with it.
func (m *Model) Clone(dt tensor.Dtype) (*Model, error) {
	if m.empty() {
		return nil, noModel("Clone")
	}
	return (&cloned{dt, map[*Model]*Model{}, map[*Weight]*Weight{}}).model(m)
}

// cloned is what was cloned already, so that a model nested twice stays one, and models that share weights share them.
type cloned struct {
	dt      tensor.Dtype
	models  map[*Model]*Model
	weights map[*Weight]*Weight
}

func (done *cloned) model(m *Model) (*Model, error) {
	if c := done.models[m]; c != nil {
		return c, nil
	}
	c := &Model{name: m.name, format: m.format, sequential: m.sequential}
	done.models[m] = c
	twin := map[*node]*node{}
	for _, n := range m.layers {
		t := *n
		t.weights = nil
		if inner, ok := n.layer.(*Model); ok {
			own, err := done.model(inner)
			if err != nil {
				return nil, err
			}
			t.layer, t.weights = own, own.weights
		} else if err := done.weightsOf(n, &t); err != nil {
			return nil, err
		}
		twin[n] = &t
	}
	place := map[*call]*call{}
	for _, one := range m.calls {
		t := *one
		t.node, t.inputs = twin[one.node], nil
		for _, in := range one.inputs {
			t.inputs = append(t.inputs, result{place[in.call], in.index})
		}
		place[one] = &t
	}
	for _, in := range m.inputs {
		c.inputs = append(c.inputs, place[in])
	}
	for _, out := range m.outputs {
		c.outputs = append(c.outputs, result{place[out.call], out.index})
	}
	c.arrange()
	return c, nil
}

// weightsOf gives t copies of n's weights.
func (done *cloned) weightsOf(n, t *node) error {
	for _, w := range n.weights {
		if c := done.weights[w]; c != nil {
			t.weights = append(t.weights, c)
			continue
		}
		v := *w
		if w.Value != nil {
			var err error
			if v.Value, err = newDense(done.dt, w.Shape); err != nil {
				return err
			}
			if err := v.Set(w.Value); err != nil {
				return err
			}
		}
		v.Shape = w.Shape.Clone()
		done.weights[w] = &v
		t.weights = append(t.weights, &v)
	}
	return nil
}
