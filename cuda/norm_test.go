//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// The sums of batch norms and biases that many blocks make, run after run: which block is the last changes, and the bits do not.
func TestSumsOfManyBlocks(t *testing.T) {
	e := open(t, cuda.Config{})
	for _, c := range manyBlocks {
		t.Run(fmt.Sprint(c.dims), func(t *testing.T) { sumsOfManyBlocks(t, e, c.dims, c.axis) })
	}
}

// manyBlock is an image whose sums are the work of many blocks, and the axis of its channels.
type manyBlock struct {
	dims []int
	axis int
}

var manyBlocks = []manyBlock{{[]int{40000, 3}, 1}, {[]int{9000, 16}, 1}, {[]int{5000, 100}, 1}, {[]int{7, 2, 9000}, 1}}

// sumsOfManyBlocks sums images in every way, several times, compares with the reference and returns the sums.
func sumsOfManyBlocks(t *testing.T, e graph.Engine, dims []int, axis int) (first []op.Array) {
	const runs = 6 // most of them as a CUDA graph
	channels := dims[axis]
	x := op.Array{Shape: dims, Data: numtest.Normal(1, tensor.Float32, dims...).Data()}
	dy := op.Array{Shape: dims, Data: numtest.Normal(2, tensor.Float32, dims...).Data()}
	numbers := x.Data.([]float32)
	for i := range numbers { // a mean that is large beside the deviations, and moves along the tensor
		numbers[i] = numbers[i]/8 + 300 + 2*float32(i)/float32(len(numbers))
	}
	p := &graph.Plan{}
	value := func(s tensor.Shape, input bool) *graph.Value {
		v := &graph.Value{ID: len(p.Values), Name: fmt.Sprint("v", len(p.Values)), Shape: s, Dtype: tensor.Float32, Where: graph.External,
			Input: input, Output: !input}
		p.Values = append(p.Values, v)
		return v
	}
	in := []*graph.Value{value(dims, true), value(dims, true)}
	var out []*graph.Value
	for range 6 { // mean, variance, dgamma, dbeta, and twice what is dbeta, too
		out = append(out, value(tensor.Shape{channels}, false))
	}
	masked := value(dims, false) // by x, which is above 0
	p.Inputs, p.Outputs = in, append(out, masked)
	p.Steps = []*graph.Step{
		{Instr: &graph.BatchStats{Axis: axis}, In: in[:1], Out: out[:2]},
		{Instr: &graph.BatchNormSums{Axis: axis}, In: []*graph.Value{in[0], out[0], out[1], in[1]}, Out: out[2:4]},
		{Instr: &op.BiasGrad{Axis: axis}, In: in[1:], Out: out[4:5]},
		{Instr: &graph.ReLUGradBias{Axis: axis}, In: in, Out: []*graph.Value{masked, out[5]}},
	}
	prog, err := e.Build(p)
	require.NoError(t, err)
	defer func() { require.NoError(t, prog.Close()) }()
	buffers := map[*graph.Value]graph.Buffer{}
	for i, v := range p.Values {
		a := op.Array{Shape: v.Shape, Data: make([]float32, v.Len())}
		if i < 2 {
			a = []op.Array{x, dy}[i]
		}
		buffers[v], err = e.Wrap(a)
		require.NoError(t, err)
		require.NoError(t, buffers[v].Upload(a))
		require.NoError(t, prog.Bind(v, buffers[v]))
	}
	for run := range runs {
		t.Setenv("STHENO_SIM_ORDER", []string{"", "reverse", "random"}[run%3])
		require.NoError(t, prog.Run())
		for i, v := range out {
			a := op.Array{Shape: v.Shape, Data: make([]float32, channels)}
			require.NoError(t, buffers[v].Download(a))
			if run == 0 {
				first = append(first, a)
			}
			require.True(t, enginetest.SameBits(first[i], a), "run %d, result %d", run, i)
		}
	}
	mean := first[0].Data.([]float32)
	want := normSums(x, dy, mean, axis)
	for i, name := range []string{"mean", "variance", "dgamma", "dbeta", "BiasGrad", "ReLUGradBias"} {
		numtest.AssertClose(t, want[min(i, 3)], first[i].Data, numtest.Tol(tensor.Float32, numtest.Gradient), name)
	}
	return first
}

// normSums are the mean and the variance of x, and dgamma, about that mean which is rounded, and dbeta, by channel.
func normSums(x, dy op.Array, rounded []float32, axis int) [4][]float64 {
	channels, inner := x.Shape[axis], 1
	for _, d := range x.Shape[axis+1:] {
		inner *= d
	}
	var sums [4][]float64
	for i := range sums {
		sums[i] = make([]float64, channels)
	}
	count := float64(len(x.Data.([]float32)) / channels)
	mean, variance, dgamma, dbeta := sums[0], sums[1], sums[2], sums[3]
	each := func(do func(c int, x, dy float64)) {
		for i, v := range x.Data.([]float32) {
			do(i/inner%channels, float64(v), float64(dy.Data.([]float32)[i]))
		}
	}
	each(func(c int, x, _ float64) { mean[c] += x / count })
	each(func(c int, x, dy float64) {
		variance[c] += (x - mean[c]) * (x - mean[c]) / count
		dgamma[c] += dy * (x - float64(rounded[c]))
		dbeta[c] += dy
	})
	for c := range dgamma {
		dgamma[c] /= math.Sqrt(variance[c])
	}
	return sums
}
