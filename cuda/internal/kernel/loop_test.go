package kernel

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

var update = flag.Bool("update", false, "write the golden texts of generated kernels")

// everyStep calls do with every step of the plans that the conformance suite makes, once with those that are alike.
func everyStep(t *testing.T, do func(s *graph.Step)) {
	seen := map[string]bool{}
	steps := func(p *graph.Plan) {
		for _, s := range p.Steps {
			key := s.Instr.String()
			for _, v := range append(slices.Clone(s.Out), s.In...) {
				key += fmt.Sprint(v.Dtype, v.Shape)
			}
			if !seen[key] {
				seen[key] = true
				do(s)
			}
		}
	}
	steps(&graph.Plan{Steps: maskedPools(t)})
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		for _, dims := range [][]int{{64, 64}, {40, 10}, {9000, 64}} {
			steps(&graph.Plan{Steps: joinedSteps(dt, 1, dims...)})
		}
		for _, c := range enginetest.OpCases(dt) {
			steps(c.Plan(t, dt))
		}
		for _, c := range enginetest.FusionCases() {
			b := enginetest.NewB(t, dt)
			c.Build(b)
			steps(b.Plan())
		}
		for _, c := range enginetest.Cases() {
			for _, opts := range [][]graph.Option{nil, {graph.WithoutPasses()}} {
				b := enginetest.NewB(t, dt)
				c.Build(b)
				steps(b.Plan(opts...))
			}
		}
	}
}

func TestStepsOfTheSuite(t *testing.T) {
	b := builderFor(FP32)
	everyStep(t, func(s *graph.Step) {
		commands, err := Commands(b, s)
		require.NoError(t, err)
		checkLaunches(t, b, s, commands)
		commandsOfNarrowed(t, s)
	})
}

// loopOf is a step of a loop with its operands' shapes.
func loopOf(dt tensor.Dtype, l *ir.Loop, shapes ...tensor.Shape) *graph.Step {
	s := &graph.Step{Instr: l}
	for _, x := range shapes {
		s.In = append(s.In, valueOf(dt, x...))
	}
	y, err := l.Infer(shapes)
	if err != nil {
		panic(err) // a mistake in the test
	}
	for range l.Results {
		s.Out = append(s.Out, valueOf(dt, y...))
	}
	return s
}

func r(i int) ir.Operand { return ir.Register(i) }

func TestLoopTexts(t *testing.T) {
	for name, s := range map[string]*graph.Step{
		"elementwise": loopOf(tensor.Float32, &ir.Loop{Inputs: 2, Results: []int{3, 5}, Steps: []ir.LoopStep{ir.Apply1(ir.Exp, r(0)),
			ir.Apply2(ir.Add, r(2), r(1)), ir.Apply2(ir.Max, r(3), ir.Number(0)), ir.Apply2(ir.Mul, r(4), ir.Number(-0.1))}},
			tensor.Shape{5, 7}, tensor.Shape{5, 7}),
		"channels": loopOf(tensor.Float64, &ir.Loop{Inputs: 3, Results: []int{5}, Steps: []ir.LoopStep{ir.Apply2(ir.Mul, r(0), r(1)),
			ir.Apply2(ir.Pow, r(3), ir.Number(2)), ir.Apply2(ir.Lte, r(4), r(2))}},
			tensor.Shape{2, 3, 4, 5}, tensor.Shape{1, 3, 1, 1}, tensor.Shape{1}),
		"outer": loopOf(tensor.Float32, &ir.Loop{Inputs: 2, Results: []int{3}, Steps: []ir.LoopStep{ir.Apply2(ir.Sub, r(0), r(1)),
			ir.Apply2(ir.ReLUGrad, r(2), ir.Number(math.Inf(1)))}}, tensor.Shape{1, 4, 6}, tensor.Shape{3, 4, 1}),
		"packs": loopOf(tensor.Float32, &ir.Loop{Inputs: 3, Results: []int{4}, Steps: []ir.LoopStep{ir.Apply2(ir.Mul, r(0), r(1)),
			ir.Apply2(ir.Add, r(3), r(2))}}, tensor.Shape{3, 5, 4}, tensor.Shape{3, 1, 1}, tensor.Shape{1, 1, 4}),
		"narrow packs": narrowed(loopOf(tensor.Float32, &ir.Loop{Inputs: 2, Results: []int{2, 3}, Steps: []ir.LoopStep{
			ir.Apply2(ir.Add, r(0), r(1)), ir.Apply1(ir.Exp, r(2))}}, tensor.Shape{4, 8}, tensor.Shape{4, 8})),
		"narrow elements": narrowed(loopOf(tensor.Float32, &ir.Loop{Inputs: 2, Results: []int{2}, Steps: []ir.LoopStep{
			ir.Apply2(ir.Add, r(0), r(1))}}, tensor.Shape{3, 5}, tensor.Shape{3, 1})),
	} {
		commands := commandsOf(t, builderFor(BF16), s)
		text := commands[0].(*Launch).Source.Text
		text = strings.TrimLeft(text[strings.Index(text, "KERNEL loop"):], "\n")
		path := filepath.Join("testdata", "loop-"+strings.ReplaceAll(name, " ", "-")+".cu")
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), text)
	}
}

func TestLoopsOfOneProgramShareASource(t *testing.T) {
	text := func(shapes ...tensor.Shape) Source {
		l := &ir.Loop{Inputs: 2, Results: []int{2}, Steps: []ir.LoopStep{ir.Apply2(ir.Add, r(0), r(1))}}
		return commandsOf(t, builderFor(FP32), loopOf(tensor.Float32, l, shapes...))[0].(*Launch).Source
	}
	plain := text(tensor.Shape{3}, tensor.Shape{3})
	require.Equal(t, plain, text(tensor.Shape{5, 3, 1}, tensor.Shape{5, 3, 1}))
	require.Equal(t, plain, text(tensor.Shape{1, 1}, tensor.Shape{}))
	require.NotEqual(t, plain, text(tensor.Shape{2, 3, 4}, tensor.Shape{2, 3, 4})) // in packs of 4
	rows := text(tensor.Shape{5, 3}, tensor.Shape{1, 3})
	require.NotEqual(t, plain, rows)
	require.Equal(t, rows, text(tensor.Shape{8, 9, 3, 1}, tensor.Shape{1, 1, 3, 1}))
	fours := text(tensor.Shape{5, 4}, tensor.Shape{1, 4})
	require.NotEqual(t, rows, fours)
	require.Equal(t, fours, text(tensor.Shape{8, 9, 3, 4}, tensor.Shape{1, 1, 3, 4}))
	require.NotEqual(t, rows, text(tensor.Shape{5, 3}, tensor.Shape{5, 1}))
}

// TestLoopPlaces follows the text's arithmetic: for every element, each stretched input is read where ir.Strides says.
func TestLoopPlaces(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		s := make(tensor.Shape, 1+random.IntN(5))
		for i := range s {
			s[i] = 1 + random.IntN(4)
		}
		in := []tensor.Shape{s}
		for range 1 + random.IntN(3) {
			x := s.Clone()
			for i := range x {
				if random.IntN(2) == 0 {
					x[i] = 1
				}
			}
			in = append(in, x)
		}
		p := planLoop(&ir.Loop{Inputs: len(in)}, s, in)
		for i := range op.Len(s) {
			c := p.coordinates(i)
			for k, kind := range p.inputs {
				if kind != readStretched {
					continue
				}
				strides, _ := ir.Strides(in[k], s)
				want, rest := 0, i
				for axis := len(s) - 1; axis >= 0; axis-- {
					want, rest = want+rest%s[axis]*strides[axis], rest/s[axis]
				}
				got := 0
				for axis, stride := range p.strides[k] {
					if stride != 0 {
						require.Contains(t, c, axis)
					}
					got += c[axis] * stride
				}
				require.Equal(t, want, got, "element %d of %v, input %v", i, s, in[k])
			}
		}
	}
}

// coordinates are those that writeCoordinates computes.
func (p *loopPlan) coordinates(i int) map[int]int {
	c := map[int]int{}
	for axis := len(p.sizes) - 1; axis >= 0; axis-- {
		switch {
		case p.divides(axis):
			c[axis], i = i%p.sizes[axis], i/p.sizes[axis]
		case axis == 0 && p.located(0):
			c[0] = i
		}
	}
	return c
}

func TestLiterals(t *testing.T) {
	for _, c := range []struct {
		dt   tensor.Dtype
		x    float64
		want string
	}{
		{tensor.Float32, 1, "0x1p+00f"}, {tensor.Float32, -0.1, "(-0x1.99999ap-04f)"}, {tensor.Float64, 0.1, "0x1.999999999999ap-04"},
		{tensor.Float32, math.Copysign(0, -1), "(-0x0p+00f)"}, {tensor.Float32, 1e300, "__uint_as_float(0x7f800000u)"},
		{tensor.Float64, math.Inf(-1), "__longlong_as_double((i64)0xfff0000000000000ull)"},
		{tensor.Float32, 1e-45, "0x1p-149f"},
	} {
		require.Equal(t, c.want, literal(c.dt, c.x), "%v of %v", c.x, c.dt)
	}
}

// Kernels of every function and element type that binary operations have, and the host where they have no meaning.
func TestBinaryOfAllTypes(t *testing.T) {
	for fn := ir.Add; fn < ir.BinaryFns; fn++ {
		for _, from := range allTypes {
			for _, to := range allTypes {
				b := builderFor(FP32)
				s := stepOf(&ir.Binary{Fn: fn}, valueOf(to, 3, 5), valueOf(from, 3, 5), valueOf(from, 1, 5))
				commands, err := Commands(b, s)
				require.NoError(t, err)
				checkLaunches(t, b, s, commands)
				computed := from == tensor.Float32 || from == tensor.Float64 || from == tensor.Int && fn != ir.Pow && fn != ir.ReLUGrad
				want := computed && (to == from || to == tensor.Bool && fn.Compares())
				require.Equal(t, want, commands != nil, "%v of %v to %v", fn, from, to)
				require.Equal(t, want && from == tensor.Int && fn == ir.Div, len(commands) == 2, "a check of the divisor")
			}
		}
	}
	require.EqualError(t, checkDivisors(op.Array{Data: []int{1, 2, 0}}), "element 2 of the divisor is the integer 0")
	require.NoError(t, checkDivisors(op.Array{Data: []int{1, -2}}))
}
