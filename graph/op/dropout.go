package op

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/philox"
)

// Dropout sets elements of x to 0 with probability Rate and scales the others by 1/(1 − Rate), so that the mean stays
// ("inverted dropout"). Inputs: x of any shape, step, an int scalar. Result: the shape of x.
//
// The mask is a pure function of Seed, Stream, step and the element's row-major index i, so that every engine draws the
// same one, a resumed run repeats it and the backward pass recomputes it. With the counter-based generator Philox4x32-10
// (Salmon et al. 2011):
//
//	key     = low, high 32 bits of Seed
//	counter = low, high 32 bits of i/4, Stream, low 32 bits of step
//	word    = word i mod 4 of the block;  kept where word/2⁸ ≥ Threshold
//
// Give each dropout of a graph a Stream of its own. Rate is at least 0 (everything is kept) and below 1. A dropped NaN is
// 0. Srivastava et al. 2014; Keras: layers.Dropout.
type Dropout struct {
	salted
	Rate   float64
	Seed   uint64
	Stream uint32
}

func (o *Dropout) Kind() string { return "Dropout" }
func (o *Dropout) String() string {
	return fmt.Sprintf("Dropout(rate %v, seed %d, stream %d)", o.Rate, o.Seed, o.Stream)
}
func (o *Dropout) Arity() int            { return 2 }
func (o *Dropout) Type() hm.Type         { return signature(typeVar(), tensor.Int, typeVar()) }
func (o *Dropout) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Dropout) Hashcode() uint32      { return hashcode(o) }
func (o *Dropout) DiffWRT(int) []bool    { return []bool{true, false} }

// Do computes the operation for Gorgonia's own machines.
func (o *Dropout) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Dropout) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *Dropout) Reference(out Array, in []Array) error {
	if single(in[0]) {
		dropout[float32](o, out, in)
	} else {
		dropout[float64](o, out, in)
	}
	return nil
}

func (o *Dropout) intInput(i int) bool { return i == 1 }

// Infer returns the shape of x.
func (o *Dropout) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantFull(o, in, 0, "an input"), wantScalar(o, in, 1, "a step number"),
		wantAttribute(o, in, o.Rate >= 0 && o.Rate < 1, "Rate of at least 0 and below 1", o.Rate,
			"Rate is the share that is dropped"))
}

// SymDiff applies the same mask to dy.
func (o *Dropout) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	g, err := Apply(&Dropout{Rate: o.Rate, Seed: o.Seed, Stream: o.Stream}, dy, in[1])
	return gorgonia.Nodes{g, nil}, err
}

// Threshold is what the upper 24 bits of a random word must reach for its element to be kept: the least integer k with
// k·2⁻²⁴ ≥ Rate. Comparing integers keeps float32 and float64 kernels in agreement.
func (o *Dropout) Threshold() uint32 { return uint32(math.Ceil(o.Rate * (1 << 24))) }

// Scale is the factor of the elements that are kept, 1/(1 − Rate).
func (o *Dropout) Scale() float64 { return 1 / (1 - o.Rate) }

// Words returns the four random words of elements 4·block … 4·block+3 at a step.
func (o *Dropout) Words(step int, block uint64) [4]uint32 {
	return philox.Block([4]uint32{uint32(block), uint32(block >> 32), o.Stream, uint32(step)},
		[2]uint32{uint32(o.Seed), uint32(o.Seed >> 32)})
}

func dropout[T Float](o *Dropout, out Array, in []Array) {
	y, x, step := floats[T](out), floats[T](in[0]), in[1].Data.([]int)[0]
	threshold, factor := o.Threshold(), T(o.Scale())
	var words [4]uint32
	for i, v := range x {
		if i%4 == 0 {
			words = o.Words(step, uint64(i/4))
		}
		y[i] = 0
		if kept(words[i%4], threshold) {
			y[i] = v * factor
		}
	}
}

// kept is the rule that a random word decides by.
func kept(word, threshold uint32) bool { return word>>8 >= threshold }
