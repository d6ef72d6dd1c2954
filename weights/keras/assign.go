package keras

import (
	"encoding/json"
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// Assign gives a model the file's weights. Each must be there, in its shape, and none be left over: otherwise the error is a
// *weights.MismatchError that lists them all, and the model is as before. A model without values gets some of type float64
// if the file has any of that type, else float32; halves are widened.
//
// Weights belong together by the names of layers and, within a layer, by the names of variables, or by their order where the
// file has only that. Where a file of Keras 3's own layout names none of the model's layers, they belong together as Keras
// has it: by class, in order.
func (f *File) Assign(m *nn.Model) error {
	stored, err := f.matched(m)
	if err != nil {
		return err
	}
	if err := f.compare(m, stored); err != nil { // before memory is taken for what a hostile configuration asks for
		return err
	}
	dtype, known := m.Dtype()
	if !known {
		dtype = tensor.Float32
		for _, t := range stored {
			if t.TypeName() == "F64" {
				dtype = tensor.Float64
			}
		}
	}
	// Values are collected apart, so that a mismatch leaves the model as it is.
	var to []weights.NamedTensor
	for _, w := range m.Weights() {
		n := weights.NamedTensor{Name: w.Name, Shape: w.Shape}
		switch {
		case known:
			n.Data = w.Value.Data()
		case dtype == tensor.Float64:
			n.Data = make([]float64, w.Shape.TotalSize())
		default:
			n.Data = make([]float32, w.Shape.TotalSize())
		}
		to = append(to, n)
	}
	if err := weights.Assign(to, stored); err != nil {
		return &Error{Path: f.Path, Problem: err.Error(), Err: err}
	}
	if known {
		return nil
	}
	for i, w := range m.Weights() {
		w.Value = tensor.New(tensor.WithShape(w.Shape...), tensor.WithBacking(to[i].Data))
	}
	return nil
}

// compare lists what does not belong together.
func (f *File) compare(m *nn.Model, stored []weights.Tensor) error {
	shapes := make(map[string][]int, len(stored))
	for _, t := range stored {
		shapes[t.Name] = t.Shape
	}
	e := &weights.MismatchError{ModelTensors: len(m.Weights()), FileTensors: len(stored)}
	known := map[string]bool{}
	for _, w := range m.Weights() {
		known[w.Name] = true
		shape, ok := shapes[w.Name]
		switch {
		case !ok:
			e.Missing = append(e.Missing, fmt.Sprintf("%s %v", w.Name, []int(w.Shape)))
		case !slices.Equal(shape, []int(w.Shape)):
			e.Different = append(e.Different, fmt.Sprintf("%s wants %v, the file has %v", w.Name, []int(w.Shape), shape))
		}
	}
	for _, t := range stored {
		if !known[t.Name] {
			e.Unexpected = append(e.Unexpected, fmt.Sprintf("%s %v", t.Name, t.Shape))
		}
	}
	if len(e.Missing)+len(e.Different)+len(e.Unexpected) > 0 {
		return &Error{Path: f.Path, Problem: e.Error(), Err: e}
	}
	return nil
}

// Matched returns the file's tensors under the names of the model's weights, as far as they belong to some, by the rules of
// [File.Assign]; the others keep names that the model does not have.
func (f *File) Matched(m *nn.Model) ([]weights.Tensor, error) { return f.matched(m) }

// matched returns the file's tensors under the names of the model's weights, as far as they belong to some; the others keep
// names that the model does not have.
func (f *File) matched(m *nn.Model) ([]weights.Tensor, error) {
	if !f.numbered {
		return f.byName(m), nil
	}
	o, err := f.object()
	if err != nil {
		return nil, err
	}
	if o != nil {
		if out := f.byPlace(f.leaves(m, o, "")); belong(out, m) {
			return out, nil
		}
	}
	// The model is not made of the configuration: it may have the same layers under other names.
	return f.byPlace(f.leaves(m, nil, "")), nil
}

// belong says whether the names of tensors are those of a model's weights.
func belong(ts []weights.Tensor, m *nn.Model) bool {
	known := map[string]bool{}
	for _, w := range m.Weights() {
		known[w.Name] = true
	}
	for _, t := range ts {
		if !known[t.Name] {
			return false
		}
	}
	return true
}

// object is the configuration, or nil.
func (f *File) object() (*object, error) {
	if f.Config == nil {
		return nil, nil
	}
	var o object
	if err := json.Unmarshal(f.Config, &o); err != nil {
		return nil, &Error{Path: f.Path, Problem: fmt.Sprintf("the model's configuration is not valid: %v", err), Err: err}
	}
	return &o, nil
}

// byName matches the legacy layout.
func (f *File) byName(m *nn.Model) []weights.Tensor {
	owned, fixed := map[string][]*nn.Weight{}, map[string]bool{}
	var inOrder []nn.LayerInfo
	for _, l := range m.Layers() {
		owned[l.Name], fixed[l.Name] = l.Weights, isFixed(l.Config)
		if len(l.Weights) > 0 {
			inOrder = append(inOrder, l)
		}
	}
	layers := slices.DeleteFunc(slices.Clone(f.Layers), func(l Layer) bool { return fixed[layerName(l.Name)] })
	ordered := len(inOrder) == len(layers)
	strange := false
	for i, l := range layers {
		strange = strange || owned[layerName(l.Name)] == nil
		ordered = ordered && fitting(l.Tensors, inOrder[i].Weights)
	}
	var out []weights.Tensor
	for i, l := range layers {
		own := owned[layerName(l.Name)]
		if strange && ordered { // another model of the same layers: as load_weights of Keras 2 has it
			own = inOrder[i].Weights
		}
		known := map[string]bool{}
		for _, w := range own {
			known[w.Name] = true
		}
		named := !strange || !ordered
		for _, t := range l.Tensors {
			named = named && known[plainName(l.Name, t.Name)]
		}
		for j, t := range l.Tensors {
			if t.Name = plainName(l.Name, t.Name); !named && fitting(l.Tensors, own) {
				t.Name = own[j].Name // variables were called otherwise in early versions: "conv2d_1_W", "running_mean"
			}
			out = append(out, t)
		}
	}
	return out
}

// fitting says whether tensors have the shapes of weights, one by one.
func fitting(ts []weights.Tensor, ws []*nn.Weight) bool {
	if len(ts) != len(ws) {
		return false
	}
	for i := range ts {
		if !slices.Equal(ts[i].Shape, []int(ws[i].Shape)) {
			return false
		}
	}
	return true
}
