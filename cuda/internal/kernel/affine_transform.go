package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	registerFloats(map[string]Prepare{
		"AffineTransform": func(b *Builder, s *graph.Step) ([]Command, error) {
			y := s.Out[0]
			c, columns, rows := y.Shape[3], y.Shape[2], y.Shape[1]
			grid, block := b.Each(y.Len())
			return b.affineTransform(s, s.Instr.(*op.AffineTransform).Sampling, &Launch{Name: "affine_transform", Grid: grid, Block: block,
				Args: []any{Out(0), In(0), In(1), structOf(divideBy(c)), structOf(divideBy(columns)), structOf(divideBy(rows)), int64(y.Len())}}), nil
		},
		"AffineTransformGrad": func(b *Builder, s *graph.Step) ([]Command, error) {
			n, c := s.Out[0].Shape[0], s.Out[0].Shape[3]
			grid, block := b.Each(n * c)
			return b.affineTransform(s, s.Instr.(*op.AffineTransformGrad).Sampling, &Launch{Name: "affine_transform_grad", Grid: grid, Block: block,
				Args: []any{Out(0), In(0), In(1), structOf(divideBy(c)), int64(n * c)}}), nil
		},
	})
}

// affineTransform gives a launch its text.
func (b *Builder) affineTransform(s *graph.Step, sampling op.Sampling, l *Launch) []Command {
	y := s.Out[0]
	l.Source = File("affine_transform.cu", y.Dtype, fmt.Sprint("ROWS ", y.Shape[1]), fmt.Sprint("COLUMNS ", y.Shape[2]), fmt.Sprint("CHANNELS ", y.Shape[3]),
		fmt.Sprint("NEAREST ", one(sampling.Nearest)), fmt.Sprint("BORDER ", int(sampling.Border)), "FILL "+literal(y.Dtype, sampling.Fill))
	return []Command{l}
}
