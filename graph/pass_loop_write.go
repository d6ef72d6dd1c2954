package graph

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// loopWriter writes the program of one loop. Registers that steps set are numbered from 0 while the number of inputs
// is not known; finish moves them behind the inputs.
type loopWriter struct {
	l         *looper
	shape     tensor.Shape
	inputs    []*Value
	steps     []ir.LoopStep
	registers map[*Value]int // results of members
}

// stepRegister marks a register that a step sets until finish: far above the inputs.
const stepRegister = 1 << 20

// loop makes the step of a group.
func (l *looper) loop(g *loopGroup) *Step {
	l.visit++
	g.seen = l.visit
	last := l.steps[g.end()]
	w := &loopWriter{l: l, shape: last.Out[0].Shape, registers: map[*Value]int{}}
	s := &Step{}
	instr := &ir.Loop{}
	for _, m := range g.members {
		member := l.steps[m]
		w.write(member)
		y := member.Out[0]
		if l.wanted(y) || y.soft {
			s.Out = append(s.Out, y)
			instr.Results = append(instr.Results, w.registers[y])
		}
		s.rank = max(s.rank, member.rank)
	}
	w.finish(instr)
	s.Instr, s.In = instr, w.inputs
	return s
}

// write adds what a member of the group does.
func (w *loopWriter) write(s *Step) {
	in := func(i int) ir.Operand { return w.operand(s.In[i]) }
	var y ir.Operand
	switch o := s.Instr.(type) {
	case *ir.Unary:
		y = w.add(ir.Apply1(o.Fn, in(0)))
	case *ir.Binary:
		y = w.add(ir.Apply2(o.Fn, in(0), in(1)))
	case *op.Add:
		y = w.add(ir.Apply2(ir.Add, in(0), in(1)))
	case *op.Mul:
		y = w.add(ir.Apply2(ir.Mul, in(0), in(1)))
	case *op.Scale:
		y = w.add(ir.Apply2(ir.Mul, in(0), ir.Number(o.Factor)))
	case *op.ReLU:
		y = w.add(ir.Apply2(ir.Max, in(0), ir.Number(0)))
	case *op.ReLUGrad:
		y = w.add(ir.Apply2(ir.ReLUGrad, in(0), in(1)))
	case *op.BiasAdd:
		b := w.operand(w.l.view(s.In[1], along(s.In[0].Shape, o.Axis)))
		y = w.add(ir.Apply2(ir.Add, in(0), b))
	case *op.ChannelAffine:
		y = w.add(ir.Apply2(ir.Mul, in(0), ir.Number(o.Scale)))
		if o.Shift != nil {
			y = w.add(ir.Apply2(ir.Add, y, w.operand(w.constant(s, o))))
		}
	}
	w.registers[s.Out[0]] = y.Register
}

// operand is what a member reads v as.
func (w *loopWriter) operand(v *Value) ir.Operand {
	if r, ok := w.registers[v]; ok {
		return ir.Register(r)
	}
	v = w.l.read(v)
	if x, ok := number(v.Root()); ok {
		return ir.Number(x)
	}
	i := slices.Index(w.inputs, v)
	if i < 0 {
		i = len(w.inputs)
		w.inputs = append(w.inputs, v)
	}
	return ir.Register(i)
}

func (w *loopWriter) add(s ir.LoopStep) ir.Operand {
	w.steps = append(w.steps, s)
	return ir.Register(stepRegister + len(w.steps) - 1)
}

// finish gives the registers their numbers and the loop its shape, where the inputs do not tell it.
func (w *loopWriter) finish(o *ir.Loop) {
	o.Inputs, o.Steps = len(w.inputs), w.steps
	final := func(r int) int {
		if r >= stepRegister {
			r += o.Inputs - stepRegister
		}
		return r
	}
	for _, s := range o.Steps {
		for i := range s.Args {
			s.Args[i].Register = final(s.Args[i].Register)
		}
	}
	for i := range o.Results {
		o.Results[i] = final(o.Results[i])
	}
	shapes := make([]tensor.Shape, len(w.inputs))
	for i, v := range w.inputs {
		shapes[i] = v.Shape
	}
	if s, err := ir.Broadcast(o.Kind(), shapes...); len(shapes) == 0 || err != nil || !shape.Equal(s, w.shape) {
		o.Shape = w.shape.Clone()
	}
}

// along is the shape of a vector that stands along one axis of s.
func along(s tensor.Shape, axis int) tensor.Shape {
	out := make(tensor.Shape, len(s))
	for i := range out {
		out[i] = 1
	}
	axis = axisOf(axis, s)
	out[axis] = s[axis]
	return out
}

// constant makes the shift of a ChannelAffine a value of the plan.
func (w *loopWriter) constant(s *Step, o *op.ChannelAffine) *Value {
	y := s.Out[0]
	v := w.l.p.newValue(y.Name+" (shift)", along(y.Shape, o.Axis), y.Dtype, nil)
	k := op.Array{Shape: v.Shape, Data: slices.Clone(o.Shift)}
	if v.Dtype == tensor.Float32 {
		narrow := make([]float32, len(o.Shift))
		for i, x := range o.Shift {
			narrow[i] = float32(x)
		}
		k.Data = narrow
	}
	v.Const = &k
	return v
}
