package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

var nan32 = float32(math.NaN())

// env is a number of workers and an instruction set to test with.
type env struct {
	threads int
	level   cpuid.Level
}

// envs are those that kernels are tested with. The race detector does not see what assembly reads and writes, so that it
// has to see plain Go on several workers; the short tests, which it runs, leave out what adds nothing to that.
func envs() []env {
	best := cpuid.Best()
	some := []env{{1, best}, {2, cpuid.Generic}, {3, best}}
	if testing.Short() {
		return some
	}
	return append(some, env{1, cpuid.Generic}, env{2, min(best, cpuid.AVX2)})
}

// withEnv runs f with every one of envs.
func withEnv(t *testing.T, f func(t *testing.T, e Env)) {
	for _, c := range envs() {
		useLevel(c.level)
		p := pool.New(c.threads)
		f(t, Env{Pool: p, Gemm: gemm.New(c.level)})
		p.Close()
	}
	useLevel(level)
}

// useLevel switches the kernels of this package to another instruction set.
func useLevel(l cpuid.Level) { ops = vec.For(l) }

// inputs of a case: arrays of float32 (or labels), the same for every run.
type inputs []op.Array

func (in inputs) f(i int) []float32 { return in[i].Data.([]float32) }
func (in inputs) n(i int) []int     { return in[i].Data.([]int) }

// normal is an array of standard normal numbers.
func normal(seed uint64, dims ...int) op.Array {
	r := rand.New(rand.NewPCG(seed, 7))
	x := make([]float32, op.Len(dims))
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return op.Array{Shape: tensor.Shape(dims), Data: x}
}

// positive is an array of numbers in [0.1, 2.1).
func positive(seed uint64, dims ...int) op.Array {
	a := normal(seed, dims...)
	r := rand.New(rand.NewPCG(seed, 8))
	for i := range a.Data.([]float32) {
		a.Data.([]float32)[i] = 0.1 + 2*r.Float32()
	}
	return a
}

func ints(v ...int) op.Array { return op.Array{Shape: tensor.Shape{len(v)}, Data: v} }

func labels(seed uint64, n, classes int) op.Array {
	r := rand.New(rand.NewPCG(seed, 9))
	v := make([]int, n)
	for i := range v {
		v[i] = r.IntN(classes)
	}
	return ints(v...)
}

func scalar(v float32) op.Array { return op.Array{Shape: tensor.ScalarShape(), Data: []float32{v}} }

// reference is the result of an operation in float64.
func reference(t testing.TB, o op.Op, in inputs) []float64 {
	t.Helper()
	wide := make([]op.Array, len(in))
	shapes := make([]tensor.Shape, len(in))
	for i, a := range in {
		shapes[i] = a.Shape
		wide[i] = a
		if x, ok := a.Data.([]float32); ok {
			d := make([]float64, len(x))
			for j, v := range x {
				d[j] = float64(v)
			}
			wide[i] = op.Array{Shape: a.Shape, Data: d}
		}
	}
	s, err := o.Infer(shapes)
	require.NoError(t, err)
	out := op.Array{Shape: s, Data: make([]float64, op.Len(s))}
	require.NoError(t, o.Reference(out, wide))
	return out.Data.([]float64)
}

// prepared is a kernel ready to run: its scratch, and the call that fills the outputs.
type prepared struct {
	scratch interface {
		Workspace() int
		SetScratch([]float32)
	} // nil when it needs none
	run func(out [][]float32, in inputs)
}

// result is an expected output.
type result struct {
	want []float64
	kind numtest.Kind
}

// verify builds a kernel for several numbers of workers and instruction sets, runs it twice on guarded, dirty memory, and
// checks results, guards, that inputs stay, that neither a second run nor another number of workers changes a bit, and
// that a run allocates nothing.
func verify(t *testing.T, in inputs, want []result, build func(e Env) (prepared, error)) {
	t.Helper()
	byLevel := map[cpuid.Level][][]float32{}
	withEnv(t, func(t *testing.T, e Env) {
		t.Helper()
		k, err := build(e)
		require.NoError(t, err)
		var checks []func(testing.TB)
		guarded := func(n int, fill float32) []float32 {
			s, check := numtest.Guarded(n)
			checks = append(checks, check)
			for i := range s {
				s[i] = fill
			}
			return s
		}
		own := make(inputs, len(in))
		for i, a := range in {
			own[i] = a
			if x, ok := a.Data.([]float32); ok {
				s := guarded(len(x), 0)
				copy(s, x)
				own[i] = op.Array{Shape: a.Shape, Data: s}
			}
		}
		runOnce := func(dirt float32) [][]float32 {
			out := make([][]float32, len(want))
			for i, w := range want {
				out[i] = guarded(len(w.want), dirt)
			}
			if k.scratch != nil {
				k.scratch.SetScratch(guarded(k.scratch.Workspace(), dirt))
			}
			k.run(out, own)
			return out
		}
		first := runOnce(nan32)
		second := runOnce(12345)
		for i, w := range want {
			ok := numtest.AssertClose(t, w.want, first[i], numtest.Tol(tensor.Float32, w.kind), fmt.Sprintf("output %d, %d workers, %v", i, e.Pool.Threads(), ops.Level()))
			require.True(t, ok)
			require.True(t, sameBits(first[i], second[i]), "output %d differs between runs with %d workers", i, e.Pool.Threads())
		}
		if before, ok := byLevel[ops.Level()]; ok {
			for i := range before {
				require.True(t, sameBits(before[i], first[i]), "output %d with %d workers differs from that with another number", i, e.Pool.Threads())
			}
		}
		byLevel[ops.Level()] = first
		for _, check := range checks {
			check(t)
		}
		for i, a := range in {
			if x, ok := a.Data.([]float32); ok {
				require.True(t, sameBits(x, own.f(i)), "input %d was changed", i)
			}
		}
		runs := 3
		if testing.Short() {
			runs = 1
		}
		require.Zero(t, testing.AllocsPerRun(runs, func() { k.run(second, own) }), "a run allocates with %d workers", e.Pool.Threads())
	})
}

// against is verify with an operation's reference as the only result.
func against(t *testing.T, o op.Op, kind numtest.Kind, in inputs, build func(e Env) (prepared, error)) {
	t.Helper()
	verify(t, in, []result{{reference(t, o, in), kind}}, build)
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool {
		return math.Float32bits(x) == math.Float32bits(y) || x != x && y != y
	})
}
