package train

import (
	"errors"
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
)

// Fitter trains models on arrays in memory, as Keras's compile and fit do: with any loss, on targets of any shape, with several inputs, outputs and
// losses, of one model or through Build. Engine, Optimizer and either Model or Models and Build must be set. The fields are not to be changed after
// the first call; whoever freezes layers in between makes another Fitter. It is for one goroutine. Close it before its engine.
//
// For classifiers of images there is more: [Trainer], with augmentation, history and checkpoints of its own, and [Step].
type Fitter struct {
	Engine    graph.Engine
	Optimizer Optimizer

	// Model is trained by Loss; nil is SparseCategoricalCrossentropyLoss. Its targets, and those of
	// SparseCategoricalFocalCrossentropy and of an nn.LossFunc that is Sparse, are class numbers, int of the output's shape without the last axis;
	// those of other losses are float32 of the output's shape.
	Model *nn.Model
	Loss  nn.Loss
	// Losses are those of a Model of several outputs, in their order; without them Loss is that of each. An output whose loss is nil learns nothing and has no
	// target: Arrays.Targets are those of the others. What is minimised is the sum, each times its LossWeights; nil weighs all by 1. Keras:
	// loss=[…], loss_weights.
	Losses      []nn.Loss
	LossWeights []float32

	// Build makes the graph of networks that are more than one model and one loss, of Models, for batches of a size. It is called for
	// every batch size, in training and not, and must make the same network each time. Weights of different models have different names.
	Models []*nn.Model
	Build  func(g *gorgonia.ExprGraph, batch int, training bool) (*FitGraph, error)

	Batch    int      // samples of a batch; 0 means Keras's 32. The last batch of an epoch may be smaller
	Epochs   int      // that Fit ends with, those of before a Load counted; 0 means 1, as in Keras
	Schedule Schedule // of the learning rate; nil means 0.001. A *PlateauSchedule, also behind a warm-up, observes the loss of validation, or else of training
	Seed     uint64   // of the order of samples, and of dropout in Model
	InOrder  bool     // samples are taken in their order; else each epoch in another one. Keras: shuffle=False
	// ClassWeights is how much samples of each class weigh in the loss of training, times Arrays.Weights, where there is one target, of class
	// numbers (samples,). Keras: class_weight.
	ClassWeights []float32

	Validation Arrays     // is measured after every epoch, if it has samples
	EarlyStop  *EarlyStop // nil: all epochs are done
	// Observe, if not nil, is handed every batch of Evaluate and of validation, such as to Update metrics of package metrics: the outputs, and the
	// batch with its targets and weights: TargetWeights where the samples have them, else Weights. Both are overwritten afterwards.
	Observe func(outputs []*tensor.Dense, batch Arrays) error
	// OnEpoch, if not nil, is called when an epoch has ended. It may Save, Evaluate and Predict. ErrStop ends Fit without an error, any other error with it.
	OnEpoch func(FitEpoch) error

	// Slots is the optimizer's state; nil has it made. Fit leaves it there.
	Slots Slots

	steps map[fitKey]*fitStep
	used  int // how often a compiled graph was
	state fitState
}

// FitEpoch is what an epoch of a Fitter came to.
type FitEpoch struct {
	Epoch        int     // from 1
	Step         int     // batches of training so far
	Loss         float64 // mean over the samples while they were trained on, penalties included
	ValLoss      float64 // mean over those of validation; NaN without
	LearningRate float64 // of the last step
	// Losses and ValLosses are the means of FitGraph.Losses, or of the losses of Model's outputs, as far as they have one: before LossWeights, without penalties.
	// Nil where there is one loss, ValLosses without validation too. Keras: name_loss.
	Losses, ValLosses []float64
	Best              bool // the loss, of validation or else of training, is lower than in all epochs before, by EarlyStop's MinDelta
}

// ErrStop is what OnEpoch returns to end Fit.
var ErrStop = errors.New("train: stopped")

// fitState is where a fit stands, as checkpoints have it.
type fitState struct {
	Epoch int `json:"epoch"` // that are done
	Step  int `json:"step"`
	earlyStopState
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
	if e := f.EarlyStop; e != nil && e.Monitor != "" {
		return wrong("EarlyStop", fmt.Sprintf("monitors %q, and is shown the loss", e.Monitor), "leave EarlyStop.Monitor empty; it is for a Trainer")
	}
	if p := plateau(f.Schedule); p != nil && p.Larger {
		return wrong("Schedule", "waits for a metric to become larger, and is shown the loss", "leave PlateauSchedule.Larger false")
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
	if err := f.checkLosses(); err != nil {
		return err
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
