package graph

import (
	"fmt"
	"io"
	"strings"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// String prints the plan, a line a step: results, operation, operands, then type, shape and place of each result.
// "@n" is an offset in the arena, "=%n" memory shared with value n, "out" memory of its own; "transposed" is what lies in memory with its
// last axis first.
func (p *Plan) String() string {
	var b strings.Builder
	p.write(&b)
	return b.String()
}

func (p *Plan) write(w io.Writer) {
	for _, v := range p.Inputs {
		kind := "input"
		switch {
		case v.Variable:
			kind = "variable"
		case v.Fixed:
			kind = "resident"
		}
		fmt.Fprintf(w, "%s %s %q %s\n", v, kind, v.Name, typeString(v))
	}
	for _, v := range p.Values {
		if v.Const != nil {
			fmt.Fprintf(w, "%s constant %s\n", v, typeString(v))
		}
	}
	for _, s := range p.Steps {
		if s.Once {
			fmt.Fprint(w, "once ")
		}
		fmt.Fprintf(w, "%s = %s(%s)", names(s.Out), s.Instr, names(s.In))
		for _, o := range s.Out {
			fmt.Fprintf(w, " %s %s", typeString(o), place(o))
		}
		fmt.Fprintln(w)
	}
	for _, a := range p.Assigns {
		if a.New.Root() != a.Target {
			fmt.Fprintf(w, "%s <- %s\n", a.Target, a.New)
		}
	}
	fmt.Fprintf(w, "arena %d bytes, peak %d bytes\n", p.ArenaBytes, p.PeakBytes())
}

func names(vs []*Value) string {
	parts := make([]string, len(vs))
	for i, v := range vs {
		parts[i] = v.String()
	}
	return strings.Join(parts, ", ")
}

func typeString(v *Value) string {
	short := map[tensor.Dtype]string{tensor.Float32: "f32", tensor.Float64: "f64", tensor.Int: "int",
		tensor.Int32: "i32", tensor.Int64: "i64", tensor.Uint8: "u8", tensor.Bool: "bool"}
	name, ok := short[v.Dtype]
	switch {
	case v.Narrow:
		name = "bf16"
	case !ok:
		name = v.Dtype.String()
	}
	return name + shape.Format(v.Shape) + suffix(" transposed", v.Transposed)
}

func place(v *Value) string {
	switch {
	case v.Alias != nil:
		return "=" + v.Root().String()
	case v.Where == External:
		return "out"
	}
	return fmt.Sprintf("@%d", v.Offset)
}
