package kernel

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	registerFloats(map[string]Prepare{"Loop": prepareLoop, "Unary": prepareUnary})
	register(map[string]Prepare{"Binary": prepareBinary}, tensor.Float32, tensor.Float64, tensor.Int, tensor.Bool)
	registerNarrow(map[string]narrowing{
		"Loop":   {in: full, out: every},
		"Unary":  {in: full, out: operands(0)},
		"Binary": {in: full, out: operands(0)},
	})
}

func prepareLoop(b *Builder, s *graph.Step) ([]Command, error) {
	return []Command{b.loop(s, s.Instr.(*ir.Loop))}, nil
}

// Operations alone are loops of one step.

func prepareUnary(b *Builder, s *graph.Step) ([]Command, error) {
	fn := s.Instr.(*ir.Unary).Fn
	if fn >= ir.UnaryFns {
		return nil, nil
	}
	return []Command{b.loop(s, &ir.Loop{Inputs: 1, Steps: []ir.LoopStep{ir.Apply1(fn, ir.Register(0))}, Results: []int{1}})}, nil
}

// Comparisons may have booleans as results, and operands may be integers. What has no meaning there is left to the host, which
// says so.
func prepareBinary(b *Builder, s *graph.Step) ([]Command, error) {
	fn, from, to := s.Instr.(*ir.Binary).Fn, s.In[0].Dtype, s.Out[0].Dtype
	ints := from == tensor.Int
	switch {
	case fn >= ir.BinaryFns, to == tensor.Bool && !fn.Compares(), to != tensor.Bool && to != from:
		return nil, nil
	case ints && (fn == ir.Pow || fn == ir.ReLUGrad), !ints && from != tensor.Float32 && from != tensor.Float64:
		return nil, nil
	}
	l := &ir.Loop{Inputs: 2, Steps: []ir.LoopStep{ir.Apply2(fn, ir.Register(0), ir.Register(1))}, Results: []int{2}}
	commands := []Command{b.loop(s, l)}
	if ints && fn == ir.Div {
		commands = append([]Command{&Check{In: 1, Fn: checkDivisors}}, commands...)
	}
	return commands, nil
}

// checkDivisors refuses the integer 0, by which nothing can be divided.
func checkDivisors(a op.Array) error {
	if at := slices.Index(a.Data.([]int), 0); at >= 0 {
		return fmt.Errorf("element %d of the divisor is the integer 0", at)
	}
	return nil
}

// reading is how a loop reads an input.
type reading uint8

const (
	readFull      reading = iota // element i
	readOne                      // the one element that it has
	readStretched                // with strides
)

// loopPlan is what the text and the arguments of a loop depend on besides its program: axes that all inputs run through as
// through one are joined, so that most loops have one axis, and many of the others two.
type loopPlan struct {
	program *ir.Loop
	from    tensor.Dtype // of inputs and registers
	to      tensor.Dtype // of results
	n       int
	pack    int // elements that a thread computes at once
	inputs  []reading
	sizes   []int   // of the joined axes, outermost first
	strides [][]int // of each input along them, for those that are stretched

	narrowIn, narrowOut []bool // kept as bfloat16
}

// planLoop plans a loop over a shape, which its inputs of the given shapes stretch to.
func planLoop(l *ir.Loop, s tensor.Shape, in []tensor.Shape) *loopPlan {
	n := op.Len(s)
	p := &loopPlan{program: l, n: n, pack: 1, inputs: make([]reading, len(in)), strides: make([][]int, len(in))}
	all := make([][]int, len(in))
	for i, x := range in {
		switch op.Len(x) {
		case n:
		case 1:
			p.inputs[i] = readOne
		default:
			p.inputs[i] = readStretched
			all[i], _ = ir.Strides(x, s) // Infer has seen the shapes
		}
	}
	for axis, d := range s {
		if d != 1 {
			p.join(d, axis, all)
		}
	}
	return p
}

// join adds an axis of d elements, inside those that are there.
func (p *loopPlan) join(d, axis int, all [][]int) {
	last := len(p.sizes) - 1
	joins := last >= 0
	for i, st := range all {
		joins = joins && (st == nil || p.strides[i][last] == st[axis]*d)
	}
	if joins {
		p.sizes[last] *= d
	} else {
		p.sizes = append(p.sizes, d)
	}
	for i, st := range all {
		switch {
		case st == nil:
		case joins:
			p.strides[i][last] = st[axis]
		default:
			p.strides[i] = append(p.strides[i], st[axis])
		}
	}
}

// loop is the launch of a loop.
func (b *Builder) loop(s *graph.Step, l *ir.Loop) *Launch {
	shapes := make([]tensor.Shape, len(s.In))
	for i, v := range s.In {
		shapes[i] = v.Shape
	}
	p := planLoop(l, s.Out[0].Shape, shapes)
	p.from, p.to = s.Out[0].Dtype, s.Out[0].Dtype
	if len(s.In) > 0 {
		p.from = s.In[0].Dtype
	}
	p.store(s)
	grid, block := b.Each(p.n / p.pack)
	text := Text("loop", p.from, read("functions.cuh")+p.text())
	return &Launch{Source: text, Name: "loop", Grid: grid, Block: block, Args: p.arguments()}
}

// mostRegisters is how many registers a pack of eight may take for operands; what needs more works on fewer elements at once.
const mostRegisters = 64

// store takes from a step how its operands lie in memory, and decides how many elements a thread computes at once. A pack does not
// reach over the end of the innermost axis, so that its elements lie together in stretched inputs as well, or are one.
func (p *loopPlan) store(s *graph.Step) {
	p.narrowIn, p.narrowOut = narrowOf(s.In), narrowOf(s.Out)
	if p.from != p.to || p.from != tensor.Float32 && p.from != tensor.Float64 {
		return
	}
	along := p.n
	if slices.Contains(p.inputs, readStretched) {
		along = p.sizes[len(p.sizes)-1]
	}
	operands := slices.Clone(s.Out)
	for i, v := range s.In {
		if p.inputs[i] == readFull {
			operands = append(operands, v)
		}
	}
	p.pack = packOf(along, operands...)
	if p.pack == 8 && p.pack*len(operands) > mostRegisters {
		p.pack = 4
	}
}

// narrowOf says which values are kept as bfloat16.
func narrowOf(values []*graph.Value) []bool {
	narrow := make([]bool, len(values))
	for i, v := range values {
		narrow[i] = v.Narrow
	}
	return narrow
}

// arguments are those of the kernel that text writes.
func (p *loopPlan) arguments() []any {
	var args []any
	for r := range p.program.Results {
		args = append(args, Out(r))
	}
	for i := range p.inputs {
		args = append(args, In(i))
	}
	for axis := range p.sizes {
		if p.divides(axis) {
			args = append(args, structOf(divideBy(p.sizes[axis])))
		}
	}
	for i, st := range p.strides {
		for axis := range st {
			if p.multiplies(i, axis) {
				args = append(args, int64(st[axis]))
			}
		}
	}
	return append(args, int64(p.n))
}

// located says whether an input's place depends on the coordinate along an axis.
func (p *loopPlan) located(axis int) bool {
	for _, st := range p.strides {
		if st != nil && st[axis] != 0 {
			return true
		}
	}
	return false
}

// divides says whether the coordinates need a division by the size of an axis: one of those outside it is asked for, or its
// own, which is not the outermost.
func (p *loopPlan) divides(axis int) bool {
	if axis == 0 {
		return false
	}
	for a := 0; a <= axis; a++ {
		if p.located(a) {
			return true
		}
	}
	return false
}

// multiplies says whether a stride is an argument: it is none of those that the text holds.
func (p *loopPlan) multiplies(input, axis int) bool { return p.strides[input][axis] > 1 }
