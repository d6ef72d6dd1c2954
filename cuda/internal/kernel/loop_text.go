package kernel

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
)

// text writes the kernel of a loop: one thread computes all registers of an element, or of a pack of neighbours, before it writes any
// result, so that a result may be the memory of an input. Sizes and strides are arguments, so that loops of one program share a text.
func (p *loopPlan) text() string {
	var t strings.Builder
	fmt.Fprintf(&t, "\nKERNEL loop(%s) {\n", strings.Join(p.parameters(), ", "))
	for i, kind := range p.inputs {
		if kind == readOne {
			fmt.Fprintf(&t, "\tconst T r%d = x%d[0];\n", i, i)
		}
	}
	if p.pack > 1 {
		p.writePacks(&t)
	} else {
		p.writeElements(&t)
	}
	t.WriteString("\t}\n}\n")
	return t.String()
}

// writeElements loops over elements.
func (p *loopPlan) writeElements(t *strings.Builder) {
	t.WriteString("\tFOR_EACH(i, n) {\n")
	p.writeCoordinates(t)
	for i, kind := range p.inputs {
		switch {
		case kind == readFull && p.narrowIn[i]:
			fmt.Fprintf(t, "\t\tconst T r%d = widen(x%d[i]);\n", i, i)
		case kind == readFull:
			fmt.Fprintf(t, "\t\tconst T r%d = x%d[i];\n", i, i)
		case kind == readStretched:
			fmt.Fprintf(t, "\t\tconst T r%d = x%d[%s];\n", i, i, p.place(i))
		}
	}
	p.writeSteps(t, "\t\t")
	for i, r := range p.program.Results {
		if p.narrowOut[i] {
			fmt.Fprintf(t, "\t\tstore(y%d + i, r%d);\n", i, r)
		} else {
			fmt.Fprintf(t, "\t\ty%d[i] = r%d;\n", i, r)
		}
	}
}

// writePacks loops over packs: a are those of inputs, b those of results.
func (p *loopPlan) writePacks(t *strings.Builder) {
	fmt.Fprintf(t, "\tFOR_EACH(pack, n / %d) {\n\t\tconst i64 i = pack * %d;\n", p.pack, p.pack)
	p.writeCoordinates(t)
	var packed []int
	for i, kind := range p.inputs {
		switch {
		case kind == readFull:
			packed = append(packed, i)
			fmt.Fprintf(t, "\t\tT a%d[%d];\n\t\tload_pack(a%d, x%d + i);\n", i, p.pack, i, i)
		case kind == readStretched && p.along(i):
			packed = append(packed, i)
			fmt.Fprintf(t, "\t\tT a%d[%d];\n\t\tload_pack(a%d, x%d + (%s));\n", i, p.pack, i, i, p.place(i))
		case kind == readStretched:
			fmt.Fprintf(t, "\t\tconst T r%d = x%d[%s];\n", i, i, p.place(i))
		}
	}
	for i := range p.program.Results {
		fmt.Fprintf(t, "\t\tT b%d[%d];\n", i, p.pack)
	}
	fmt.Fprintf(t, "#pragma unroll\n\t\tfor (int k = 0; k < %d; k++) {\n", p.pack)
	for _, i := range packed {
		fmt.Fprintf(t, "\t\t\tconst T r%d = a%d[k];\n", i, i)
	}
	p.writeSteps(t, "\t\t\t")
	for i, r := range p.program.Results {
		fmt.Fprintf(t, "\t\t\tb%d[k] = r%d;\n", i, r)
	}
	t.WriteString("\t\t}\n")
	for i := range p.program.Results {
		fmt.Fprintf(t, "\t\tstore_pack(y%d + i, b%d);\n", i, i)
	}
}

// along says whether a stretched input goes on in memory along the innermost axis; else it stays in its place there.
func (p *loopPlan) along(input int) bool { return p.strides[input][len(p.sizes)-1] == 1 }

func (p *loopPlan) writeSteps(t *strings.Builder, indent string) {
	for i, step := range p.program.Steps {
		fmt.Fprintf(t, "%sconst T r%d = %s;\n", indent, p.program.Inputs+i, p.expression(step))
	}
}

// parameters are those of the kernel, in the order of arguments.
func (p *loopPlan) parameters() []string {
	var list []string
	for r := range p.program.Results {
		list = append(list, fmt.Sprintf("%s *y%d", stored(CType(p.to), p.narrowOut[r]), r))
	}
	for i := range p.inputs {
		list = append(list, fmt.Sprintf("const %s *x%d", stored("T", p.narrowIn[i]), i))
	}
	for axis := range p.sizes {
		if p.divides(axis) {
			list = append(list, fmt.Sprintf("Div d%d", axis))
		}
	}
	for i, st := range p.strides {
		for axis := range st {
			if p.multiplies(i, axis) {
				list = append(list, fmt.Sprintf("i64 s%d_%d", i, axis))
			}
		}
	}
	return append(list, "i64 n")
}

// stored is the type in which an operand of the given type lies in memory.
func stored(ctype string, narrow bool) string {
	if narrow {
		return "bf16"
	}
	return ctype
}

// writeCoordinates finds the coordinates of element i that stretched inputs need, innermost first.
func (p *loopPlan) writeCoordinates(t *strings.Builder) {
	rest := "i"
	for axis := len(p.sizes) - 1; axis >= 0; axis-- {
		switch {
		case p.divides(axis):
			fmt.Fprintf(t, "\t\tconst i64 q%d = quotient(%s, d%d)", axis, rest, axis)
			if p.located(axis) {
				fmt.Fprintf(t, ", c%d = %s - q%d * d%d.by", axis, rest, axis, axis)
			}
			t.WriteString(";\n")
			rest = fmt.Sprintf("q%d", axis)
		case axis == 0 && len(p.sizes) > 1 && p.located(0):
			fmt.Fprintf(t, "\t\tconst i64 c0 = %s;\n", rest)
		}
	}
}

// place is where a stretched input stands for element i.
func (p *loopPlan) place(input int) string {
	var terms []string
	for axis, stride := range p.strides[input] {
		c := fmt.Sprintf("c%d", axis)
		switch {
		case stride == 1:
			terms = append(terms, c)
		case stride > 1:
			terms = append(terms, fmt.Sprintf("%s * s%d_%d", c, input, axis))
		}
	}
	return strings.Join(terms, " + ")
}

// expression is the value of a step.
func (p *loopPlan) expression(s ir.LoopStep) string {
	a := p.operand(s.Args[0])
	if len(s.Args) == 1 {
		return fmt.Sprintf("fn_%s(%s)", s.Unary, a)
	}
	b := p.operand(s.Args[1])
	switch s.Binary {
	case ir.Add, ir.Sub, ir.Mul, ir.Div:
		if p.from == tensor.Int {
			return fmt.Sprintf("int_%s(%s, %s)", [...]string{ir.Add: "add", ir.Sub: "sub", ir.Mul: "mul", ir.Div: "div"}[s.Binary], a, b)
		}
	case ir.Pow:
		if !s.Args[1].IsNumber() {
			break
		}
		switch s.Args[1].Number { // for which products give the same
		case 2:
			return fmt.Sprintf("fn_square(%s)", a)
		case 3:
			return fmt.Sprintf("fn_cube(%s)", a)
		case -1:
			return fmt.Sprintf("fn_inverse(%s)", a)
		}
	}
	switch {
	case s.Binary.Compares():
		return fmt.Sprintf("(T)(%s %s %s)", a, s.Binary, b)
	case s.Binary <= ir.Div:
		return fmt.Sprintf("%s %s %s", a, s.Binary, b)
	}
	return fmt.Sprintf("fn_%s(%s, %s)", s.Binary, a, b)
}

// operand is a register or a number, rounded to the loop's element type.
func (p *loopPlan) operand(a ir.Operand) string {
	if !a.IsNumber() {
		return fmt.Sprintf("r%d", a.Register)
	}
	return literal(p.from, a.Number)
}

// literal is x as a constant of type dt, bit by bit.
func literal(dt tensor.Dtype, x float64) string {
	if dt == tensor.Float32 {
		f := float32(x)
		if math.IsNaN(x) || math.IsInf(float64(f), 0) {
			return fmt.Sprintf("__uint_as_float(%#xu)", math.Float32bits(f))
		}
		return signed(strconv.FormatFloat(float64(f), 'x', -1, 32) + "f")
	}
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return fmt.Sprintf("__longlong_as_double((i64)%#xull)", math.Float64bits(x))
	}
	return signed(strconv.FormatFloat(x, 'x', -1, 64))
}

// signed puts a negative number in parentheses.
func signed(s string) string {
	if s[0] == '-' {
		return "(" + s + ")"
	}
	return s
}
