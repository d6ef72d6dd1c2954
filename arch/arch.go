// Package arch holds network architectures as configuration structs: the papers' tables, read as code over package nn.
// Names of layers, defaults and parameter counts are those of the Keras models they follow.
//
//	m, err := arch.ResNet50{Classes: 100}.Model() // layers, weights, summary; build it with m.Build
//	net, err := arch.VGG16{Classes: 10}.Build(g, x) // nodes in your own graph, with initial weights
package arch

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
)

// Architecture is what the structs of this package implement.
type Architecture interface {
	// Model describes the network; its weights have no values yet. Mistakes in the configuration are *nn.Error.
	Model() (*nn.Model, error)
	// Build adds the network to x's graph for training, with initial weights of x's element type made from the
	// configuration's Seed. x is a batch of images, (batch, rows, columns, channels); g may be nil. For inference, or to
	// share or load weights, use Model and nn.Model.Build.
	Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error)
}

// Default sizes where a configuration says nothing: CIFAR-100's.
var defaultInput = nn.Shape{32, 32, 3}

const defaultClasses = 100

func inputOr(s nn.Shape) nn.Shape {
	if len(s) == 0 {
		return defaultInput
	}
	return s
}

// build makes a model with fresh weights and adds it to the graph for training.
func build(a Architecture, seed uint64, g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	if x == nil {
		return nil, &nn.Error{Kind: nn.ErrNilTensor, Class: fmt.Sprintf("%T", a), Problem: "Build got no input node",
			Remedy: "make one with gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(batch, 32, 32, 3), gorgonia.WithName(\"x\"))"}
	}
	m, err := a.Model()
	if err != nil {
		return nil, err
	}
	dt := tensor.Float32
	if t, ok := x.Type().(gorgonia.TensorType); ok && t.Of == tensor.Float64 {
		dt = tensor.Float64
	}
	if err := m.Initialize(seed, dt); err != nil {
		return nil, err
	}
	return m.Build(g, nn.BuildConfig{Input: x, Training: true, Seed: seed})
}

// start begins a description with its input.
func start(name string, format nn.DataFormat, input nn.Shape, batch int) (*nn.Builder, *nn.Tensor) {
	b := nn.NewBuilder(name)
	b.DataFormat = format
	return b, b.Add(nn.Input{Shape: inputOr(input), Batch: batch})
}

// permuted moves the channels to the front for ChannelsFirst, as the reference ResNet does: images come as
// rows, columns, channels in both formats.
func permuted(b *nn.Builder, x *nn.Tensor) *nn.Tensor {
	if b.DataFormat == nn.ChannelsFirst {
		x = b.Add(nn.Permute{Dims: []int{3, 1, 2}}, x)
	}
	return x
}
