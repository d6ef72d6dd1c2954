package bench

import (
	"errors"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// subject is a case made ready to run on an engine.
type subject interface {
	Subject

	StartProfile() error
	StopProfile()
	Profile() *graph.Profile
}

// Subject is a case made ready to run, for those who time it themselves.
type Subject interface {
	Run() error               // one batch: a whole training step, or inference
	Loss() float64            // of the last run of a training step; NaN of inference
	Probabilities() []float32 // of the last run of inference, (batch, classes), which the next one overwrites; nil of a training step
	Plan() *graph.Plan        // what is run
	Close() error
}

// Prepare makes a case ready on an engine, with the weights that a training begins with. Nothing is verified. Close it before the engine.
// A case that needs more memory than there is is a [*MemoryError].
func Prepare(e graph.Engine, c Case) (Subject, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := c.fits(); err != nil {
		return nil, err
	}
	return newSubject(e, c, deal(c, c.Batch), usual)
}

// optimizer is that of all training steps.
var optimizer = train.SGD{Momentum: 0.9}

// rate is the learning rate of the timed steps: small, so that the weights stay what they are however long it takes.
const rate = 1e-4

// usual gives m the weights that a training begins with, which are those of the timed runs.
func usual(m *nn.Model) error { return m.Initialize(seed, tensor.Float32) }

// trainer trains on one batch again and again.
type trainer struct {
	*train.Step
	model *nn.Model
	slots train.Slots
	batch *batch
	steps int
	last  train.StepResult
}

func newTrainer(e graph.Engine, c Case, b *batch, begin func(*nn.Model) error) (*trainer, error) {
	t := &trainer{batch: b}
	var err error
	if t.model, err = c.model(); err != nil {
		return nil, err
	}
	if err := begin(t.model); err != nil {
		return nil, err
	}
	t.slots = train.NewSlots(t.model, optimizer)
	t.Step, err = train.NewTrainStep(e, t.model, optimizer, t.slots, c.Batch, seed)
	return t, err
}

// Run feeds the batch and runs a step.
func (t *trainer) Run() error {
	_, err := t.step(rate)
	return err
}

func (t *trainer) step(rate float64) (train.StepResult, error) {
	r, err := t.Step.Run(t.batch.images, t.batch.labels, rate, t.steps)
	t.steps++
	t.last = r
	return r, err
}

func (t *trainer) Loss() float64 { return t.last.Loss }

func (*trainer) Probabilities() []float32 { return nil }

// predictor infers from one batch again and again.
type predictor struct {
	*graph.Machine
	probabilities []float32 // (batch, classes), overwritten by Run
}

func newPredictor(e graph.Engine, c Case, b *batch, begin func(*nn.Model) error) (*predictor, error) {
	m, err := c.model()
	if err != nil {
		return nil, err
	}
	if err := begin(m); err != nil {
		return nil, err
	}
	g := gorgonia.NewGraph()
	x := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithName("images"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(c.Batch, c.Size, c.Size, 3), tensor.WithBacking(b.images))))
	net, err := m.Build(g, nn.BuildConfig{Batch: c.Batch, Input: x, Dtype: tensor.Float32})
	if err != nil {
		return nil, err
	}
	p := &predictor{}
	p.Machine, err = graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(net.Output), graph.WithResident(net.Nodes()...))
	if err != nil {
		return nil, err
	}
	v, err := p.Value(net.Output)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.probabilities = v.Data().([]float32)
	return p, nil
}

// Run is the machine's RunAll.
func (p *predictor) Run() error { return p.RunAll() }

func (*predictor) Loss() float64 { return math.NaN() }

func (p *predictor) Probabilities() []float32 { return p.probabilities }
