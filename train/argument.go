package train

import (
	"fmt"
	"reflect"

	"github.com/stheno-ml/stheno/nn"
)

// ArgumentError says which argument of a call, or field of a configuration, cannot be used. Nothing was done.
type ArgumentError struct {
	What    string // "the model", "Fitter.Batch"
	Problem string // what it is and what was expected
	Remedy  string // what to do, or ""
}

// Error is one line, and a second one with the remedy.
func (e *ArgumentError) Error() string {
	s := fmt.Sprintf("train: %s %s", e.What, e.Problem)
	if e.Remedy != "" {
		s += "\n    " + e.Remedy
	}
	return s
}

// checkModel refuses what an error that was not looked at leaves in a model's place.
func checkModel(m *nn.Model) error {
	if m == nil || len(m.Layers()) == 0 {
		return &ArgumentError{"the model", "is nil or has no layers", "look at the error of the call that was to return it"}
	}
	return nil
}

// checkOne is checkModel for what knows one input and one output.
func checkOne(m *nn.Model) error {
	if err := checkModel(m); err != nil {
		return err
	}
	if in, out := len(m.Inputs()), len(m.Outputs()); in != 1 || out != 1 {
		return &ArgumentError{"the model", fmt.Sprintf("has %d inputs and %d outputs, expected one of each", in, out),
			"use a Fitter, which trains, evaluates and predicts with several, or cut out a part with Model.Until"}
	}
	return nil
}

func checkOptimizer(o Optimizer) error {
	if isNil(o) {
		return &ArgumentError{"the optimizer", "is nil", "pass one, such as train.Adam{}"}
	}
	if b, ok := o.(Base); ok {
		return b.Check()
	}
	return nil
}

func checkBatch(n int) error {
	if n < 1 {
		return &ArgumentError{"the batch size", fmt.Sprintf("is %d, expected at least 1", n), ""}
	}
	return nil
}

// isNil also sees a nil pointer in an interface.
func isNil(x any) bool {
	v := reflect.ValueOf(x)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// noStep is what a Step that no function of this package made answers.
var noStep = &ArgumentError{"the step", "is nil or was not made", "make it with NewTrainStep or its kin, and look at their error"}

var errNoLoader = &ArgumentError{"the loader", "is nil", "look at the error of data.NewLoader"}
