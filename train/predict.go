package train

import (
	"errors"
	"fmt"
	"sync"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
)

// Predictor computes the output of a model of one input, such as class probabilities, for samples of float32; for models of several there is [Fitter.Predict]. Its memory is planned when it is made. It
// may be used from several goroutines, which take turns. Close it before its engine.
type Predictor struct {
	mu       sync.Mutex
	programs []*inference // for batches of one sample and of the most, or only the first
	in, out  int          // numbers of a sample and of its output
}

// inference is a model compiled for batches of n samples.
type inference struct {
	machine     *graph.Machine
	n           int
	samples     []float32 // (n, …)
	predictions []float32 // (n, …)
}

// NewPredictor compiles the inference of m for one sample on engine e. It predicts with the weights as they are now.
func NewPredictor(e graph.Engine, m *nn.Model) (*Predictor, error) { return NewBatchPredictor(e, m, 1) }

// NewBatchPredictor is NewPredictor for up to batch samples at a time, for RunBatch: larger batches take more memory and less time a sample.
func NewBatchPredictor(e graph.Engine, m *nn.Model, batch int) (*Predictor, error) {
	if err := errors.Join(checkOne(m), checkBatch(batch)); err != nil {
		return nil, err
	}
	p := &Predictor{in: m.InputShape().Size(), out: m.OutputShape().Size()}
	sizes := []int{1}
	if batch > 1 {
		sizes = append(sizes, batch)
	}
	for _, n := range sizes {
		program, err := newInference(e, m, n)
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		p.programs = append(p.programs, program)
	}
	return p, nil
}

func newInference(e graph.Engine, m *nn.Model, n int) (*inference, error) {
	g := gorgonia.NewGraph()
	in := append(tensor.Shape{n}, m.InputShape()...)
	x, samples := input[float32](g, "image", false, in...)
	net, err := m.Build(g, nn.BuildConfig{Batch: n, Input: x, Dtype: tensor.Float32})
	if err != nil {
		return nil, err
	}
	machine, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(net.Output), graph.WithResident(net.Nodes()...))
	if err != nil {
		return nil, err
	}
	v, err := machine.Value(net.Output)
	if err != nil {
		return nil, errors.Join(err, machine.Close())
	}
	predictions, ok := v.Data().([]float32)
	if !ok {
		return nil, errors.Join(fmt.Errorf("train: the model's outputs are %T, expected float32", v.Data()), machine.Close())
	}
	return &inference{machine: machine, n: n, samples: samples, predictions: predictions}, nil
}

// Run returns the output of the model, such as the probabilities of the classes, (classes,), for one image, normalised as in training,
// (rows, columns, channels), or for another sample of the model's input shape.
func (p *Predictor) Run(image []float32) ([]float32, error) {
	if len(image) != p.in || p.in == 0 {
		return nil, fmt.Errorf("train: the model takes images of %d numbers, got %d", p.in, len(image))
	}
	return p.RunBatch(image)
}

// RunBatch returns the outputs for any number of samples, one behind the other: of (n, …sample) numbers (n, …output). They are computed in
// batches of the size that NewBatchPredictor was given, the last one filled up with zeros; in inference no sample depends on others.
func (p *Predictor) RunBatch(samples []float32) ([]float32, error) {
	if p.in == 0 || len(samples)%p.in != 0 {
		return nil, fmt.Errorf("train: the model takes samples of %d numbers, got %d, which is no multiple of it", p.in, len(samples))
	}
	n := len(samples) / p.in
	results := make([]float32, 0, n*p.out)
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(samples) > 0 {
		program := p.programs[0]
		if len(samples) > p.in {
			program = p.programs[len(p.programs)-1]
		}
		now := copy(program.samples, samples)
		clear(program.samples[now:])
		if err := program.machine.RunAll(); err != nil {
			return nil, err
		}
		results = append(results, program.predictions[:now/p.in*p.out]...)
		samples = samples[now:]
	}
	return results, nil
}

// Close frees the compiled plans. Of a Predictor that is nil it does nothing.
func (p *Predictor) Close() (err error) {
	if p == nil {
		return nil
	}
	p.mu.Lock() // a batch that is under way is computed first
	defer p.mu.Unlock()
	for _, program := range p.programs {
		err = errors.Join(err, program.machine.Close())
	}
	return err
}
