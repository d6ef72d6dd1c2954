package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	registerFloats(affineTransformKernels[float32](), affineTransformKernels[float64]())
}

func affineTransformKernels[T kernel.Float]() map[string]prepare {
	return map[string]prepare{
		"AffineTransform": func(b *builder, s *graph.Step) (step, error) {
			return buildAffineTransform[T](b, s, s.Instr.(*op.AffineTransform).Sampling, 0)
		},
		"AffineTransformGrad": func(b *builder, s *graph.Step) (step, error) {
			return buildAffineTransform[T](b, s, s.Instr.(*op.AffineTransformGrad).Sampling, 1)
		},
	}
}

// buildAffineTransform makes the step whose images are that input, and whose transforms are the other; the gradient has them the other way round.
func buildAffineTransform[T kernel.Float](b *builder, s *graph.Step, sampling op.Sampling, images int) (step, error) {
	y := s.Out[0].Shape
	k, err := kernel.NewAffineTransform[T](b.pool, [4]int{y[0], y[1], y[2], y[3]}, sampling, images == 1)
	to, from, transforms := s.Out[0].ID, s.In[images].ID, s.In[1-images].ID
	return func(m *memory) error {
		f := floats[T](m)
		k.Run(f[to], f[from], f[transforms])
		return nil
	}, err
}
