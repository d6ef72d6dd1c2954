package train

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
)

// Predictor computes class probabilities of single images. Close it before its engine.
type Predictor struct {
	machine *graph.Machine
	images  []float32
	probs   []float32
}

// NewPredictor compiles the inference of m for one image on engine e. It predicts with the weights as they are now.
func NewPredictor(e graph.Engine, m *nn.Model) (*Predictor, error) {
	g := gorgonia.NewGraph()
	in := append(tensor.Shape{1}, m.InputShape()...)
	p := &Predictor{images: make([]float32, in.TotalSize())}
	x := gorgonia.NewTensor(g, tensor.Float32, len(in), gorgonia.WithShape(in...), gorgonia.WithName("image"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(in...), tensor.WithBacking(p.images))))
	net, err := m.Build(g, nn.BuildConfig{Batch: 1, Input: x, Dtype: tensor.Float32})
	if err != nil {
		return nil, err
	}
	if p.machine, err = graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(net.Output), graph.WithResident(net.Nodes()...)); err != nil {
		return nil, err
	}
	v, err := p.machine.Value(net.Output)
	if err != nil {
		return nil, errors.Join(err, p.machine.Close())
	}
	p.probs = v.Data().([]float32)
	return p, nil
}

// Run returns the probabilities of the classes, (classes,), for one image, normalised as in training, (rows, columns, channels).
// The slice is overwritten by the next call.
func (p *Predictor) Run(image []float32) ([]float32, error) {
	if len(image) != len(p.images) {
		return nil, fmt.Errorf("train: the model takes images of %d numbers, got %d", len(p.images), len(image))
	}
	copy(p.images, image)
	if err := p.machine.RunAll(); err != nil {
		return nil, err
	}
	return p.probs, nil
}

// Close frees the compiled plan.
func (p *Predictor) Close() error { return p.machine.Close() }
