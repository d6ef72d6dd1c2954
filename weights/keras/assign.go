package keras

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

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
	return f.byPlace(f.leaves(m, o, "")), nil
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
	owned := map[string][]*nn.Weight{}
	var inOrder []nn.LayerInfo
	for _, l := range m.Layers() {
		owned[l.Name] = l.Weights
		if len(l.Weights) > 0 {
			inOrder = append(inOrder, l)
		}
	}
	ordered := len(inOrder) == len(f.Layers)
	strange := false
	for i, l := range f.Layers {
		strange = strange || owned[layerName(l.Name)] == nil
		ordered = ordered && fitting(l.Tensors, inOrder[i].Weights)
	}
	var out []weights.Tensor
	for i, l := range f.Layers {
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

// leaf is a layer of a model that is no model itself.
type leaf struct {
	name, path string // path is that of Keras 3's own layout
	weights    []*nn.Weight
}

// leaves lists the layers of a model, and of models in it, whose paths begin with prefix. Their order and classes are those
// of the configuration, if there is one, since paths count layers by class.
func (f *File) leaves(m *nn.Model, o *object, prefix string) []leaf {
	infos := map[string]nn.LayerInfo{}
	for _, l := range m.Layers() {
		infos[l.Name] = l
	}
	used := map[string]int{}
	number := func(class string) string {
		name := snakeCase(class)
		if n := used[name]; n > 0 {
			name = fmt.Sprintf("%s_%d", name, n)
		}
		return prefix + "layers/" + name
	}
	var out []leaf
	add := func(l nn.LayerInfo, class string, o *object) {
		at := number(class)
		inner, nested := l.Config.(*nn.Model)
		if !nested {
			out = append(out, leaf{l.Name, at, l.Weights})
		} else {
			more := f.leaves(inner, o, at+"/")
			// Whether a model in the model was Functional or Sequential, its weights tell.
			if o == nil && !f.fits(more) {
				if other := f.leaves(inner, o, number("Sequential")+"/"); f.fits(other) {
					class, more = "Sequential", other
				}
			}
			out = append(out, more...)
		}
		used[snakeCase(class)]++
	}
	if o == nil {
		for _, l := range m.Layers() {
			add(l, l.Class, nil)
		}
		return out
	}
	if c, err := parseModel(o); err == nil { // the model was made of it
		for i := range c.Layers {
			l := &c.Layers[i]
			add(infos[layerName(l.Name)], l.Class, l)
		}
	}
	return out
}

// fits says whether the file has weights of the right shapes for all layers.
func (f *File) fits(places []leaf) bool {
	stored := map[string][]weights.Tensor{}
	for _, l := range f.Layers {
		stored[standardPath(l.Path)] = l.Tensors
	}
	for _, p := range places {
		if len(p.weights) > 0 && !fitting(stored[p.path], p.weights) {
			return false
		}
	}
	return true
}

// snakeCase is Keras 3's to_snake_case: Conv2D becomes conv2d, ReLU re_lu.
func snakeCase(class string) string {
	class = firstWord.ReplaceAllString(class, "${1}_$2")
	return strings.ToLower(lowerUpper.ReplaceAllString(class, "${1}_$2"))
}

var (
	firstWord  = regexp.MustCompile(`(.)([A-Z][a-z]+)`)
	lowerUpper = regexp.MustCompile(`([a-z])([A-Z])`)
)

// byPlace matches Keras 3's own layout.
func (f *File) byPlace(places []leaf) []weights.Tensor {
	byPath, byName := map[string]leaf{}, map[string]leaf{}
	for _, l := range places {
		byPath[l.path], byName[l.name] = l, l
	}
	// Without the configuration, names tell more than the order of layers, unless they are another model's.
	named := f.Config == nil
	for _, l := range f.Layers {
		if _, ok := byName[layerName(l.Name)]; !ok && !isState(l.Path) {
			named = false
		}
	}
	var out []weights.Tensor
	for _, l := range f.Layers {
		if isState(l.Path) {
			continue
		}
		own := byPath[standardPath(l.Path)]
		if named {
			own = byName[layerName(l.Name)]
		}
		for i, t := range l.Tensors {
			t.Name = l.Path + "/vars/" + t.Name
			if i < len(own.weights) {
				t.Name = own.weights[i].Name
			}
			out = append(out, t)
		}
	}
	return out
}

// isState says whether variables are the state of a generator of random numbers, which is not kept.
func isState(path string) bool {
	return path == "seed_generator" || strings.HasSuffix(path, "/seed_generator")
}

// standardPath puts the names of today for those of the first versions of the layout, in Keras 2.12.
func standardPath(path string) string {
	return strings.ReplaceAll(path, "_layer_checkpoint_dependencies", "layers")
}

// variableNames gives the names of variables by the paths of layers, as far as the configuration tells.
func (f *File) variableNames() map[string][]string {
	m, err := Model(f.Config)
	if err != nil {
		return nil // the names are a help, no more
	}
	o, err := f.object()
	if err != nil {
		return nil
	}
	out := map[string][]string{}
	for _, l := range f.leaves(m, o, "") {
		for _, w := range l.weights {
			out[l.path] = append(out[l.path], w.Name)
		}
	}
	return out
}
