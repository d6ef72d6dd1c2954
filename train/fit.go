package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
)

// Fitter trains models on arrays in memory, as Keras's compile and fit do: with any loss, on targets of any shape, and through Build with
// several inputs, outputs and losses. Engine, Optimizer and either Model or Models and Build must be set. The fields are not to be changed after
// the first call; whoever freezes layers in between makes another Fitter. It is for one goroutine. Close it before its engine.
//
// For classifiers of images there is more: [Trainer], with augmentation, history and checkpoints of its own, and [Step].
type Fitter struct {
	Engine    graph.Engine
	Optimizer Optimizer

	// Model is trained on one input and one target by Loss; nil is SparseCategoricalCrossentropyLoss. Its targets, and those of
	// SparseCategoricalFocalCrossentropy and of an nn.LossFunc that is Sparse, are class numbers, int of the output's shape without the last axis;
	// those of other losses are float32 of the output's shape.
	Model *nn.Model
	Loss  nn.Loss

	// Build makes the graph of networks that are more than one model and one loss, of Models, for batches of a size. It is called for
	// every batch size, in training and not, and must make the same network each time. Weights of different models have different names.
	Models []*nn.Model
	Build  func(g *gorgonia.ExprGraph, batch int, training bool) (*FitGraph, error)

	Batch    int      // samples of a batch; 0 means Keras's 32. The last batch of an epoch may be smaller
	Epochs   int      // that Fit ends with, those of before a Load counted; 0 means 1, as in Keras
	Schedule Schedule // of the learning rate; nil means 0.001. A *PlateauSchedule observes the loss of validation, or else of training
	Seed     uint64   // of the order of samples, and of dropout in Model
	InOrder  bool     // samples are taken in their order; else each epoch in another one. Keras: shuffle=False
	// ClassWeights is how much samples of each class weigh in the loss of training, times Arrays.Weights, where there is one target, of class
	// numbers (samples,). Keras: class_weight.
	ClassWeights []float32

	Validation Arrays     // is measured after every epoch, if it has samples
	EarlyStop  *EarlyStop // nil: all epochs are done
	// Observe, if not nil, is handed every batch of Evaluate and of validation, such as to Update metrics of package metrics: the outputs, and the
	// batch with its targets. Both are overwritten afterwards.
	Observe func(outputs []*tensor.Dense, batch Arrays) error
	// OnEpoch, if not nil, is called when an epoch has ended. It may Save, Evaluate and Predict. ErrStop ends Fit without an error, any other error with it.
	OnEpoch func(FitEpoch) error

	// Slots is the optimizer's state; nil has it made. Fit leaves it there.
	Slots Slots

	steps map[fitKey]*fitStep
	state fitState
}

// EarlyStop ends training when the loss, of validation or else of training, has not become better for Patience epochs. Keras:
// callbacks.EarlyStopping.
type EarlyStop struct {
	Patience int     // epochs; 0 ends with the first that is not better
	MinDelta float64 // better by less does not count
	Restore  bool    // the weights become those of the best epoch when Fit ends. Keras: restore_best_weights
}

// FitEpoch is what an epoch of a Fitter came to.
type FitEpoch struct {
	Epoch        int     // from 1
	Step         int     // batches of training so far
	Loss         float64 // mean over the samples while they were trained on, penalties included
	ValLoss      float64 // mean over those of validation; NaN without
	LearningRate float64 // of the last step
	Best         bool    // the loss, of validation or else of training, is lower than in all epochs before, by EarlyStop's MinDelta
}

// ErrStop is what OnEpoch returns to end Fit.
var ErrStop = errors.New("train: stopped")

// fitState is where a fit stands, as checkpoints have it.
type fitState struct {
	Epoch   int           `json:"epoch"` // that are done
	Step    int           `json:"step"`
	Best    float64       `json:"best"`
	Seen    bool          `json:"seen"` // there is a best
	Wait    int           `json:"wait"` // epochs without a better one
	Plateau *PlateauState `json:"plateau,omitempty"`

	weights Slots // of the best epoch, if they are to be restored
}

func (f *Fitter) models() []*nn.Model {
	if f.Model != nil {
		return []*nn.Model{f.Model}
	}
	return f.Models
}

func (f *Fitter) batch() int {
	if f.Batch == 0 {
		return 32
	}
	return f.Batch
}

// check looks at the fields, and makes slots where there are none.
func (f *Fitter) check(training bool) error {
	wrong := func(field, problem, remedy string) error { return &ArgumentError{"Fitter." + field, problem, remedy} }
	switch {
	case isNil(f.Engine):
		return wrong("Engine", "is nil", "open one, e.g. with graph.Open(\"cpu\", graph.Config{})")
	case f.Model != nil && (f.Build != nil || len(f.Models) > 0):
		return wrong("Model", "is set beside Models or Build", "give the one model and its loss, or the models and what builds their graph")
	case f.Model == nil && (f.Build == nil || len(f.Models) == 0):
		return wrong("Model", "is nil", "give it, or Models and Build")
	case f.Batch < 0:
		return wrong("Batch", fmt.Sprintf("is %d", f.Batch), "")
	case f.Epochs < 0:
		return wrong("Epochs", fmt.Sprintf("is %d", f.Epochs), "")
	}
	owner := map[string]*nn.Weight{}
	for _, m := range f.models() {
		if err := checkModel(m); err != nil {
			return err
		}
		for _, w := range m.Weights() {
			if w.Value == nil {
				return wrong("Model", fmt.Sprintf("has no value for the weight %q", w.Name), "call Initialize first")
			}
			if w.Value.Dtype() != tensor.Float32 {
				return wrong("Model", fmt.Sprintf("has weights of %v, expected float32", w.Value.Dtype()), "train model.Clone(tensor.Float32)")
			}
			if other := owner[w.Name]; other != nil && other != w {
				return wrong("Models", fmt.Sprintf("have two weights called %q", w.Name), "give the layers of one of them other names")
			}
			owner[w.Name] = w
		}
	}
	if !training {
		return nil
	}
	if err := checkOptimizer(f.Optimizer); err != nil {
		return err
	}
	if b, ok := f.Optimizer.(Base); ok && b.Accumulate {
		return wrong("Optimizer", "accumulates gradients, which a Fitter does not", "set a larger Batch, or use NewAccumulateStep")
	}
	for i, w := range f.ClassWeights {
		if !(w >= 0) || math.IsInf(float64(w), 0) {
			return wrong("ClassWeights", fmt.Sprintf("has %v for class %d, expected a number of at least 0", w, i), "")
		}
	}
	if f.Slots == nil {
		f.Slots = Slots{}
	}
	for _, m := range f.models() {
		for name, slot := range NewSlots(m, f.Optimizer) {
			if f.Slots[name] == nil {
				f.Slots[name] = slot
			}
		}
		if err := f.Slots.complete(m, f.Optimizer); err != nil {
			return err
		}
	}
	return nil
}

// Fit trains on a until Epochs are done, EarlyStop or OnEpoch ends it, or ctx does, whose error it then returns. Called again, after a
// Load too, it goes on where it stands: with as many epochs as are left. An epoch that ctx ended begins again, with the weights as they have become. A
// loss that is no number is a *[DivergedError].
func (f *Fitter) Fit(ctx context.Context, a Arrays) (epochs []FitEpoch, err error) {
	if err := errors.Join(f.check(true), a.check("the training set", true)); err != nil {
		return nil, err
	}
	if f.Validation.Len() > 0 || len(f.Validation.Inputs) > 0 {
		if err := f.Validation.check("Fitter.Validation", true); err != nil {
			return nil, err
		}
	}
	weights, err := f.weigh(a)
	if err != nil {
		return nil, err
	}
	if p, ok := f.Schedule.(*PlateauSchedule); ok {
		if f.state.Plateau != nil {
			p.State = f.state.Plateau
		}
		f.state.Plateau = p.state()
	}
	defer func() { err = errors.Join(err, f.finish()) }()
	for f.state.Epoch < max(f.Epochs, 1) {
		e, err := f.epoch(ctx, a, weights)
		if err != nil {
			return epochs, err
		}
		epochs = append(epochs, e)
		stop := f.EarlyStop != nil && f.state.Wait > 0 && f.state.Wait >= f.EarlyStop.Patience
		if f.OnEpoch != nil {
			if err := f.sync(); err != nil {
				return epochs, err
			}
			if err := f.OnEpoch(e); errors.Is(err, ErrStop) {
				return epochs, nil
			} else if err != nil {
				return epochs, err
			}
		}
		if stop {
			break
		}
	}
	return epochs, nil
}

// weigh is what the samples weigh in training, nil where all weigh 1.
func (f *Fitter) weigh(a Arrays) ([]float32, error) {
	if f.ClassWeights == nil {
		return a.Weights, nil
	}
	wrong := func(problem string) error {
		return &ArgumentError{"Fitter.ClassWeights", problem, "give a number for each class, or weigh samples with Arrays.Weights"}
	}
	if len(a.Targets) != 1 || a.Targets[0].Dtype() != tensor.Int || a.Targets[0].Dims() != 1 {
		return nil, wrong("want one target of class numbers, (samples,)")
	}
	weights := make([]float32, a.Len())
	for i, class := range a.Targets[0].Data().([]int) {
		if class < 0 || class >= len(f.ClassWeights) {
			return nil, wrong(fmt.Sprintf("has %d classes, sample %d is of class %d", len(f.ClassWeights), i, class))
		}
		if weights[i] = f.ClassWeights[class]; a.Weights != nil {
			weights[i] *= a.Weights[i]
		}
	}
	return weights, nil
}

// epoch trains on every sample once, and validates.
func (f *Fitter) epoch(ctx context.Context, a Arrays, weights []float32) (FitEpoch, error) {
	order := make([]int, a.Len())
	for i := range order {
		order[i] = i
	}
	if !f.InOrder {
		rand.New(rand.NewPCG(f.Seed, uint64(f.state.Epoch))).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	var m Metrics
	rate := 0.0
	step := f.state.Step // that of the state is the last epoch's: one that ends early begins again
	for samples := range slices.Chunk(order, f.batch()) {
		if err := ctx.Err(); err != nil {
			return FitEpoch{}, err
		}
		s, err := f.step(fitKey{len(samples), true})
		if err != nil {
			return FitEpoch{}, err
		}
		rate = 1e-3
		if !isNil(f.Schedule) {
			rate = f.Schedule.At(step)
		}
		s.scalars.Set(rate, step+1)
		for _, number := range s.steps {
			*number = gorgonia.I(step)
		}
		loss, err := s.run(a, weights, samples)
		if err != nil {
			return FitEpoch{}, err
		}
		if step++; !finite(loss) {
			return FitEpoch{}, &DivergedError{Epoch: f.state.Epoch + 1, Step: step, What: "the loss", Value: loss, LearningRate: rate}
		}
		m.Add(len(samples), loss, 0, 0)
	}
	e := FitEpoch{Epoch: f.state.Epoch + 1, Step: step, Loss: m.Loss(), ValLoss: math.NaN(), LearningRate: rate}
	judged := e.Loss
	if f.Validation.Len() > 0 {
		var err error
		if e.ValLoss, err = f.Evaluate(ctx, f.Validation); err != nil {
			return e, err
		}
		if judged = e.ValLoss; !finite(judged) {
			return e, &DivergedError{Epoch: e.Epoch, Step: step, What: "the validation loss", Value: judged, LearningRate: rate}
		}
	}
	f.state.Epoch, f.state.Step = e.Epoch, step
	if p, ok := f.Schedule.(*PlateauSchedule); ok {
		p.Observe(judged)
	}
	var err error
	e.Best, err = f.judge(judged)
	return e, err
}

// judge says whether an epoch is the best, counts those that are not, and keeps the weights of the best.
func (f *Fitter) judge(loss float64) (best bool, err error) {
	s := &f.state
	delta := 0.0
	if f.EarlyStop != nil {
		delta = math.Abs(f.EarlyStop.MinDelta)
	}
	if s.Seen && !(loss < s.Best-delta) {
		s.Wait++
		return false, nil
	}
	s.Best, s.Seen, s.Wait = loss, true, 0
	if f.EarlyStop == nil || !f.EarlyStop.Restore {
		return true, nil
	}
	if err := f.sync(); err != nil {
		return true, err
	}
	f.keepWeights()
	return true, nil
}

// keepWeights makes those of the best epoch the present ones.
func (f *Fitter) keepWeights() {
	f.state.weights = Slots{}
	for _, m := range f.models() {
		for _, w := range m.Weights() {
			f.state.weights[w.Name] = w.Value.Clone().(*tensor.Dense)
		}
	}
}

// finish brings the weights to their tensors, and those of the best epoch if they are wanted.
func (f *Fitter) finish() error {
	if err := f.sync(); err != nil || f.EarlyStop == nil || !f.EarlyStop.Restore {
		return err
	}
	for _, m := range f.models() {
		for _, w := range m.Weights() {
			if best := f.state.weights[w.Name]; best != nil {
				if err := w.Set(best); err != nil {
					return err
				}
			}
		}
	}
	return f.refresh()
}

// run computes a batch and returns its loss.
func (s *fitStep) run(a Arrays, weights []float32, samples []int) (float64, error) {
	if err := errors.Join(s.inputs.fits("Arrays.Inputs", a.Inputs), s.targets.fits("Arrays.Targets", a.Targets)); err != nil {
		return 0, err
	}
	if weights != nil && s.weights == nil {
		return 0, &ArgumentError{"Arrays.Weights", "is set, and FitGraph.Weights is nil", "have Build return the node that weighs samples in the loss"}
	}
	s.inputs.feed(a.Inputs, samples)
	s.targets.feed(a.Targets, samples)
	for i := range s.weights {
		if s.weights[i] = 1; weights != nil {
			s.weights[i] = weights[samples[i]]
		}
	}
	if err := s.machine.RunAll(); err != nil {
		return 0, err
	}
	return float64(*s.loss), nil
}

// Evaluate returns the mean loss over the samples of a, penalties included, with the weights as they are. Keras: model.evaluate.
func (f *Fitter) Evaluate(ctx context.Context, a Arrays) (float64, error) {
	if err := errors.Join(f.check(false), a.check("the set", true), f.refresh()); err != nil {
		return 0, err
	}
	var m Metrics
	for first := 0; first < a.Len(); first += f.batch() {
		samples := upTo(first, min(first+f.batch(), a.Len()))
		if err := ctx.Err(); err != nil {
			return m.Loss(), err
		}
		s, err := f.step(fitKey{len(samples), false})
		if err != nil {
			return m.Loss(), err
		}
		loss, err := s.run(a, a.Weights, samples)
		if err != nil {
			return m.Loss(), err
		}
		m.Add(len(samples), loss, 0, 0)
		if f.Observe != nil {
			if err := f.Observe(s.outputs, Arrays{Inputs: s.inputs.memory, Targets: s.targets.memory, Weights: s.weights}); err != nil {
				return m.Loss(), err
			}
		}
	}
	return m.Loss(), nil
}

// Predict returns the outputs for inputs as of Arrays, one tensor for each of the network's, (samples, …). The last batch is filled up with
// zeros: in inference no sample may depend on others. Keras: model.predict.
func (f *Fitter) Predict(ctx context.Context, inputs ...*tensor.Dense) ([]*tensor.Dense, error) {
	a := Arrays{Inputs: inputs}
	if err := errors.Join(f.check(false), a.check("the set", false), f.refresh()); err != nil {
		return nil, err
	}
	s, err := f.step(fitKey{min(f.batch(), a.Len()), false})
	if err != nil {
		return nil, err
	}
	if err := s.inputs.fits("inputs", inputs); err != nil {
		return nil, err
	}
	var all []*tensor.Dense
	for _, o := range s.outputs {
		all = append(all, tensor.New(tensor.WithShape(append(tensor.Shape{a.Len()}, o.Shape()[1:]...)...), tensor.Of(tensor.Float32)))
	}
	for first := 0; first < a.Len(); first += f.batch() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		samples := upTo(first, min(first+f.batch(), a.Len()))
		s.inputs.feed(inputs, samples)
		if err := s.machine.RunAll(); err != nil {
			return nil, err
		}
		for i, o := range s.outputs {
			row := o.Shape().TotalSize() / o.Shape()[0]
			copy(all[i].Data().([]float32)[first*row:], o.Data().([]float32)[:len(samples)*row])
		}
	}
	return all, nil
}

// upTo are the numbers from first to below end.
func upTo(first, end int) []int {
	n := make([]int, end-first)
	for i := range n {
		n[i] = first + i
	}
	return n
}

// sync brings the weights and slots of the device to their tensors.
func (f *Fitter) sync() (err error) {
	for key, s := range f.steps {
		if key.training {
			err = errors.Join(err, s.machine.Sync())
		}
	}
	return err
}

// refresh has compiled graphs see the weights as they are.
func (f *Fitter) refresh() (err error) {
	for _, s := range f.steps {
		err = errors.Join(err, s.machine.Refresh())
	}
	return err
}

// Close brings the weights to their tensors and frees the compiled graphs. The Fitter can be used again.
func (f *Fitter) Close() (err error) {
	for _, s := range f.steps {
		err = errors.Join(err, s.machine.Close())
	}
	f.steps = nil
	return err
}
