package keras

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/internal/hdf5"
)

// legacy reads the layout of Keras 1 and 2, and of .h5 files of Keras 3: a group for each layer, with the attribute
// weight_names; layer_names lists them.
func (f *File) legacy(root, group *hdf5.Object) error {
	for _, a := range []struct {
		name string
		to   *json.RawMessage
	}{{"model_config", &f.Config}, {"training_config", &f.Training}} {
		text, err := attributeText(root, a.name)
		if err != nil {
			return err
		}
		if text != "" {
			*a.to = json.RawMessage(text)
		}
	}
	for _, o := range []*hdf5.Object{root, group} {
		version, err := attributeText(o, "keras_version")
		if err != nil {
			return err
		}
		f.Version = cmp.Or(f.Version, version)
	}
	layers, err := attributeNames(group, "layer_names")
	if err != nil {
		return err
	}
	met := map[int64]bool{}
	for _, name := range append(layers, "top_level_model_weights") {
		g, err := group.Member(name)
		if err != nil {
			return err
		}
		if g == nil {
			if name == "top_level_model_weights" {
				continue // since Keras 2.8
			}
			return wrong("the file is damaged", "layer_names lists %q, but %q has no such group", name, group.Path())
		}
		if met[g.Place()] {
			return wrong("the file is damaged, or not written by Keras", "%q is the group of two layers", g.Path())
		}
		met[g.Place()] = true
		l, err := legacyLayer(g, name)
		if err != nil {
			return err
		}
		if len(l.Tensors) > 0 {
			f.Layers = append(f.Layers, l)
		}
	}
	return nil
}

// legacyLayer reads the weights of a layer's group.
func legacyLayer(g *hdf5.Object, name string) (Layer, error) {
	l := Layer{Name: name, Path: name}
	variables, err := attributeNames(g, "weight_names")
	if err != nil {
		return l, err
	}
	met := map[int64]bool{}
	for _, v := range variables {
		o, err := g.Member(v)
		if err != nil {
			return l, err
		}
		if o == nil || !o.IsDataset() {
			return l, wrong("the file is damaged", "weight_names lists %q, but %q has no such dataset", v, g.Path())
		}
		if met[o.Place()] {
			return l, wrong("the file is damaged, or not written by Keras", "weight_names of %q lists %q twice", g.Path(), v)
		}
		met[o.Place()] = true
		t, err := readTensor(o, v)
		if err != nil {
			return l, err
		}
		l.Tensors = append(l.Tensors, t)
	}
	return l, nil
}

// readTensor reads a dataset. Keras 3 marks bfloat16, which HDF5 does not have, by an attribute.
func readTensor(o *hdf5.Object, name string) (weights.Tensor, error) {
	d, err := o.Dataset()
	if err != nil {
		return weights.Tensor{}, err
	}
	a, err := d.Read()
	if err != nil {
		return weights.Tensor{}, err
	}
	t := weights.Tensor{Name: name, DType: a.DType, Shape: a.Shape, Data: a.Data}
	if count, ok := single(a.Data); ok && len(a.Shape) == 0 {
		// The count of a Normalization. Package nn has no scalars among the weights, and no integers.
		return weights.Tensor{Name: name, DType: "F32", Shape: []int{1}, Data: []float32{count}}, nil
	}
	switch a.DType {
	case hdf5.String:
		return t, wrong("", "%q holds texts, not numbers", o.Path())
	case hdf5.Opaque:
		dtype, err := attributeText(o, "dtype")
		if err != nil {
			return t, err
		}
		raw, n := a.Data.([]byte), 1
		for _, d := range a.Shape {
			n *= d
		}
		if dtype != "bfloat16" || len(raw) != 2*n {
			return t, wrong("save the model as float32", "%q holds elements of an unknown type (dtype %q)", o.Path(), dtype)
		}
		return weights.NewTensor(name, "BF16", a.Shape, func(to []byte) error {
			copy(to, raw)
			return nil
		})
	}
	return t, nil
}

// attributeText is an attribute of one string; "" where there is none.
func attributeText(o *hdf5.Object, name string) (string, error) {
	a, err := o.Attribute(name)
	if err != nil || a == nil {
		return "", err
	}
	text, ok, err := a.Text()
	if err == nil && !ok {
		err = wrong("", "the attribute %q of %q is not a text", name, o.Path())
	}
	return text, err
}

// attributeNames is an attribute of any number of strings. Keras splits those of more than 64,512 bytes into name0, name1, ….
func attributeNames(o *hdf5.Object, name string) ([]string, error) {
	var out []string
	for i := -1; ; i++ {
		part := name
		if i >= 0 {
			part = fmt.Sprint(name, i)
		}
		a, err := o.Attribute(part)
		if err != nil {
			return nil, err
		}
		if a == nil && i < 0 {
			continue
		}
		if a == nil {
			break
		}
		v, err := a.Value()
		if err != nil {
			return nil, err
		}
		names, ok := v.Data.([]string)
		if count := len(names); !ok && !empty(v.Shape) || ok && count > 1<<24 {
			return nil, wrong("", "the attribute %q of %q is no list of names", part, o.Path())
		}
		out = append(out, names...)
		if i < 0 {
			break
		}
	}
	return out, nil
}

// empty says whether a shape has no elements: NumPy makes an empty list one of numbers.
func empty(shape []int) bool {
	for _, d := range shape {
		if d == 0 {
			return true
		}
	}
	return false
}

// single is the only element of whole numbers.
func single(data any) (float32, bool) {
	v := reflect.ValueOf(data)
	if v.Kind() != reflect.Slice || v.Len() != 1 {
		return 0, false
	}
	switch one := v.Index(0); one.Kind() {
	case reflect.Int32, reflect.Int64:
		return float32(one.Int()), true
	case reflect.Uint32, reflect.Uint64:
		return float32(one.Uint()), true
	}
	return 0, false
}
