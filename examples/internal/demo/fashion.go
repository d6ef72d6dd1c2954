package demo

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/data"
)

// Fashion hands out batches of the built-in sample of Fashion-MNIST: grey images of clothes, 32×32 with their border, in ten
// classes.
type Fashion struct {
	images, classes *tensor.Dense // of a batch
	x, y            *gorgonia.Node
	set             *data.Dataset
}

// FashionSize and FashionClasses describe the images.
const (
	FashionSize    = 32
	FashionClasses = 10
)

// NewFashion binds batches to x, of shape (batch, 1, 32, 32) or (batch, 1024), and y, of shape (batch, 10).
func NewFashion(x, y *gorgonia.Node) (*Fashion, error) {
	sample, err := data.Sample()
	if err != nil {
		return nil, err
	}
	empty := func(n *gorgonia.Node) *tensor.Dense {
		return tensor.New(tensor.Of(n.Dtype()), tensor.WithShape(n.Shape().Clone()...))
	}
	return &Fashion{images: empty(x), classes: empty(y), x: x, y: y, set: sample.Train}, nil
}

// Batch binds the images of a step.
func (f *Fashion) Batch(step int) error {
	batch := f.y.Shape()[0]
	f.classes.Zero()
	for i := range batch {
		k := (step*batch + i) % f.set.Len()
		channels := f.set.Shape[2]
		for j := range FashionSize * FashionSize {
			put(f.images, i*FashionSize*FashionSize+j, float64(f.set.Image(k)[j*channels])/255)
		}
		put(f.classes, i*FashionClasses+int(f.set.Labels[k]), 1)
	}
	if err := gorgonia.Let(f.x, f.images); err != nil {
		return err
	}
	return gorgonia.Let(f.y, f.classes)
}

func put(t *tensor.Dense, i int, x float64) {
	switch d := t.Data().(type) {
	case []float32:
		d[i] = float32(x)
	case []float64:
		d[i] = x
	}
}
