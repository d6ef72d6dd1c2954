package bench

import (
	"errors"
	"math"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// subject is a case made ready to run on an engine.
type subject interface {
	Subject

	rehearse() error // some runs that change nothing
	finish() error   // waits for runs that are under way
	restart() error  // with the weights of usual

	StartProfile() error
	StopProfile()
	Profile() *graph.Profile
}

// Subject is a case made ready to run, for those who time it themselves.
type Subject interface {
	Run() error               // one batch: a whole training step, which may be under way for a while, or inference
	Loss() float64            // of the last run of a training step; NaN of inference
	Probabilities() []float32 // of the last run of inference, (batch, classes), which the next one overwrites; nil of a training step
	Plan() *graph.Plan        // what is run
	Close() error
}

// Prepare makes a case ready on an engine, with the weights that a training begins with, and for inference with
// running averages and a last layer that tell images apart. Nothing is verified. Close it before the engine.
// A case that needs more memory than there is is a [*MemoryError].
func Prepare(e graph.Engine, c Case) (Subject, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := c.fits(); err != nil {
		return nil, err
	}
	begin, err := settled(e, c)
	if err != nil {
		return nil, err
	}
	return newSubject(e, c, dealFor(e, c, c.Batch), begin)
}

// optimizer is that of all training steps.
var optimizer = train.SGD{Momentum: 0.9}

// rate is the learning rate of the timed steps: small, so that the weights stay what they are however long it takes.
const rate = 1e-4

// usual gives m the weights that a training begins with, which are those of the timed runs.
func usual(m *nn.Model) error { return m.Initialize(seed, tensor.Float32) }

// trainer trains on one batch again and again. With a raw batch it does as training does: the batch is fed, and where the device has a queue
// its step started, while the step before is computed.
type trainer struct {
	*train.Step
	model *nn.Model
	slots train.Slots
	batch *batch
	feeds *data.Batch // the same, as steps are fed with it
	fed   bool        // the batch of the next step is on its way
	under int         // steps that are started and not waited for
	steps int
	last  train.StepResult
}

func newTrainer(e graph.Engine, c Case, b *batch, begin func(*nn.Model) error) (*trainer, error) {
	t := &trainer{batch: b, feeds: b.data()}
	var err error
	if t.model, err = c.model(); err != nil {
		return nil, err
	}
	if err := begin(t.model); err != nil {
		return nil, err
	}
	t.slots = train.NewSlots(t.model, optimizer)
	if b.pixels == nil {
		t.Step, err = train.NewTrainStep(e, t.model, optimizer, t.slots, c.Batch, seed)
		return t, err
	}
	l, err := b.loader(c)
	if err != nil {
		return nil, err
	}
	t.Step, err = train.NewTrainStepFor(l, e, t.model, optimizer, t.slots, c.Batch, seed)
	return t, err
}

// Run feeds the batch and runs a step.
func (t *trainer) Run() (err error) {
	if t.batch.pixels == nil {
		_, err := t.step(rate)
		return err
	}
	if !t.fed {
		if err := t.feed(rate); err != nil {
			return err
		}
	}
	t.fed = false
	if err := t.StartNext(); err != nil {
		return err
	}
	t.under++
	if err := t.feed(rate); err != nil {
		return err
	}
	t.fed = true
	if t.under == 1 && t.Queues() {
		return nil // so that the device has the next step before it has done this one
	}
	return t.wait()
}

// wait waits for the oldest step that is under way.
func (t *trainer) wait() (err error) {
	t.under--
	t.last, err = t.Wait()
	return err
}

func (t *trainer) finish() error {
	for t.under > 0 {
		if err := t.wait(); err != nil {
			return err
		}
	}
	return nil
}

// StartProfile begins to record steps, which are run one by one from now on.
func (t *trainer) StartProfile() error { return errors.Join(t.finish(), t.Step.StartProfile()) }

// step feeds the batch, runs a step and waits for it.
func (t *trainer) step(rate float64) (r train.StepResult, err error) {
	if err := t.finish(); err != nil {
		return r, err
	}
	if err := t.feed(rate); err != nil {
		return r, err
	}
	if err := t.Start(); err != nil {
		return r, err
	}
	t.last, err = t.Wait()
	return t.last, err
}

func (t *trainer) feed(rate float64) error {
	err := t.FeedBatch(t.feeds, rate, t.steps)
	t.steps++
	return err
}

// rehearsals are the runs after which a GPU's engine launches a step as one graph.
const rehearsals = 2

// rehearse runs steps with a learning rate of 0, and puts back what they change all the same: running averages.
func (t *trainer) rehearse() error {
	kept := map[*nn.Weight][]float32{}
	for _, w := range t.model.Weights() {
		if !w.Trainable {
			kept[w] = slices.Clone(w.Value.Data().([]float32))
		}
	}
	for range rehearsals {
		if _, err := t.step(0); err != nil {
			return err
		}
	}
	if err := t.Sync(); err != nil {
		return err
	}
	for w, values := range kept {
		copy(w.Value.Data().([]float32), values)
	}
	return t.Refresh()
}

// restart begins anew with the weights of usual.
func (t *trainer) restart() error {
	if err := t.Sync(); err != nil {
		return err
	}
	if err := usual(t.model); err != nil { // which writes into the tensors that there are
		return err
	}
	for _, s := range t.slots {
		clear(s.Data().([]float32))
	}
	t.steps = 0
	return t.Refresh()
}

func (t *trainer) Loss() float64 { return t.last.Loss }

func (*trainer) Probabilities() []float32 { return nil }

// predictor infers from one batch again and again. A raw batch is fed as evaluation feeds it: while the run before is computed.
type predictor struct {
	*graph.Machine
	batch         *batch
	fed           bool      // the batch of the next run is on its way
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
	x, err := b.node(g, c)
	if err != nil {
		return nil, err
	}
	net, err := m.Build(g, nn.BuildConfig{Batch: c.Batch, Input: x, Dtype: tensor.Float32})
	if err != nil {
		return nil, err
	}
	p := &predictor{batch: b}
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

// Run is the machine's RunAll, but for what a raw batch is fed with: that is done for the next run meanwhile.
func (p *predictor) Run() error {
	if p.batch.pixels == nil {
		return p.RunAll()
	}
	if !p.fed {
		if err := p.Feed(); err != nil {
			return err
		}
	}
	p.fed = false
	if err := p.Start(); err != nil {
		return err
	}
	if err := p.Feed(); err != nil {
		return err
	}
	p.fed = true
	return p.Wait()
}

func (p *predictor) rehearse() error {
	for range rehearsals {
		if err := p.Run(); err != nil {
			return err
		}
	}
	return nil
}

// restart does nothing: inference leaves its weights as they are, and those that were verified, whose numbers stay in range, do as well.
func (*predictor) restart() error { return nil }

func (*predictor) finish() error { return nil } // a run ends with its scores

func (*predictor) Loss() float64 { return math.NaN() }

func (p *predictor) Probabilities() []float32 { return p.probabilities }
