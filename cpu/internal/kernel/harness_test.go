package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

func nan[T Float]() T { return T(math.NaN()) }

// bothTypes runs a test once for each element type; for the race detector in one, as the code that shares work is generic.
func bothTypes(t *testing.T, single, double func(t *testing.T)) {
	t.Run("float32", single)
	if !numtest.Race {
		t.Run("float64", double)
	}
}

// products runs a test of products in both element types and, in float32, with factors that are rounded to bfloat16. The test's own
// numbers are rounded before, so that nothing is lost.
func products(t *testing.T, single, double func(t *testing.T)) {
	t.Run("float32", single)
	t.Run("float64", double)
	t.Run("bfloat16", func(t *testing.T) {
		inBF16 = true
		t.Cleanup(func() { inBF16 = false })
		single(t)
	})
}

var inBF16 bool

// dtype is T as tensors name it.
func dtype[T Float]() tensor.Dtype {
	if unsafe.Sizeof(*new(T)) == 8 {
		return tensor.Float64
	}
	return tensor.Float32
}

// guarded is [numtest.Guarded] for either type.
func guarded[T Float](n int) (s []T, check func(testing.TB)) {
	if unsafe.Sizeof(*new(T)) == 8 {
		s, check := numtest.Guarded64(n)
		return any(s).([]T), check
	}
	f, check := numtest.Guarded(n)
	return any(f).([]T), check
}

// env is a number of workers and an instruction set to test with.
type env struct {
	threads int
	level   cpuid.Level
}

// inShare says whether a test takes case i in this element type. It does, but under the race detector, which sees two of three cases, each in one
// of the types that [products] has: the code is generic, so that goroutines share the work in the same way in all of them.
func inShare[T Float](i int) bool { return !numtest.Race || i%9 < 6 && inTurn[T](i) }

// inTurn says whether it is this element type's turn among those that [products] has, for tests that see each case in one of them.
func inTurn[T Float](i int) bool {
	of := 0
	switch {
	case inBF16:
		of = 1
	case dtype[T]() == tensor.Float64:
		of = 2
	}
	return i%3 == of
}

// envs are those that kernels are tested with. The race detector does not see what assembly reads and writes, so that it
// has to see plain Go on several workers.
func envs() []env {
	best := cpuid.Best()
	if numtest.Race {
		return []env{{2, cpuid.Generic}, {3, best}}
	}
	some := []env{{1, best}, {2, cpuid.Generic}, {3, best}}
	if best == cpuid.Generic { // of one level two numbers of workers do
		return []env{{1, best}, {3, best}}
	}
	if testing.Short() || inBF16 { // products are of bfloat16 or are not, whatever the instruction set is
		return some
	}
	return append(some, env{1, cpuid.Generic}, env{2, min(best, cpuid.AVX2)})
}

// withEnv runs f with every one of envs.
func withEnv[T Float](t *testing.T, f func(t *testing.T, e Env[T])) {
	for _, c := range envs() {
		useLevel(c.level)
		p := pool.New(c.threads)
		g := gemm.New[T](c.level)
		if inBF16 {
			g = any(gemm.NewBF16(cpuid.HasBF16() && c.level == cpuid.AVX512)).(*gemm.Gemm[T])
		}
		f(t, Env[T]{Pool: p, Gemm: g})
		p.Close()
	}
	useLevel(level)
}

// useLevel switches the kernels of this package to another instruction set.
func useLevel(l cpuid.Level) { inUse = loopsFor(l) }

// inputs of a case: arrays of T, or labels, the same for every run.
type inputs[T Float] []op.Array

func (in inputs[T]) f(i int) []T   { return in[i].Data.([]T) }
func (in inputs[T]) n(i int) []int { return in[i].Data.([]int) }

// normal is an array of standard normal numbers.
func normal[T Float](seed uint64, dims ...int) op.Array {
	r := rand.New(rand.NewPCG(seed, 7))
	x := make([]T, op.Len(dims))
	for i := range x {
		x[i] = T(r.NormFloat64())
		if inBF16 { // 8 bits
			f, e := math.Frexp(float64(x[i]))
			x[i] = T(math.Ldexp(math.RoundToEven(f*256)/256, e))
		}
	}
	return op.Array{Shape: tensor.Shape(dims), Data: x}
}

// positive is an array of numbers in [0.1, 2.1).
func positive[T Float](seed uint64, dims ...int) op.Array {
	a := normal[T](seed, dims...)
	r := rand.New(rand.NewPCG(seed, 8))
	for i := range a.Data.([]T) {
		a.Data.([]T)[i] = T(0.1 + 2*r.Float32())
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

func scalar[T Float](v T) op.Array { return op.Array{Shape: tensor.ScalarShape(), Data: []T{v}} }

// reference is the result of an operation in float64.
func reference[T Float](t testing.TB, o op.Op, in inputs[T]) []float64 {
	t.Helper()
	wide := make([]op.Array, len(in))
	shapes := make([]tensor.Shape, len(in))
	for i, a := range in {
		shapes[i] = a.Shape
		wide[i] = a
		if x, ok := a.Data.([]T); ok {
			wide[i] = op.Array{Shape: a.Shape, Data: widened(x)}
		}
	}
	s, err := o.Infer(shapes)
	require.NoError(t, err)
	out := op.Array{Shape: s, Data: make([]float64, op.Len(s))}
	require.NoError(t, o.Reference(out, wide))
	return out.Data.([]float64)
}

// prepared is a kernel ready to run: its scratch, and the call that fills the outputs.
type prepared[T Float] struct {
	scratch interface {
		Workspace() int
		SetScratch([]T)
	} // nil when it needs none
	run func(out [][]T, in inputs[T])
}

// result is an expected output.
type result struct {
	want []float64
	kind numtest.Kind
}

// verify builds a kernel for several numbers of workers and instruction sets, runs it twice on guarded, dirty memory, and
// checks results, guards, that inputs stay, that neither a second run nor another number of workers changes a bit, and
// that a run allocates nothing; the last on one CPU, where there is nothing for the race detector.
func verify[T Float](t *testing.T, in inputs[T], want []result, build func(e Env[T]) (prepared[T], error)) {
	t.Helper()
	byLevel := map[cpuid.Level][][]T{}
	withEnv(t, func(t *testing.T, e Env[T]) {
		t.Helper()
		k, err := build(e)
		require.NoError(t, err)
		var checks []func(testing.TB)
		dirty := func(n int, fill T) []T {
			s, check := guarded[T](n)
			checks = append(checks, check)
			for i := range s {
				s[i] = fill
			}
			return s
		}
		own := make(inputs[T], len(in))
		for i, a := range in {
			own[i] = a
			if x, ok := a.Data.([]T); ok {
				s := dirty(len(x), 0)
				copy(s, x)
				own[i] = op.Array{Shape: a.Shape, Data: s}
			}
		}
		runOnce := func(dirt T) [][]T {
			out := make([][]T, len(want))
			for i, w := range want {
				out[i] = dirty(len(w.want), dirt)
			}
			if k.scratch != nil {
				k.scratch.SetScratch(dirty(k.scratch.Workspace(), dirt))
			}
			k.run(out, own)
			return out
		}
		first := runOnce(nan[T]())
		second := runOnce(12345)
		for i, w := range want {
			ok := numtest.AssertClose(t, w.want, first[i], numtest.Tol(dtype[T](), w.kind), fmt.Sprintf("output %d, %d workers, %v", i, e.Pool.Threads(), ops[T]().Level()))
			require.True(t, ok)
			require.True(t, sameBits(first[i], second[i]), "output %d differs between runs with %d workers", i, e.Pool.Threads())
		}
		if before, ok := byLevel[ops[T]().Level()]; ok {
			for i := range before {
				require.True(t, sameBits(before[i], first[i]), "output %d with %d workers differs from that with another number", i, e.Pool.Threads())
			}
		}
		byLevel[ops[T]().Level()] = first
		for _, check := range checks {
			check(t)
		}
		for i, a := range in {
			if x, ok := a.Data.([]T); ok {
				require.True(t, sameBits(x, own.f(i)), "input %d was changed", i)
			}
		}
		if numtest.Race {
			return
		}
		require.Zero(t, testing.AllocsPerRun(1, func() { k.run(second, own) }), "a run allocates with %d workers", e.Pool.Threads())
	})
}

// against is verify with an operation's reference as the only result.
func against[T Float](t *testing.T, o op.Op, kind numtest.Kind, in inputs[T], build func(e Env[T]) (prepared[T], error)) {
	t.Helper()
	verify(t, in, []result{{reference(t, o, in), kind}}, build)
}

func sameBits[T Float](a, b []T) bool {
	return slices.EqualFunc(a, b, func(x, y T) bool {
		return x == y && math.Signbit(float64(x)) == math.Signbit(float64(y)) || x != x && y != y
	})
}
