package keras

import (
	"encoding/json"
	"maps"
	"path"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// adapt gives a Normalization layer that was adapted to data as a whole, axis=None, its mean and variance: Keras counts them among the
// weights, package nn has them as numbers of the layer. Where there are some for each channel they are weights here, too.
func (b *builder) adapt(o *object) error {
	if o.Class != "Normalization" || b.file == nil {
		return nil
	}
	args, err := o.fields()
	if err != nil {
		return err
	}
	if text := string(args["mean"]); text != "" && text != "null" || string(args["axis"]) != "null" {
		return nil
	}
	l := b.file.layerAt(b.paths[o.Name], o.Name)
	if l == nil {
		return nil // and the layer will complain
	}
	args = maps.Clone(args)
	for i, key := range []string{"mean", "variance"} {
		for j := range l.Tensors {
			t := &l.Tensors[j]
			if name := path.Base(plainName("", t.Name)); name != key && (!b.file.numbered || j != i) {
				continue
			}
			v, err := numbers(t)
			if err != nil {
				return err
			}
			if args[key], err = json.Marshal(v); err != nil {
				return wrong("", "its %s is not finite", key)
			}
		}
	}
	if o.Config, err = json.Marshal(args); err != nil {
		return wrong("", "its config is not valid: %v", err)
	}
	return nil
}

// layerAt finds the weights of a layer by its path, or in the legacy layout by its name.
func (f *File) layerAt(path, name string) *Layer {
	for i := range f.Layers {
		if l := &f.Layers[i]; f.numbered && standardPath(l.Path) == path || !f.numbered && l.Name == name {
			return l
		}
	}
	return nil
}

// numbers are the elements of a tensor.
func numbers(t *weights.Tensor) ([]float64, error) {
	if v, ok := t.Data.([]float64); ok {
		return v, nil
	}
	narrow, err := t.Float32s()
	if err != nil {
		return nil, wrong("", "its weight %q holds no floats", t.Name)
	}
	out := make([]float64, len(narrow))
	for i, v := range narrow {
		out[i] = float64(v)
	}
	return out, nil
}

// isFixed says whether a layer has the weights that Keras gives it as numbers.
func isFixed(l nn.Layer) bool {
	n, ok := l.(nn.Normalization)
	return ok && len(n.Mean)+len(n.Variance) > 0
}
