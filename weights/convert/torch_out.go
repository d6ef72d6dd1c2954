package convert

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// SaveTorch writes the weights of a model as safetensors for PyTorch: axes in its order, named as its modules name them behind the layers'
// names, "conv2d.weight". A module whose parts are called like the layers reads them:
//
//	module.load_state_dict(safetensors.torch.load_file("m.safetensors"))
//
// The parts of a separable convolution are "name.depthwise" and "name.pointwise"; attention is that of nn.MultiheadAttention, where queries, keys and
// values are of one size. Inputs of dense layers behind a Flatten of images are in the
// order channels, rows, columns, as PyTorch flattens. The module's batch normalization needs the layer's epsilon, eps=1e-3 by default; where the
// layer has NoScale or NoCenter, the file lacks what PyTorch has at 1 and 0, and load_state_dict wants strict=False. A model within the model is
// refused, and a weight without a value. The file is in memory before it is written, and an error leaves the one that was there before. [Load] reads it
// back with a Map of each layer to itself.
func SaveTorch(path string, m *nn.Model) error {
	if m == nil {
		return errNoModel
	}
	var f weights.File
	all, _ := slots(m)
	attention := stacker{map[string][]weights.Tensor{}}
	for _, s := range all {
		if _, nested := s.layer.Config.(*nn.Model); nested {
			return fmt.Errorf("convert: %q is a model within the model, whose layers' order of axes is not looked into; save it by itself", s.layer.Name)
		}
		if s.weight.Value == nil {
			return fmt.Errorf("convert: weight %q has no value to save; call Initialize, or train the model first", s.weight.Name)
		}
		a := s.arrangement(TorchLayout)
		t := weights.Tensor{Name: s.module() + "." + s.leaf(), Shape: a.shape, Data: s.weight.Value.Data()}
		switch x := s.weight.Value.Data().(type) {
		case []float32:
			t.Data = put(a, x)
		case []float64:
			t.Data = put(a, x)
		}
		f.Tensors = append(f.Tensors, attention.add(s, t)...)
		if s.leaf() == "running_var" { // PyTorch counts batches, which its default momentum does not look at, and wants the counter
			f.Tensors = append(f.Tensors, weights.Tensor{Name: s.module() + ".num_batches_tracked", Shape: tensor.Shape{}, Data: []int64{0}})
		}
	}
	return weights.WriteSafetensors(path, &f)
}

// module is the module of PyTorch that the weight belongs to, by the layer's name.
func (s *slot) module() string {
	name := s.weight.Name[:len(s.weight.Name)-len(s.local)-1]
	if s.part != "" {
		return name[:len(name)-len(s.part)-1] + "." + s.part
	}
	switch {
	case s.local == "depthwise_kernel":
		return name + ".depthwise"
	case s.local == "pointwise_kernel", s.local == "bias" && separable(s.layer.Class):
		return name + ".pointwise"
	}
	return name
}

func separable(class string) bool { return class == "SeparableConv1D" || class == "SeparableConv2D" }

// put is the inverse of take: the elements of a weight where the file has them.
func put[T float32 | float64](a arrangement, x []T) []T {
	if a.view == nil {
		return x
	}
	out, at := make([]T, len(x)), make([]int, len(a.view))
	for _, v := range x {
		place := 0
		for i, n := range at {
			place += n * a.strides[i]
		}
		out[place] = v
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < a.view[i] {
				break
			}
			at[i] = 0
		}
	}
	return out
}
