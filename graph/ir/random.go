package ir

import (
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/philox"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Distribution is what Random draws from.
type Distribution uint8

// The distributions, in stock Gorgonia's order (op_nn.go).
const (
	Uniform  Distribution = iota // of [A, B)
	Gaussian                     // of mean A, standard deviation B
	Binomial                     // of A trials (truncated to an integer), each succeeding with probability B
)

func (d Distribution) String() string {
	if names := [...]string{"uniform", "gaussian", "binomial"}; int(d) < len(names) {
		return names[d]
	}
	return fmt.Sprintf("Distribution(%d)", uint8(d))
}

// Random draws new numbers of shape Shape at every run: a function of (Seed, Stream, run, element), by Philox. In: run
// (Int scalar, the number of the run); out: y, float32 or float64. Stock Gorgonia: randomOp, which is seeded by the
// clock.
//
// Elements 2i and 2i+1 are made of one block of random words:
//
//	key     = low, high 32 bits of Seed xor a constant
//	counter = i, low, high 32 bits of Stream, low 32 bits of run
//	u, v    = (word 1 · 2³² + word 0) / 2⁶⁴ and (word 3 · 2³² + word 2) / 2⁶⁴, cut to 53 bits
//
// Everything is computed in float64 and then rounded, so that float32 and float64 draw the same numbers. Uniform is A +
// (B−A)·u, and the number before B where rounding reaches it. Gaussian is the method of Box and Muller 1958: A +
// B·√(−2·ln(1−u)) times cos 2πv, and sin 2πv for the second element. Binomial inverts the distribution function, which
// is tabulated: the first number of successes whose share, with all smaller ones, exceeds u.
type Random struct {
	From   Distribution
	A, B   float64
	Shape  tensor.Shape
	Seed   uint64
	Stream uint64 // the place in the graph, so that two sources of a graph differ
}

// maxTrials bounds the table of a binomial distribution.
const maxTrials = 1 << 20

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
		wantAttribute(k, in, o.From != Binomial || o.A >= 0 && o.A <= maxTrials, fmt.Sprintf("0 to %d trials", maxTrials), o.A),
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
		Draw(s, y, 0, run[0])
	case []float64:
		Draw(s, y, 0, run[0])
	default:
		return noType(out[0].Data)
	}
	return nil
}

// randomKey keeps the numbers of Random apart from all others drawn with the same seed: the first 64 bits of the square
// root of 5's fraction.
const randomKey = 0x3C6EF372FE94F82B

// Source is a Random made ready to draw; engines share it, for what it computes must not differ between them.
type Source struct {
	from   Distribution
	a, b   float64
	key    [2]uint32
	stream uint64
	share  []float64 // of a binomial distribution: share[k] is the probability of at most k successes
}

// Source prepares drawing.
func (o *Random) Source() *Source {
	s := &Source{from: o.From, a: o.A, b: o.B, key: philox.Key(o.Seed ^ randomKey), stream: o.Stream}
	if o.From == Binomial {
		s.share = binomialShares(int(o.A), o.B)
	}
	return s
}

// binomialShares returns the distribution function of the number of successes of n trials, up to n−1: n is what is left.
func binomialShares(n int, p float64) []float64 {
	switch p {
	case 0:
		return nil // no success, whatever is drawn
	case 1:
		return make([]float64, n) // never fewer than n
	}
	share := make([]float64, n)
	total := 0.0
	all, _ := math.Lgamma(float64(n + 1))
	for k := range share {
		done, _ := math.Lgamma(float64(k + 1))
		left, _ := math.Lgamma(float64(n - k + 1))
		total += math.Exp(all - done - left + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
		share[k] = total
	}
	return share
}

// Key is the key of the random words.
func (s *Source) Key() [2]uint32 { return s.key }

// Shares is the distribution function of a binomial distribution: the probabilities of at most 0, 1, … successes, up to one
// less than all trials. It is empty where no trial ever succeeds, and for other distributions.
func (s *Source) Shares() []float64 { return s.share }

// Draw fills y with the numbers from element first on, which is even, of a run.
func Draw[T op.Float](s *Source, y []T, first, run int) {
	block := first / 2
	for ; len(y) >= 2; y = y[2:] {
		a, b := s.pair(block, run)
		y[0], y[1] = narrow[T](s, a), narrow[T](s, b)
		block++
	}
	if len(y) == 1 {
		a, _ := s.pair(block, run)
		y[0] = narrow[T](s, a)
	}
}

// pair is elements 2·block and 2·block+1 in float64.
func (s *Source) pair(block, run int) (x, y float64) {
	w := philox.Block([4]uint32{uint32(block), uint32(s.stream), uint32(s.stream >> 32), uint32(run)}, s.key)
	u, v := unit(w[0], w[1]), unit(w[2], w[3])
	switch s.from {
	case Gaussian:
		r := s.b * math.Sqrt(-2*math.Log1p(-u))
		sin, cos := math.Sincos(2 * math.Pi * v)
		return s.a + r*cos, s.a + r*sin
	case Binomial:
		return s.successes(u), s.successes(v)
	}
	return s.a + (s.b-s.a)*u, s.a + (s.b-s.a)*v
}

// unit is a number of [0, 1) with 53 random bits.
func unit(low, high uint32) float64 { return float64((uint64(high)<<32|uint64(low))>>11) * 0x1p-53 }

// successes is the first k with u < share[k], or all trials.
func (s *Source) successes(u float64) float64 {
	if s.b == 0 {
		return 0
	}
	k, _ := slices.BinarySearchFunc(s.share, u, func(share, u float64) int {
		if share > u {
			return 1
		}
		return -1
	})
	return float64(k)
}

// narrow rounds to the element type and keeps uniform numbers below B (above B where B is the lower end).
func narrow[T op.Float](s *Source, v float64) T {
	y := T(v)
	if s.from == Uniform && y == T(s.b) && s.a != s.b {
		return before(y, T(s.a))
	}
	return y
}

// before is the number next to y in the direction of a.
func before[T op.Float](y, a T) T {
	if _, ok := any(y).(float32); ok {
		return T(math.Nextafter32(float32(y), float32(a)))
	}
	return T(math.Nextafter(float64(y), float64(a)))
}
