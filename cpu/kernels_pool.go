package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

func init() { registerFloats(poolKernels[float32](), poolKernels[float64]()) }

func poolKernels[T kernel.Float]() map[string]prepare {
	return map[string]prepare{
		"MaxPool2D": func(b *builder, s *graph.Step) (step, error) {
			g, err := s.Instr.(*op.MaxPool2D).Geometry(s.In[0].Shape)
			if err != nil {
				return nil, err
			}
			return unaryNeeds[T](b, s)(kernel.NewMaxPool2D[T](b.pool, g))
		},
		"AvgPool2D": func(b *builder, s *graph.Step) (step, error) {
			g, err := s.Instr.(*op.AvgPool2D).Geometry(s.In[0].Shape)
			if err != nil {
				return nil, err
			}
			return unaryNeeds[T](b, s)(kernel.NewAvgPool2D[T](b.pool, g))
		},
		"AvgPool2DGrad": func(b *builder, s *graph.Step) (step, error) {
			o := s.Instr.(*op.AvgPool2DGrad)
			g, err := o.Geometry(o.InputShape)
			if err != nil {
				return nil, err
			}
			return unaryNeeds[T](b, s)(kernel.NewAvgPool2DGrad[T](b.pool, g))
		},
		"GlobalAvgPool2D": func(b *builder, s *graph.Step) (step, error) {
			f := s.Instr.(*op.GlobalAvgPool2D).Format
			n, pixels, c := imageOf(s.In[0], f)
			return unary[T](s)(kernel.NewGlobalAvgPool2D[T](b.pool, f, n, pixels, c))
		},
		"GlobalAvgPool2DGrad": func(b *builder, s *graph.Step) (step, error) {
			f := s.Instr.(*op.GlobalAvgPool2DGrad).Format
			n, pixels, c := imageOf(s.Out[0], f)
			return unary[T](s)(kernel.NewGlobalAvgPool2DGrad[T](b.pool, f, n, pixels, c))
		},
		"ZeroPad2D": func(b *builder, s *graph.Step) (step, error) {
			o := s.Instr.(*op.ZeroPad2D)
			d := s.In[0].Shape
			h, w, c := o.Format.Axes()
			return unary[T](s)(kernel.NewZeroPad2D[T](b.pool, o.Format, d[0], d[h], d[w], d[c], o.Top, o.Bottom, o.Left, o.Right))
		},
		"Crop2D": func(b *builder, s *graph.Step) (step, error) {
			o := s.Instr.(*op.Crop2D)
			d := s.Out[0].Shape
			h, w, c := o.Format.Axes()
			return unary[T](s)(kernel.NewCrop2D[T](b.pool, o.Format, d[0], d[h], d[w], d[c], o.Top, o.Bottom, o.Left, o.Right))
		},
		"MaxPool2DGrad":     buildMaxPool2DGrad[T],
		"MaxPool2DGradBias": buildMaxPool2DGradBias[T],
	}
}

func buildMaxPool2DGrad[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	g, err := s.Instr.(*op.MaxPool2DGrad).Geometry(s.In[0].Shape)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewMaxPool2DGrad[T](b.pool, g)
	if err != nil {
		return nil, err
	}
	needs[T](b, k)
	dx, x, y, dy := s.Out[0].ID, s.In[0].ID, s.In[1].ID, s.In[2].ID
	return func(m *memory) error {
		k.Run(floats[T](m)[dx], floats[T](m)[x], floats[T](m)[y], floats[T](m)[dy])
		return nil
	}, nil
}

func buildMaxPool2DGradBias[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*graph.MaxPool2DGradBias).Grad
	dx, err := buildMaxPool2DGrad[T](b, &graph.Step{Instr: o, In: s.In, Out: s.Out[:1]})
	if err != nil {
		return nil, err
	}
	_, _, channel := o.Format.Axes()
	db, err := buildBiasGrad[T](b, &graph.Step{Instr: &op.BiasGrad{Axis: channel}, In: s.In[2:], Out: s.Out[1:]})
	if err != nil {
		return nil, err
	}
	return func(m *memory) error {
		if err := db(m); err != nil {
			return err
		}
		return dx(m)
	}, nil
}

// imageOf returns the sizes of a batch of images.
func imageOf(v *graph.Value, f shape.Layout) (n, pixels, channels int) {
	h, w, c := f.Axes()
	return v.Shape[0], v.Shape[h] * v.Shape[w], v.Shape[c]
}

// unaryNeeds is unary for kernels that need scratch.
func unaryNeeds[T kernel.Float](b *builder, s *graph.Step) func(k interface {
	unaryKernel[T]
	scratcher[T]
}, err error) (step, error) {
	return func(k interface {
		unaryKernel[T]
		scratcher[T]
	}, err error) (step, error) {
		if err != nil {
			return nil, err
		}
		needs[T](b, k)
		return unary[T](s)(k, nil)
	}
}
