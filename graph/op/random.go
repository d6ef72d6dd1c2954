package op

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// Random is numbers of shape Shape that are drawn anew at every step. Inputs: like, which is not looked at and says which
// element type they have; step, an int scalar. They are a pure function of Seed, Stream, step and the element's row-major
// index, so that every engine draws the same ones, a resumed run repeats them and the backward pass has no need to keep them.
//
// Elements 2i and 2i+1 are made of one block of the counter-based generator Philox4x32-10 (Salmon et al. 2011):
//
//	key     = low, high 32 bits of Seed xor a constant
//	counter = i, low, high 32 bits of Stream, low 32 bits of step
//	u, v    = (word 1 · 2³² + word 0) / 2⁶⁴ and (word 3 · 2³² + word 2) / 2⁶⁴, cut to 53 bits
//
// Everything is computed in float64 and then rounded, so that float32 and float64 draw the same numbers. Uniform is A +
// (B−A)·u, and the number before B where rounding reaches it. Gaussian is the method of Box and Muller 1958: A +
// B·√(−2·ln(1−u)) times cos 2πv, and sin 2πv for the second element. Binomial inverts the distribution function, which
// is tabulated: the first number of successes whose share, with all smaller ones, exceeds u.
//
// Give each source of a graph a Stream of its own. Random numbers have no derivative.
type Random struct {
	ranked
	From   Distribution
	A, B   float64
	Shape  tensor.Shape
	Seed   uint64
	Stream uint64
}

func (o *Random) Kind() string { return "Random" }
func (o *Random) String() string {
	return fmt.Sprintf("Random(%v %v %v, shape %s, seed %d, stream %d)", o.From, o.A, o.B, shape.Format(o.Shape), o.Seed, o.Stream)
}
func (o *Random) Arity() int            { return 2 }
func (o *Random) Type() hm.Type         { return indexType(&o.ranked) }
func (o *Random) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Random) Hashcode() uint32      { return hashcode(o) }
func (o *Random) DiffWRT(int) []bool    { return []bool{false, false} }
func (o *Random) intInput(i int) bool   { return i == 1 }

// Do computes the operation for Gorgonia's own machines.
func (o *Random) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Random) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference draws.
func (o *Random) Reference(out Array, in []Array) error {
	s, step := NewSource(o.From, o.A, o.B, o.Seed, o.Stream), in[1].Data.([]int)[0]
	if single(out) {
		Draw(s, floats[float32](out), 0, step)
	} else {
		Draw(s, floats[float64](out), 0, step)
	}
	return nil
}

// Infer returns Shape.
func (o *Random) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return o.Shape.Clone(), first(wantFull(o, in, 0, "an input"), wantScalar(o, in, 1, "a step number"), wantAttributeShape(o, in, o.Shape),
		wantAttribute(o, in, o.From <= Binomial, "a known distribution", o.From, "use op.Uniform, op.Gaussian or op.Binomial"),
		wantAttribute(o, in, !math.IsNaN(o.A) && !math.IsNaN(o.B), "A and B that are numbers", []float64{o.A, o.B}, "check what they were computed from"),
		wantAttribute(o, in, o.From != Binomial || o.A >= 0 && o.A <= MaxTrials, fmt.Sprintf("0 to %d trials", MaxTrials), o.A, "A is the number of trials"),
		wantAttribute(o, in, o.From != Binomial || o.B >= 0 && o.B <= 1, "a probability from 0 to 1", o.B, "B is the probability of success"),
		wantAttribute(o, in, uint64(Len(o.Shape)) <= 1<<32, "a Shape of at most 2³² elements", shape.Format(o.Shape), "draw fewer numbers"))
}

// SymDiff returns an error: random numbers have no derivative.
func (o *Random) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return notDifferentiable(o)
}

// Random is numbers of a shape, drawn at every step from a distribution; x says which graph and element type they are for. See
// [Random].
func (x Expr) Random(from Distribution, a, b float64, seed, stream uint64, step Expr, dims ...int) Expr {
	return x.Apply(&Random{From: from, A: a, B: b, Seed: seed, Stream: stream, Shape: tensor.Shape(dims).Clone()}, step)
}
