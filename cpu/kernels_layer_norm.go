package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() { registerFloats(layerNormKernels[float32](), layerNormKernels[float64]()) }

func layerNormKernels[T kernel.Float]() map[string]prepare {
	return map[string]prepare{
		"LayerNorm": buildLayerNorm[T],
		"LayerNormGrad": func(b *builder, s *graph.Step) (step, error) {
			o := s.Instr.(*op.LayerNormGrad)
			return buildLayerNormGrad[T](b, s, &graph.LayerNormBackward{Epsilon: o.Epsilon, NoScale: o.NoScale}, true)
		},
		"LayerNormGradScale": func(b *builder, s *graph.Step) (step, error) {
			o := s.Instr.(*op.LayerNormGradScale)
			return buildLayerNormGrad[T](b, s, &graph.LayerNormBackward{Epsilon: o.Epsilon, NoScale: true, Scale: true}, false)
		},
		"LayerNormBackward": func(b *builder, s *graph.Step) (step, error) {
			return buildLayerNormGrad[T](b, s, s.Instr.(*graph.LayerNormBackward), true)
		},
	}
}

// lastAxis returns the number of rows of a step's first input, and their length.
func lastAxis(s *graph.Step) (rows, c int) {
	x := s.In[0].Shape
	c = x[len(x)-1]
	return s.In[0].Len() / c, c
}

func buildLayerNorm[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*op.LayerNorm)
	rows, c := lastAxis(s)
	k, err := kernel.NewLayerNorm[T](b.pool, rows, c, o.Epsilon)
	y, in := s.Out[0].ID, idsOf(s.In)
	return func(m *memory) error {
		f := floats[T](m)
		var scale, shift []T
		if !o.NoScale {
			scale = f[in[1]]
		}
		if !o.NoShift {
			shift = f[in[len(in)-1]]
		}
		k.Run(f[y], f[in[0]], scale, shift)
		return nil
	}, err
}

// buildLayerNormGrad makes a step of the gradients that f says; of that of the input, too, if so.
func buildLayerNormGrad[T kernel.Float](b *builder, s *graph.Step, f *graph.LayerNormBackward, input bool) (step, error) {
	rows, c := lastAxis(s)
	k, err := kernel.NewLayerNormGrad[T](b.pool, rows, c, f.Epsilon)
	if err != nil {
		return nil, err
	}
	needs[T](b, k)
	out, in := operands(s)
	next := func(has bool) int { // the results come in the order of Run's arguments
		if !has {
			return -1
		}
		id := out[0]
		out = out[1:]
		return id
	}
	dx, dscale, dshift := next(input), next(f.Scale), next(f.Shift)
	scale, z := -1, -1
	if !f.NoScale {
		scale = in[1]
	}
	if f.Add {
		z = in[len(in)-1]
	}
	x, dy := in[0], in[f.Gradient()]
	return func(m *memory) error {
		all := floats[T](m)
		of := func(id int) []T {
			if id < 0 {
				return nil
			}
			return all[id]
		}
		k.Run(of(dx), of(dscale), of(dshift), all[x], of(scale), all[dy], of(z))
		return nil
	}, nil
}
