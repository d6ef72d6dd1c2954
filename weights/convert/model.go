package convert

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/numpy"
)

var errNoModel = errors.New("convert: the model is nil; look at the error of the call that was to return it")

// Save writes the weights of a model as safetensors, or to a path that ends with .npz as arrays of NumPy, each under its name, as Keras's
// Model.save_weights does. [Load] gives them back bit by bit. [SaveTorch] writes them as PyTorch has them. The model's layers are not in the file:
// describe them again, or use package onnx. An error leaves the file that was there before.
func Save(path string, m *nn.Model) error {
	if m == nil {
		return errNoModel
	}
	var f weights.File
	for _, w := range m.Weights() {
		if w.Value == nil {
			return fmt.Errorf("convert: weight %q has no value to save; call Initialize, or train the model first", w.Name)
		}
		f.Tensors = append(f.Tensors, weights.Tensor{Name: w.Name, Shape: w.Shape, Data: w.Value.Data()})
	}
	if strings.EqualFold(filepath.Ext(path), ".npz") {
		return numpy.Write(path, f.Tensors)
	}
	return weights.WriteSafetensors(path, &f)
}

// Load fills the weights of a model with those of a file of any format that [Open] knows, as Keras's Model.load_weights
// does; weights without values get memory of float32 first. Every tensor must have its place: otherwise the error is a
// *[MismatchError] that lists what does not fit, and nothing is changed. What [Save] wrote comes back bit by bit.
func Load(path string, m *nn.Model, o Options) error {
	if m == nil {
		return errNoModel
	}
	src, err := Open(path)
	if err != nil {
		return err
	}
	plan, err := Match(m, src, o)
	if err != nil {
		return err
	}
	if _, ok := m.Dtype(); !ok {
		if err := m.Allocate(tensor.Float32); err != nil {
			return err
		}
	}
	if plan.exact() && weights.Assign(places(m), src.Tensors) == nil {
		return nil
	}
	_, err = plan.Apply() // which also rounds float64 to float32
	return err
}

// exact says whether the tensors are the weights as they are: the same names, shapes, types and order of axes.
func (p *Plan) exact() bool {
	for _, pair := range p.Pairs {
		if pair.Tensor.Name != pair.Weight.Name || pair.Moves != "" {
			return false
		}
	}
	return len(p.Ignored) == 0
}

func places(m *nn.Model) (all []weights.NamedTensor) {
	for _, w := range m.Weights() {
		all = append(all, weights.NamedTensor{Name: w.Name, Shape: w.Shape, Data: w.Value.Data()})
	}
	return all
}
