package onnx

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
)

// affine returns a constant at the first two batch sizes, and checks the third.
func (t *translation) affine(name string) ([2]*value, error) {
	a, b, c := t.probes[0].values[name], t.probes[1].values[name], t.probes[2].values[name]
	if a.stored != nil {
		return [2]*value{a, a}, nil
	}
	third := between(a, b, probed[2])
	if third == nil || c.fixed == nil || !slices.Equal(third.shape, c.fixed.shape) || !equal(third, c.fixed) {
		return [2]*value{}, &GraphError{Node: fmt.Sprintf("%q", name), Problem: "depends on the batch size in a way that models cannot follow", Remedy: useBuild}
	}
	return [2]*value{a, b}, nil
}

// between returns the constant for a batch size, from those of the first two; nil where they don't fit.
func between(a, b *value, batch int) *array {
	if a.fixed == nil || b.fixed == nil || !slices.Equal(a.shape, b.shape) || a.fixed.elem != b.fixed.elem {
		return nil
	}
	if a.fixed.i64 == nil {
		if !equal(a.fixed, b.fixed) {
			return nil
		}
		return a.fixed
	}
	out := *a.fixed
	out.i64 = slices.Clone(a.fixed.i64)
	for i, v := range out.i64 {
		out.i64[i] = v + (b.fixed.i64[i]-v)*int64(batch-probed[0])/int64(probed[1]-probed[0])
	}
	return &out
}

func equal(a, b *array) bool {
	if a.len() != b.len() {
		return false
	}
	for i := range a.len() {
		if v, w := a.at(i), b.at(i); v != w && (v == v || w == w) {
			return false
		}
	}
	return true
}

// fill gives the weights their values.
func (t *translation) fill(m *nn.Model, dt tensor.Dtype) error {
	if dt == (tensor.Dtype{}) {
		dt = t.g.defaultDtype()
	}
	for _, info := range m.Layers() {
		if l, ok := info.Config.(Layer); ok {
			for local, key := range l.weights {
				t.values[info.Name+"/"+local] = l.stored[key]
			}
		}
	}
	if err := m.Allocate(dt); err != nil {
		return err
	}
	for _, w := range m.Weights() {
		values := t.values[w.Name]
		if values == nil {
			return &GraphError{Node: fmt.Sprintf("weight %q", w.Name), Problem: "has no values in the file"} // cannot happen
		}
		a, err := values()
		if err != nil {
			return err
		}
		if err := w.Set(dense(a, dt)); err != nil {
			return err
		}
	}
	return nil
}
