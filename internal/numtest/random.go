package numtest

import (
	"fmt"
	"math/rand/v2"

	"gorgonia.org/tensor"
)

// Normal returns a dense tensor of standard normal numbers. dtype is tensor.Float32 or tensor.Float64; an empty shape
// gives a scalar. The same seed gives the same numbers, rounded to dtype.
func Normal(seed uint64, dtype tensor.Dtype, shape ...int) *tensor.Dense {
	r := rand.New(rand.NewPCG(seed, 1))
	return random(dtype, shape, r.NormFloat64)
}

// Uniform returns a dense tensor of numbers in [low, high). dtype, shape and seed are as in [Normal]. Rounding to
// float32 can give high itself.
func Uniform(seed uint64, dtype tensor.Dtype, low, high float64, shape ...int) *tensor.Dense {
	r := rand.New(rand.NewPCG(seed, 2))
	return random(dtype, shape, func() float64 { return low + (high-low)*r.Float64() })
}

// AwayFromZero returns numbers of either sign with magnitude in [gap, gap+1): inputs for operations with a kink at
// zero (ReLU), whose central differences must not step across it.
func AwayFromZero(seed uint64, dtype tensor.Dtype, gap float64, shape ...int) *tensor.Dense {
	r := rand.New(rand.NewPCG(seed, 3))
	return random(dtype, shape, func() float64 {
		v := gap + r.Float64()
		if r.IntN(2) == 0 {
			return -v
		}
		return v
	})
}

// Distinct returns a random permutation of equally spaced numbers, step apart and centred at zero: inputs for max
// pooling, where two values nearer than the difference step would make the winner change.
func Distinct(seed uint64, dtype tensor.Dtype, step float64, shape ...int) *tensor.Dense {
	n := tensor.Shape(shape).TotalSize()
	order := rand.New(rand.NewPCG(seed, 4)).Perm(n)
	i := 0
	return random(dtype, shape, func() float64 {
		i++
		return step * (float64(order[i-1]) - float64(n-1)/2)
	})
}

func random(dtype tensor.Dtype, shape []int, next func() float64) *tensor.Dense {
	n := 1
	for _, d := range shape {
		n *= d
	}
	values := make([]float64, n)
	for i := range values {
		values[i] = next()
	}
	return dense(dtype, shape, values)
}

// dense makes a tensor of the dtype from float64 values. It panics on a dtype that tests here do not use.
func dense(dtype tensor.Dtype, shape []int, values []float64) *tensor.Dense {
	var backing any
	switch dtype {
	case tensor.Float64:
		backing = append([]float64(nil), values...)
	case tensor.Float32:
		f := make([]float32, len(values))
		for i, v := range values {
			f[i] = float32(v)
		}
		backing = f
	case tensor.Int:
		f := make([]int, len(values))
		for i, v := range values {
			f[i] = int(v)
		}
		backing = f
	default:
		panic(fmt.Sprintf("numtest: dtype %v: want Float32, Float64 or Int", dtype))
	}
	if len(shape) == 0 {
		switch b := backing.(type) {
		case []float64:
			return tensor.New(tensor.FromScalar(b[0]))
		case []float32:
			return tensor.New(tensor.FromScalar(b[0]))
		case []int:
			return tensor.New(tensor.FromScalar(b[0]))
		}
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing))
}
