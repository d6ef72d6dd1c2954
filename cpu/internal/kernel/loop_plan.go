package kernel

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/vmath"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// loopPlan is what a loop does before slots are given out: values are registers of the ir.Loop, numbers or, for the
// inner product of a MulAdd, nothing.
type loopPlan struct {
	blocks  blocks
	inputs  []inputKind
	spread  []*stretched
	steps   []loopStep
	numbers []float64
	results []int // values, each set by a step
}

// inputKind is how an input is read: element by element, as one number, or stretched.
type inputKind uint8

const (
	inputFull inputKind = iota
	inputOne
	inputStretched
)

// loopStep sets a value by a function of others.
type loopStep struct {
	fn   int // a unaryCode, binaryCode or one of the codes below
	y    int
	args []int // values; numbers are -1, -2, …
}

// Codes of functions: those of package ir, then ours.
const (
	binaryCode = 100 // ir.BinaryFn from here on, ir.UnaryFn below
	mulAddCode = 200
	mulSubCode = 201
	subMulCode = 202
)

func planLoop(l *ir.Loop, s tensor.Shape, in []tensor.Shape, most int) (*loopPlan, error) {
	sizes, strides, bad := joined(s, in)
	if bad >= 0 {
		return nil, fmt.Errorf("kernel: Loop over shape %v cannot stretch an input of shape %v", s, in[bad])
	}
	p := &loopPlan{inputs: make([]inputKind, len(in))}
	n := op.Len(s)
	row := n
	for i, x := range in {
		switch op.Len(x) {
		case n:
			continue
		case 1:
			p.inputs[i] = inputOne
			continue
		}
		p.inputs[i] = inputStretched
		row = sizes[len(sizes)-1]
		st := &stretched{input: i, sizes: sizes, strides: strides[i]}
		st.repeats = st.repeated()
		p.spread = append(p.spread, st)
	}
	p.blocks = newBlocks(n, row, most)
	p.read(l)
	p.fuse()
	return p, nil
}

// read takes the steps over, with numbers folded and powers with a simple exponent made products.
func (p *loopPlan) read(l *ir.Loop) {
	known := map[int]float64{} // registers that are numbers
	for i, s := range l.Steps {
		y := l.Inputs + i
		args, all := make([]int, len(s.Args)), true
		values := make([]float64, len(s.Args))
		for j, a := range s.Args {
			x, isNumber := known[a.Register]
			if a.IsNumber() {
				x, isNumber = a.Number, true
			}
			if values[j], args[j] = x, a.Register; isNumber {
				args[j] = p.number(x)
			}
			all = all && isNumber
		}
		step := loopStep{y: y, args: args}
		if len(args) == 1 {
			step.fn = int(s.Unary)
			if all {
				known[y] = s.Unary.Of(values[0])
			}
		} else {
			step.fn = binaryCode + int(s.Binary)
			if all {
				known[y] = s.Binary.Of(values[0], values[1])
			}
			if s.Binary == ir.Pow && args[1] < 0 && args[0] >= 0 {
				step.power(values[1])
			}
		}
		if all { // for those who want it as a result
			x := p.number(known[y])
			step = loopStep{fn: hold, y: y, args: []int{x, x}}
		}
		p.steps = append(p.steps, step)
	}
	for i, r := range l.Results {
		if r < l.Inputs {
			y := l.Inputs + len(l.Steps) + i
			p.steps = append(p.steps, loopStep{fn: hold, y: y, args: []int{r, r}})
			r = y
		}
		p.results = append(p.results, r)
	}
}

// power replaces Pow with an exponent for which multiplication gives the same.
func (s *loopStep) power(exponent float64) {
	switch exponent {
	case 2:
		*s = loopStep{fn: int(ir.Square), y: s.y, args: s.args[:1]}
	case 3:
		*s = loopStep{fn: int(ir.Cube), y: s.y, args: s.args[:1]}
	case -1:
		*s = loopStep{fn: int(ir.Inverse), y: s.y, args: s.args[:1]}
	}
}

// number returns the value that a number is.
func (p *loopPlan) number(x float64) int {
	for i, y := range p.numbers {
		if x == y && x != 0 { // 0 has two signs
			return -1 - i
		}
	}
	p.numbers = append(p.numbers, x)
	return -len(p.numbers)
}

// fuse makes a product that only a following sum or difference reads one step with it, and drops what nobody reads.
func (p *loopPlan) fuse() {
	uses, maker := map[int]int{}, map[int]int{}
	for _, r := range p.results {
		uses[r]++
	}
	for i, s := range p.steps {
		maker[s.y] = i
		for _, a := range s.args {
			uses[a]++
		}
	}
	gone := make([]bool, len(p.steps))
	for i := len(p.steps) - 1; i >= 0; i-- {
		s := &p.steps[i]
		if uses[s.y] == 0 {
			gone[i] = true
			for _, a := range s.args {
				uses[a]--
			}
			continue
		}
		product := func(a int) *loopStep {
			m, ok := maker[a]
			if !ok || a < 0 || uses[a] != 1 || p.steps[m].fn != binaryCode+int(ir.Mul) {
				return nil
			}
			gone[m] = true
			return &p.steps[m]
		}
		switch s.fn {
		case binaryCode + int(ir.Add):
			if m := product(s.args[0]); m != nil {
				*s = loopStep{fn: mulAddCode, y: s.y, args: []int{m.args[0], m.args[1], s.args[1]}}
			} else if m := product(s.args[1]); m != nil {
				*s = loopStep{fn: mulAddCode, y: s.y, args: []int{m.args[0], m.args[1], s.args[0]}}
			}
		case binaryCode + int(ir.Sub):
			if m := product(s.args[0]); m != nil {
				*s = loopStep{fn: mulSubCode, y: s.y, args: []int{m.args[0], m.args[1], s.args[1]}}
			} else if m := product(s.args[1]); m != nil {
				*s = loopStep{fn: subMulCode, y: s.y, args: []int{m.args[0], m.args[1], s.args[0]}}
			}
		}
	}
	kept := p.steps[:0]
	for i, s := range p.steps {
		if !gone[i] {
			kept = append(kept, s)
		}
	}
	p.steps = kept
}

// function finds the function of a code and what it costs, in sums of vectors.
func function[T Float](o *vmath.Ops[T], fn int) (c loopCode[T], cost int) {
	switch fn {
	case mulAddCode:
		c.f3 = o.MulAdd
	case mulSubCode:
		c.f3 = o.MulSub
	case subMulCode:
		c.f3 = o.SubMul
	}
	if c.f3 != nil {
		return c, 1
	}
	if fn >= binaryCode {
		f := ir.BinaryFn(fn - binaryCode)
		c.f2 = [ir.BinaryFns]vmath.F2[T]{ir.Add: o.Add, ir.Sub: o.Sub, ir.Mul: o.Mul, ir.Div: o.Div, ir.Pow: o.Pow, ir.Lt: o.Lt, ir.Gt: o.Gt,
			ir.Lte: o.Lte, ir.Gte: o.Gte, ir.Eq: o.Eq, ir.Ne: o.Ne, ir.Min: o.Min, ir.Max: o.Max, ir.ReLUGrad: o.ReLUGrad}[f]
		switch f {
		case ir.Pow:
			return c, 100
		case ir.Div:
			return c, 3
		}
		return c, 1
	}
	f := ir.UnaryFn(fn)
	c.f1 = [ir.UnaryFns]vmath.F1[T]{ir.Abs: o.Abs, ir.Sign: o.Sign, ir.Ceil: o.Ceil, ir.Floor: o.Floor, ir.Sin: o.Sin, ir.Cos: o.Cos, ir.Exp: o.Exp,
		ir.Log: o.Log, ir.Log2: o.Log2, ir.Neg: o.Neg, ir.Square: o.Square, ir.Sqrt: o.Sqrt, ir.Inverse: o.Inverse, ir.InverseSqrt: o.InverseSqrt,
		ir.Cube: o.Cube, ir.Tanh: o.Tanh, ir.Sigmoid: o.Sigmoid, ir.Log1p: o.Log1p, ir.Expm1: o.Expm1, ir.Softplus: o.Softplus, ir.Erf: o.Erf}[f]
	switch f {
	case ir.Sin, ir.Cos, ir.Erf:
		return c, 100
	case ir.Exp, ir.Log, ir.Log2, ir.Tanh, ir.Sigmoid, ir.Log1p, ir.Expm1, ir.Softplus:
		return c, 10
	case ir.Sqrt, ir.Inverse, ir.InverseSqrt:
		return c, 3
	}
	return c, 1
}
