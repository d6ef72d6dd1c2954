package op

import (
	"fmt"
	"math"
	"slices"

	"github.com/stheno-ml/stheno/internal/philox"
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

// MaxTrials bounds the table of a binomial distribution.
const MaxTrials = 1 << 20

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

// NewSource prepares drawing. Attributes must have been checked.
func NewSource(from Distribution, a, b float64, seed, stream uint64) *Source {
	s := &Source{from: from, a: a, b: b, key: philox.Key(seed ^ randomKey), stream: stream}
	if from == Binomial {
		s.share = binomialShares(int(a), b)
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

// Draw fills y with the numbers from element first on, which is even, of a run or step.
func Draw[T Float](s *Source, y []T, first, run int) {
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
	u, v := unitOf(w[0], w[1]), unitOf(w[2], w[3])
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

// unitOf is a number of [0, 1) with 53 random bits.
func unitOf(low, high uint32) float64 { return float64((uint64(high)<<32|uint64(low))>>11) * 0x1p-53 }

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
func narrow[T Float](s *Source, v float64) T {
	y := T(v)
	if s.from == Uniform && y == T(s.b) && s.a != s.b {
		return before(y, T(s.a))
	}
	return y
}

// before is the number next to y in the direction of a.
func before[T Float](y, a T) T {
	if _, ok := any(y).(float32); ok {
		return T(math.Nextafter32(float32(y), float32(a)))
	}
	return T(math.Nextafter(float64(y), float64(a)))
}
