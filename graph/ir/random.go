package ir

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Distribution is what Random draws from.
type Distribution = op.Distribution

// The distributions.
const (
	Uniform  = op.Uniform
	Gaussian = op.Gaussian
	Binomial = op.Binomial
)

// Source is a Random made ready to draw.
type Source = op.Source

// Random draws new numbers of shape Shape at every run: a function of (Seed, Stream, run, element), by Philox, as [op.Random]
// describes. In: run (Int scalar, the number of the run); out: y, float32 or float64. Stock Gorgonia: randomOp, which is seeded
// by the clock.
type Random struct {
	From   Distribution
	A, B   float64
	Shape  tensor.Shape
	Seed   uint64
	Stream uint64 // the place in the graph, so that two sources of a graph differ
}

// Kind is "Random".
func (o *Random) Kind() string { return "Random" }
func (o *Random) String() string {
	return fmt.Sprintf("Random(%v %v %v, shape %s, seed %d, stream %d)", o.From, o.A, o.B, shape.Format(o.Shape), o.Seed, o.Stream)
}

// Infer returns Shape.
func (o *Random) Infer(in []tensor.Shape) (tensor.Shape, error) {
	const most = 1 << 32 // elements, so that the number of a block is one word
	k := o.Kind()
	if err := wantInputs(k, in, 1); err != nil {
		return nil, err
	}
	if err := firstOf(wantDims(k, in, in[0], 0, "a number of the run"), wantFull(k, in, o.Shape),
		wantAttribute(k, in, o.From <= Binomial, "a known distribution", o.From),
		wantAttribute(k, in, !math.IsNaN(o.A) && !math.IsNaN(o.B), "A and B that are numbers", []float64{o.A, o.B}),
		wantAttribute(k, in, o.From != Binomial || o.A >= 0 && o.A <= op.MaxTrials, fmt.Sprintf("0 to %d trials", op.MaxTrials), o.A),
		wantAttribute(k, in, o.From != Binomial || o.B >= 0 && o.B <= 1, "a probability from 0 to 1", o.B)); err != nil {
		return nil, err
	}
	if size, ok := shape.Bytes(o.Shape, 1); !ok || size > most {
		return nil, &shape.Error{Op: k, Axis: shape.NoAxis, Wanted: "a Shape of at most 2³² elements", Got: shape.Format(o.Shape), Shapes: in}
	}
	return o.Shape.Clone(), nil
}

// Compute draws y.
func (o *Random) Compute(out, in []op.Array) error {
	run, ok := in[0].Data.([]int)
	if !ok {
		return fmt.Errorf("ir: Random: the number of the run is %T, want []int", in[0].Data)
	}
	s := o.Source()
	switch y := out[0].Data.(type) {
	case []float32:
		op.Draw(s, y, 0, run[0])
	case []float64:
		op.Draw(s, y, 0, run[0])
	default:
		return noType(out[0].Data)
	}
	return nil
}

// Source prepares drawing.
func (o *Random) Source() *Source { return op.NewSource(o.From, o.A, o.B, o.Seed, o.Stream) }

// Draw fills y with the numbers from element first on, which is even, of a run.
func Draw[T op.Float](s *Source, y []T, first, run int) { op.Draw(s, y, first, run) }
