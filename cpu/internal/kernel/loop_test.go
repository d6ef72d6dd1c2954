package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// loopCase is a loop with its shape, the shapes of its inputs, and which result takes the memory of which input.
type loopCase struct {
	l     *ir.Loop
	shape tensor.Shape
	in    []tensor.Shape
	over  map[int]int
}

// check runs the kernel on guarded memory and compares with the reference.
func checkLoop[T Float](t *testing.T, p *pool.Pool, c loopCase, rng *rand.Rand) {
	t.Helper()
	k, err := NewLoop[T](p, c.l, c.shape, c.in, func(result, input int) bool {
		i, ok := c.over[result]
		return ok && i == input
	})
	require.NoError(t, err)
	words := make([]T, k.Workspace())
	for i := range words {
		words[i] = nan[T]()
	}
	k.SetScratch(words)
	for range 2 { // a second run must not see what the first left
		var in, want []op.Array
		var ins, outs [][]T
		var checks []func(testing.TB)
		for _, s := range c.in {
			x, check := guarded[T](op.Len(s))
			for i := range x {
				x[i] = T(rng.NormFloat64())
			}
			in, ins, checks = append(in, op.Array{Shape: s, Data: append([]T(nil), x...)}), append(ins, x), append(checks, check)
		}
		for r := range c.l.Results {
			y, check := guarded[T](op.Len(c.shape))
			if i, ok := c.over[r]; ok {
				y = ins[i]
			}
			outs, checks = append(outs, y), append(checks, check)
			want = append(want, op.Array{Shape: c.shape, Data: make([]T, len(y))})
		}
		require.NoError(t, c.l.Compute(want, in))
		k.Run(outs, ins)
		for r := range outs {
			for i, w := range want[r].Data.([]T) {
				tol := 1e-5
				if _, ok := any(w).(float64); ok {
					tol = 1e-13
				}
				if d := math.Abs(float64(w) - float64(outs[r][i])); !(d <= tol*(1+math.Abs(float64(w)))) {
					t.Fatalf("%s over %v of %v, result %d, element %d: want %v, got %v", c.l, c.shape, c.in, r, i, w, outs[r][i])
				}
			}
		}
		for _, check := range checks {
			check(t)
		}
		if len(c.over) == 0 && op.Len(c.shape) < 5000 && !numtest.Race { // on one CPU
			require.Zero(t, testing.AllocsPerRun(1, func() { k.Run(outs, ins) }))
		}
	}
}

// loopTest runs a test on every level in both element types.
func loopTest(t *testing.T, f func(t *testing.T, run func(c loopCase))) {
	bothTypes(t, func(t *testing.T) { loopTestOf[float32](t, f) }, func(t *testing.T) { loopTestOf[float64](t, f) })
}

func loopTestOf[T Float](t *testing.T, f func(t *testing.T, run func(c loopCase))) {
	withEnv(t, func(t *testing.T, e Env[T]) {
		rng := rand.New(rand.NewPCG(5, 6))
		f(t, func(c loopCase) {
			t.Helper()
			checkLoop[T](t, e.Pool, c, rng)
		})
	})
}

// Every way to read an input, in sizes around those of a block, a vector and a part.
func TestLoopShapes(t *testing.T) {
	l := &ir.Loop{Inputs: 3, Results: []int{4, 5}, Steps: []ir.LoopStep{ir.Apply2(ir.Mul, ir.Register(0), ir.Register(1)),
		ir.Apply2(ir.Add, ir.Register(3), ir.Register(2)), ir.Apply1(ir.Tanh, ir.Register(1))}}
	type shapes = []tensor.Shape
	loopTest(t, func(t *testing.T, run func(c loopCase)) {
		for _, n := range []int{1, 2, 7, 8, 9, 16, 31, 63, 64, 65, 511, 512, 513, 1024, 1025, 4099, 70001} {
			s := tensor.Shape{n}
			run(loopCase{l: l, shape: s, in: shapes{s, s, s}})
			run(loopCase{l: l, shape: s, in: shapes{s, {}, {1}}})
		}
		for _, s := range (shapes{{3, 1}, {1, 5}, {5, 7}, {129, 10}, {40, 1000}, {3, 1024}, {5, 2500}, {2000, 3}, {3, 20001}}) {
			row, column := tensor.Shape{1, s[1]}, tensor.Shape{s[0], 1}
			run(loopCase{l: l, shape: s, in: shapes{s, row, column}})
			run(loopCase{l: l, shape: s, in: shapes{row, column, s}})
			run(loopCase{l: l, shape: s, in: shapes{row, s, row}})
			run(loopCase{l: l, shape: s, in: shapes{column, {}, s}})
			run(loopCase{l: &ir.Loop{Inputs: 3, Results: l.Results, Steps: l.Steps, Shape: s}, shape: s, in: shapes{column, row, {1, 1}}})
		}
		for _, s := range (shapes{{2, 3, 4, 5}, {4, 5, 7, 7}, {3, 17, 40, 30}, {2, 2, 1, 3000}}) {
			channel := tensor.Shape{1, s[1], 1, 1}
			run(loopCase{l: l, shape: s, in: shapes{s, channel, {s[0], 1, 1, s[3]}}})
			run(loopCase{l: l, shape: s, in: shapes{{1, s[1], s[2], 1}, s, channel}})
			run(loopCase{l: l, shape: s, in: shapes{s, {1, 1, s[2], s[3]}, {s[0], s[1], 1, 1}}})
		}
		for _, s := range (shapes{{3, 9, 40, 24}, {4, 31, 7, 33}, {2, 40, 1, 700}, {70, 3, 3, 65}, {5, 16, 16, 64}}) { // rows that many blocks have, and some share
			run(loopCase{l: l, shape: s, in: shapes{s, {s[0], 1, 1, s[3]}, {1, 1, 1, s[3]}}})
			run(loopCase{l: l, shape: s, in: shapes{{s[0], 1, 1, s[3]}, s, {s[0], s[1], 1, s[3]}}})
		}
	})
}

// Results over the memory of inputs that later steps still read, and over each other's.
func TestLoopInPlace(t *testing.T) {
	add, sub := func(a, b int) ir.LoopStep { return ir.Apply2(ir.Add, ir.Register(a), ir.Register(b)) }, ir.Sub
	exchange := &ir.Loop{Inputs: 2, Results: []int{3, 4}, Steps: []ir.LoopStep{add(0, 1), ir.Apply2(sub, ir.Register(2), ir.Register(1)),
		ir.Apply2(sub, ir.Register(2), ir.Register(0))}}
	early := &ir.Loop{Inputs: 2, Results: []int{2, 3, 2}, Steps: []ir.LoopStep{add(0, 0), ir.Apply2(ir.Mul, ir.Register(0), ir.Register(1))}}
	handed := &ir.Loop{Inputs: 2, Results: []int{0, 1, 2}, Steps: []ir.LoopStep{add(0, 1)}}
	numbers := &ir.Loop{Inputs: 1, Results: []int{2, 1}, Steps: []ir.LoopStep{ir.Apply2(ir.Pow, ir.Number(2), ir.Number(3)), ir.Apply1(ir.Neg, ir.Register(1))}}
	loopTest(t, func(t *testing.T, run func(c loopCase)) {
		for _, n := range []int{1, 5, 1500, 40000} {
			s := tensor.Shape{n}
			for _, l := range []*ir.Loop{exchange, early, handed} {
				for _, over := range []map[int]int{nil, {0: 0}, {0: 1}, {0: 1, 1: 0}, {0: 0, 1: 1}, {1: 0}} {
					run(loopCase{l: l, shape: s, in: []tensor.Shape{s, s}, over: over})
				}
			}
			run(loopCase{l: numbers, shape: s, in: []tensor.Shape{s}})
		}
	})
}

// Programs made at random: registers used again, products that are fused, powers, numbers, dead steps.
func TestLoopPrograms(t *testing.T) {
	loopTest(t, func(t *testing.T, run func(c loopCase)) {
		rng := rand.New(rand.NewPCG(1, 2))
		for range 60 {
			s := tensor.Shape{1 + rng.IntN(40), 1 + rng.IntN(60)}
			l := &ir.Loop{Inputs: 1 + rng.IntN(5), Shape: s}
			c := loopCase{l: l, shape: s, over: map[int]int{}}
			for range l.Inputs {
				c.in = append(c.in, []tensor.Shape{s, s, {1, s[1]}, {s[0], 1}, {}}[rng.IntN(5)])
			}
			for i := range 1 + rng.IntN(20) {
				operand := func() ir.Operand {
					if rng.IntN(8) == 0 {
						return ir.Number([]float64{-1, 0, 0.5, 2, 3}[rng.IntN(5)])
					}
					return ir.Register(rng.IntN(l.Inputs + i))
				}
				step := ir.Apply1([]ir.UnaryFn{ir.Tanh, ir.Sigmoid, ir.Neg, ir.Abs}[rng.IntN(4)], operand())
				if rng.IntN(3) > 0 {
					step = ir.Apply2([]ir.BinaryFn{ir.Add, ir.Sub, ir.Mul, ir.Mul, ir.Max, ir.Min}[rng.IntN(6)], operand(), operand())
					if rng.IntN(3) == 0 {
						step = ir.Apply2(ir.Mul, operand(), ir.Number(0.25)) // keeps sizes down
					}
				}
				l.Steps = append(l.Steps, step)
			}
			for range 1 + rng.IntN(4) {
				l.Results = append(l.Results, l.Inputs+rng.IntN(len(l.Steps)))
			}
			for i, x := range c.in {
				if r := rng.IntN(len(l.Results)); op.Len(x) == op.Len(s) && rng.IntN(2) == 0 {
					if _, taken := c.over[r]; !taken {
						c.over[r] = i
					}
				}
			}
			run(c)
		}
	})
}

func BenchmarkLoop(b *testing.B) {
	p := pool.New(1)
	defer p.Close()
	for _, n := range []int{10, 1000, 100_000} {
		benchLoop[float32](b, p, n)
		benchLoop[float64](b, p, n)
	}
}

func benchLoop[T Float](b *testing.B, p *pool.Pool, n int) {
	r, num := ir.Register, ir.Number
	for _, c := range []struct {
		name string
		l    *ir.Loop
		in   []tensor.Shape
	}{
		{"x*y+z", &ir.Loop{Inputs: 3, Results: []int{4}, Steps: []ir.LoopStep{ir.Apply2(ir.Mul, r(0), r(1)), ir.Apply2(ir.Add, r(3), r(2))}}, []tensor.Shape{{n}, {n}, {n}}},
		{"sigmoid gradient", &ir.Loop{Inputs: 2, Results: []int{4}, Steps: []ir.LoopStep{ir.Apply2(ir.Sub, num(1), r(0)), ir.Apply2(ir.Mul, r(0), r(2)), ir.Apply2(ir.Mul, r(3), r(1))}}, []tensor.Shape{{n}, {n}}},
		{"exp", &ir.Loop{Inputs: 1, Results: []int{1}, Steps: []ir.LoopStep{ir.Apply1(ir.Exp, r(0))}}, []tensor.Shape{{n}}},
		{"tanh", &ir.Loop{Inputs: 1, Results: []int{1}, Steps: []ir.LoopStep{ir.Apply1(ir.Tanh, r(0))}}, []tensor.Shape{{n}}},
		{"log", &ir.Loop{Inputs: 1, Results: []int{1}, Steps: []ir.LoopStep{ir.Apply1(ir.Log, r(0))}}, []tensor.Shape{{n}}},
		{"LSTM cell", &ir.Loop{Inputs: 5, Results: []int{11, 13}, Steps: []ir.LoopStep{ir.Apply1(ir.Sigmoid, r(0)), ir.Apply1(ir.Sigmoid, r(1)), ir.Apply1(ir.Sigmoid, r(2)),
			ir.Apply1(ir.Tanh, r(3)), ir.Apply2(ir.Mul, r(6), r(4)), ir.Apply2(ir.Mul, r(5), r(8)), ir.Apply2(ir.Add, r(9), r(10)), ir.Apply1(ir.Tanh, r(11)), ir.Apply2(ir.Mul, r(7), r(12))}},
			[]tensor.Shape{{n}, {n}, {n}, {n}, {n}}},
	} {
		b.Run(fmt.Sprintf("%s/%T/%d", c.name, T(0), n), func(b *testing.B) {
			k, err := NewLoop[T](p, c.l, tensor.Shape{n}, c.in, func(int, int) bool { return false })
			require.NoError(b, err)
			k.SetScratch(make([]T, k.Workspace()))
			var in, out [][]T
			for range c.in {
				x := make([]T, n)
				for i := range x {
					x[i] = T(i%100)/25 - 2
				}
				in = append(in, x)
			}
			for range c.l.Results {
				out = append(out, make([]T, n))
			}
			for b.Loop() {
				k.Run(out, in)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
		})
	}
}
