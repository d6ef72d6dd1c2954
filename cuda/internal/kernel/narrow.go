package kernel

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

// narrowing says which operands of a kind of step its kernels read and write as bfloat16.
type narrowing struct {
	in, out func(s *graph.Step, i int) bool // nil: none
	gains   bool                            // see graph.Narrower
	images  bool                            // it gains where its result is a batch of images
	// What is said holds of some steps alone, of which some gain; nil: of all.
	where, gain func(s *graph.Step) bool
}

var narrowings = map[string]narrowing{}

// registerNarrow says of kinds of float32 steps what their kernels read and write as bfloat16. A kernel learns from Narrow of its
// operands which of them are.
func registerNarrow(of map[string]narrowing) {
	for kind, n := range of {
		if _, ok := narrowings[kind]; ok {
			panic("cuda: what is narrow of " + kind + " is registered twice")
		}
		narrowings[kind] = n
	}
}

// operands are the numbers of those that may be narrow.
func operands(numbers ...int) func(*graph.Step, int) bool {
	return func(_ *graph.Step, i int) bool {
		for _, n := range numbers {
			if n == i {
				return true
			}
		}
		return false
	}
}

// full are the operands with as many elements as the first result.
func full(s *graph.Step, i int) bool { return s.In[i].Len() == s.Out[0].Len() }

// Narrows implements graph.Narrower for the precision BF16.
func Narrows(s *graph.Step) (in, out []bool, gains bool) {
	n, ok := narrowings[s.Instr.Kind()]
	if !ok || s.Out[0].Dtype != tensor.Float32 || !Has(s.Instr.Kind(), tensor.Float32) || n.where != nil && !n.where(s) {
		return nil, nil, false
	}
	if n.in != nil {
		in = make([]bool, len(s.In))
		for i := range in {
			in[i] = n.in(s, i)
		}
	}
	if n.out != nil {
		out = make([]bool, len(s.Out))
		for i := range out {
			out[i] = n.out(s, i)
		}
	}
	return in, out, n.gains || n.images && len(s.Out[0].Shape) == 4 || n.gain != nil && n.gain(s)
}

// storage are the macros that name the types in which a kernel finds operands in memory: "NAME bf16" for those that are narrow.
// Without one the name stands for T; the kernel's file says so.
type storage []string

// as adds an operand under a name.
func (d storage) as(name string, v *graph.Value) storage {
	if v.Narrow {
		return append(d, name+" bf16")
	}
	return d
}
