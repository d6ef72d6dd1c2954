package nn

import (
	"fmt"
	"hash/fnv"
	"math"
	"runtime"
	"sync"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/philox"
)

// Initializer is the distribution of a weight's initial elements, given by its quantile function. Element i of the
// weight called name is Quantile(u) for a number u that depends on (seed, name, i) only: neither on the order in which
// weights are made, nor on the other layers, the number of threads or the machine.
type Initializer interface {
	// Quantile returns the inverse of the cumulative distribution function for a weight of the given shape. The result
	// takes u with 0 < u < 1 and must be safe for concurrent use.
	Quantile(s tensor.Shape) func(u float64) float64
	// String describes the initializer, Keras's name first.
	String() string
}

// Fans returns the numbers of inputs and outputs that one element of a weight of shape s connects, as Keras counts
// them: for a kernel (…window, in, out) the window's size times in, and times out; for a matrix its axes; for a vector
// its length, twice.
func Fans(s tensor.Shape) (in, out int) {
	switch n := len(s); n {
	case 0:
		return 1, 1
	case 1:
		return s[0], s[0]
	default:
		window := s[:n-2].TotalSize()
		if n == 2 {
			window = 1
		}
		return s[n-2] * window, s[n-1] * window
	}
}

// GlorotUniform is Keras's "glorot_uniform", the default of kernels: uniform in ±sqrt(6/(fan_in+fan_out)) (Glorot and
// Bengio 2010).
type GlorotUniform struct{}

// Quantile implements [Initializer].
func (GlorotUniform) Quantile(s tensor.Shape) func(float64) float64 {
	in, out := Fans(s)
	limit := math.Sqrt(6 / float64(in+out))
	return func(u float64) float64 { return (2*u - 1) * limit }
}

func (GlorotUniform) String() string { return "glorot_uniform" }

// GlorotNormal is Keras's "glorot_normal": a normal of variance 2/(fan_in+fan_out), truncated at two standard
// deviations of the normal that is cut (Glorot and Bengio 2010).
type GlorotNormal struct{}

// Quantile implements [Initializer].
func (GlorotNormal) Quantile(s tensor.Shape) func(float64) float64 {
	in, out := Fans(s)
	return truncated(math.Sqrt(2 / float64(in+out)))
}

func (GlorotNormal) String() string { return "glorot_normal" }

// HeNormal is Keras's "he_normal": a normal of variance 2/fan_in, truncated like [GlorotNormal] (He et al. 2015).
type HeNormal struct{}

// Quantile implements [Initializer].
func (HeNormal) Quantile(s tensor.Shape) func(float64) float64 {
	in, _ := Fans(s)
	return truncated(math.Sqrt(2 / float64(in)))
}

func (HeNormal) String() string { return "he_normal" }

// RandomNormal is Keras's "random_normal": a normal, not truncated. A Stddev of 0 means Keras's default, 0.05.
type RandomNormal struct{ Mean, Stddev float64 }

// Quantile implements [Initializer].
func (r RandomNormal) Quantile(tensor.Shape) func(float64) float64 {
	return normal(r.Mean, r.stddev())
}

// normal is the quantile function of a normal distribution.
func normal(mean, stddev float64) func(float64) float64 {
	wide := stddev * math.Sqrt2
	return func(u float64) float64 { return mean + wide*math.Erfinv(2*u-1) }
}

func (r RandomNormal) stddev() float64 {
	if r.Stddev == 0 {
		return 0.05
	}
	return r.Stddev
}

func (r RandomNormal) String() string {
	return fmt.Sprintf("random_normal(mean=%g, stddev=%g)", r.Mean, r.stddev())
}

// Constant is Keras's "constant": every element is Value.
type Constant struct{ Value float64 }

// Quantile implements [Initializer].
func (c Constant) Quantile(tensor.Shape) func(float64) float64 {
	return func(float64) float64 { return c.Value }
}

func (c Constant) String() string { return fmt.Sprintf("constant(%g)", c.Value) }

// Zeros is Keras's "zeros", the default of biases.
type Zeros struct{}

// Quantile implements [Initializer].
func (Zeros) Quantile(tensor.Shape) func(float64) float64 { return Constant{0}.Quantile(nil) }
func (Zeros) String() string                              { return "zeros" }

// Ones is Keras's "ones".
type Ones struct{}

// Quantile implements [Initializer].
func (Ones) Quantile(tensor.Shape) func(float64) float64 { return Constant{1}.Quantile(nil) }
func (Ones) String() string                              { return "ones" }

// cut is the standard deviation of a standard normal truncated at ±2. Keras divides by it, so that the truncated
// distribution has the wanted one.
const cut = 0.87962566103423978

// truncated is the quantile function of a normal that is cut at two of its standard deviations and has the standard
// deviation std after the cut.
func truncated(std float64) func(float64) float64 {
	wide := std / cut
	inside := math.Erf(math.Sqrt2) // the share of a normal within ±2 standard deviations
	return func(u float64) float64 {
		x := wide * math.Sqrt2 * math.Erfinv((2*u-1)*inside)
		return max(-2*wide, min(x, 2*wide)) // against the last rounding
	}
}

// Transformer is an initializer whose elements depend on each other, such as [Orthogonal]. The elements drawn by Quantile
// are those of a matrix, row-major, that Transform turns into the weight's values in place.
type Transformer interface {
	Initializer
	// Transform turns the numbers drawn for a weight of shape s into its values. An error says what shape it wants.
	Transform(x []float64, s tensor.Shape) error
}

// fill writes the initial values of the named weight into data, a []float32 or []float64.
func fill(data any, s tensor.Shape, init Initializer, seed uint64, name string) error {
	quantile := init.Quantile(s)
	if t, ok := init.(Transformer); ok {
		drawn := make([]float64, s.TotalSize())
		fillParallel(drawn, quantile, seed, name)
		if err := t.Transform(drawn, s); err != nil {
			return err
		}
		return convert(data, drawn)
	}
	switch x := data.(type) {
	case []float32:
		fillParallel(x, quantile, seed, name)
	case []float64:
		fillParallel(x, quantile, seed, name)
	default:
		return fmt.Errorf("nn: cannot initialize elements of type %T; use float32 or float64", data)
	}
	return nil
}

func fillParallel[T float32 | float64](x []T, quantile func(float64) float64, seed uint64, name string) {
	const grain = 1 << 16 // even, because two elements share a block of random words
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for start := 0; start < len(x); start += grain {
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer wg.Done()
			fillRange(x[start:min(start+grain, len(x))], start, quantile, seed, name)
			<-slots
		}()
	}
	wg.Wait()
}

// fillRange fills elements start, start+1, … for an even start. Two elements share a Philox block: counter = (block
// low, block high, 64-bit FNV-1a hash of the name low, high), key = seed. An element takes 52 bits of its two words,
// centred so that u is never 0 or 1.
func fillRange[T float32 | float64](x []T, start int, quantile func(float64) float64, seed uint64, name string) {
	h := fnv.New64a()
	h.Write([]byte(name))
	stream := h.Sum64()
	key := philox.Key(seed)
	uniform := func(lo, hi uint32) float64 {
		return (float64((uint64(hi)<<32|uint64(lo))>>12) + 0.5) * (1.0 / (1 << 52))
	}
	for i := 0; i < len(x); i += 2 {
		block := uint64(start+i) / 2
		r := philox.Block([4]uint32{uint32(block), uint32(block >> 32), uint32(stream), uint32(stream >> 32)}, key)
		x[i] = T(quantile(uniform(r[0], r[1])))
		if i+1 < len(x) {
			x[i+1] = T(quantile(uniform(r[2], r[3])))
		}
	}
}
