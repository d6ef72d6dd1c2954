package kernel

import (
	"slices"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	registerFloats(map[string]Prepare{
		"ReLU":     unary("relu"),
		"ReLUGrad": binary("relu_grad"),
		"Add":      binary("add"),
		"Mul":      binary("mul"),
		"Scale": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.elementwise(s, "scale", storage{}, number(s.Out[0].Dtype, s.Instr.(*op.Scale).Factor))
		},
	})
	registerNarrow(map[string]narrowing{
		"ReLU":     {in: operands(0), out: operands(0)},
		"ReLUGrad": {in: operands(0, 1), out: operands(0)},
		"Add":      {in: operands(0, 1), out: operands(0), images: true},
		"Mul":      {in: operands(0, 1), out: operands(0)},
		"Scale":    {in: operands(0), out: operands(0)},
	})
}

// unary is a kernel y ← x of elementwise.cu.
func unary(name string) Prepare {
	return func(b *Builder, s *graph.Step) ([]Command, error) { return b.elementwise(s, name, storage{}) }
}

// binary is a kernel y ← a, b of elementwise.cu.
func binary(name string) Prepare {
	return func(b *Builder, s *graph.Step) ([]Command, error) {
		return b.elementwise(s, name, storage{}.as("SZ", s.In[1]), In(1))
	}
}

// elementwise is a kernel of elementwise.cu; d are the types of operands besides the first, and more its arguments behind it.
func (b *Builder) elementwise(s *graph.Step, name string, d storage, more ...any) ([]Command, error) {
	y, n := s.Out[0], s.Out[0].Len()
	pack := packOf(n, slices.Concat(s.In, s.Out)...)
	args := append([]any{Out(0), In(0)}, more...)
	return []Command{b.packed("elementwise.cu", name, y.Dtype, d.as("SX", s.In[0]).as("SY", y), n, pack, args...)}, nil
}
