package kernel

import (
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
			y := s.Out[0]
			return []Command{b.each("elementwise.cu", "scale", y.Dtype, y.Len(), Out(0), In(0), number(y.Dtype, s.Instr.(*op.Scale).Factor))}, nil
		},
	})
}

// unary is a kernel y ← x of elementwise.cu.
func unary(name string) Prepare {
	return func(b *Builder, s *graph.Step) ([]Command, error) {
		y := s.Out[0]
		return []Command{b.each("elementwise.cu", name, y.Dtype, y.Len(), Out(0), In(0))}, nil
	}
}

// binary is a kernel y ← a, b of elementwise.cu.
func binary(name string) Prepare {
	return func(b *Builder, s *graph.Step) ([]Command, error) {
		y := s.Out[0]
		return []Command{b.each("elementwise.cu", name, y.Dtype, y.Len(), Out(0), In(0), In(1))}, nil
	}
}
