package ir

import (
	"fmt"
	"strconv"
	"strings"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Loop is several elementwise operations in one sweep: a straight-line program that runs for every element of one shape.
// Its registers are numbered: first one for each input, then one for the result of each step. In: any number of tensors of
// one float type, which are stretched to the loop's shape as those of [Binary] are; out: as many as Results, all of the
// loop's shape.
type Loop struct {
	Inputs  int          // number of inputs
	Steps   []LoopStep   // step i sets register Inputs+i
	Results []int        // registers that are handed out
	Shape   tensor.Shape // the loop's shape; nil: what the inputs stretch each other to
}

// LoopStep sets a register to Unary of Args[0] or, where there are two, to Binary of both.
type LoopStep struct {
	Unary  UnaryFn
	Binary BinaryFn
	Args   []Operand
}

// Operand is a register of a [Loop], or a number where Register is negative.
type Operand struct {
	Register int
	Number   float64
}

// Register is the operand that reads a register.
func Register(r int) Operand { return Operand{Register: r} }

// Number is the operand that is a number, rounded to the loop's element type.
func Number(x float64) Operand { return Operand{Register: -1, Number: x} }

// IsNumber says whether the operand is a number.
func (o Operand) IsNumber() bool { return o.Register < 0 }

func (o Operand) String() string {
	if o.IsNumber() {
		return strconv.FormatFloat(o.Number, 'g', -1, 64)
	}
	return "r" + strconv.Itoa(o.Register)
}

// Apply1 is the step that computes f of a register or number.
func Apply1(f UnaryFn, a Operand) LoopStep { return LoopStep{Unary: f, Args: []Operand{a}} }

// Apply2 is the step that computes f of two of them.
func Apply2(f BinaryFn, a, b Operand) LoopStep { return LoopStep{Binary: f, Args: []Operand{a, b}} }

func (s LoopStep) String() string {
	switch {
	case len(s.Args) == 1:
		return fmt.Sprintf("%s %s", s.Unary, s.Args[0])
	case s.Binary == Pow || s.Binary == Min || s.Binary == Max || s.Binary == ReLUGrad:
		return fmt.Sprintf("%s(%s, %s)", s.Binary, s.Args[0], s.Args[1])
	}
	return fmt.Sprintf("%s %s %s", s.Args[0], s.Binary, s.Args[1])
}

// Kind is "Loop".
func (o *Loop) Kind() string { return "Loop" }

// String is the program, such as "Loop(r2 = exp r0; r3 = r2 + r1; out r3)".
func (o *Loop) String() string {
	var b strings.Builder
	b.WriteString("Loop(")
	if o.Shape != nil {
		b.WriteString("shape " + shape.Format(o.Shape) + "; ")
	}
	for i, s := range o.Steps {
		fmt.Fprintf(&b, "r%d = %s; ", o.Inputs+i, s)
	}
	b.WriteString("out")
	for i, r := range o.Results {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(" r" + strconv.Itoa(r))
	}
	return b.String() + ")"
}

// Infer returns the loop's shape.
func (o *Loop) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := arity(o.Kind(), in, o.Inputs); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Shape == nil {
		return Broadcast(o.Kind(), in...)
	}
	for _, s := range in {
		if _, ok := Strides(s, o.Shape); !ok {
			return nil, &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: "inputs that stretch to " + shape.Format(o.Shape),
				Got: shape.Format(s), Shapes: in, Remedy: "only axes of size 1 are stretched"}
		}
	}
	return o.Shape.Clone(), nil
}

// check refuses programs that read what is not set yet.
func (o *Loop) check() error {
	bad := func(wanted, got string) error {
		return &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: wanted, Got: got}
	}
	if o.Inputs == 0 && o.Shape == nil {
		return bad("a shape, for a loop without inputs", "none")
	}
	for i, s := range o.Steps {
		if len(s.Args) != 1 && len(s.Args) != 2 || len(s.Args) == 1 && s.Unary >= UnaryFns || len(s.Args) == 2 && s.Binary >= BinaryFns {
			return bad("steps of one or two operands and known functions", fmt.Sprintf("step %d, %v", i, s.Args))
		}
		for _, a := range s.Args {
			if a.Register >= o.Inputs+i {
				return bad("steps that read inputs and earlier steps", fmt.Sprintf("r%d = %s", o.Inputs+i, s))
			}
		}
	}
	for _, r := range o.Results {
		if r < 0 || r >= o.Inputs+len(o.Steps) {
			return bad("results that are registers", fmt.Sprintf("r%d", r))
		}
	}
	return nil
}

// Compute runs the program step after step over whole arrays: the same numbers as the operations give that it is made of.
func (o *Loop) Compute(out, in []op.Array) error {
	if err := o.check(); err != nil {
		return err
	}
	switch out[0].Data.(type) {
	case []float32:
		compute[float32](o, out, in)
	case []float64:
		compute[float64](o, out, in)
	default:
		return fmt.Errorf("ir: Loop of %v; it takes float32 and float64", out[0].Dtype())
	}
	return nil
}

func compute[T op.Float](o *Loop, out, in []op.Array) {
	s := out[0].Shape
	registers := make([][]T, 0, o.Inputs+len(o.Steps))
	for _, a := range in {
		registers = append(registers, stretch[T](a, s))
	}
	of := func(a Operand) []T {
		if a.IsNumber() {
			return stretch[T](op.Array{Data: []T{T(a.Number)}}, s)
		}
		return registers[a.Register]
	}
	for _, step := range o.Steps {
		y := make([]T, op.Len(s))
		if len(step.Args) == 1 {
			unary(step.Unary, y, of(step.Args[0]))
		} else {
			binary(step.Binary, op.Array{Data: y}, of(step.Args[0]), of(step.Args[1]))
		}
		registers = append(registers, y)
	}
	for i, r := range o.Results {
		copy(out[i].Data.([]T), registers[r])
	}
}
