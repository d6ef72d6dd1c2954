package kernel

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

func init() {
	registerFloats(map[string]Prepare{
		"MaxPool2D": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.pool(s, "max_pool", s.Instr.(*op.MaxPool2D).PoolAttrs, s.In[0].Shape, In(0))
		},
		"MaxPool2DGrad": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.pool(s, "max_pool_grad", s.Instr.(*op.MaxPool2DGrad).PoolAttrs, s.In[0].Shape, In(0), In(1), In(2))
		},
		"MaxPool2DGather": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.pool(s, "max_pool_gather", s.Instr.(*op.MaxPool2DGather).PoolAttrs, s.In[0].Shape, In(0), In(2))
		},
		"AvgPool2D": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.pool(s, "avg_pool", s.Instr.(*op.AvgPool2D).PoolAttrs, s.In[0].Shape, In(0))
		},
		"AvgPool2DGrad": func(b *Builder, s *graph.Step) ([]Command, error) {
			o := s.Instr.(*op.AvgPool2DGrad)
			return b.pool(s, "avg_pool_grad", o.PoolAttrs, o.InputShape, In(0))
		},
		"GlobalAvgPool2D": func(b *Builder, s *graph.Step) ([]Command, error) {
			v := imagesOf(s.In[0].Shape, s.Instr.(*op.GlobalAvgPool2D).Format)
			return b.reduceStep(s, sums, v, 1, float64(v.count())), nil
		},
		"GlobalAvgPool2DGrad": func(b *Builder, s *graph.Step) ([]Command, error) {
			v := imagesOf(s.Out[0].Shape, s.Instr.(*op.GlobalAvgPool2DGrad).Format)
			return b.spread(s, v, float64(v.count())), nil
		},
	})
}

// pooling is struct Pool of pool.cu.
type pooling struct {
	Images                         int64
	H, W, Channels, OH, OW, SH, SW divisor
	KH, KW, Top, Left              int64
}

// pool launches a kernel of pool.cu, a thread an element of its result. x is the shape of the pooling's input.
func (b *Builder) pool(s *graph.Step, name string, a op.PoolAttrs, x tensor.Shape, in ...any) ([]Command, error) {
	g, err := a.Geometry(x)
	if err != nil {
		return nil, err
	}
	images, channels := g.N, g.C
	if g.Format == shape.NCHW {
		images, channels = g.N*g.C, 1
	}
	p := pooling{Images: int64(images), H: divideBy(g.H.In), W: divideBy(g.W.In), Channels: divideBy(channels),
		OH: divideBy(g.H.Out), OW: divideBy(g.W.Out), SH: divideBy(g.H.Stride), SW: divideBy(g.W.Stride),
		KH: int64(g.H.Kernel), KW: int64(g.W.Kernel), Top: int64(g.H.Before), Left: int64(g.W.Before)}
	y := s.Out[0]
	grid, block := b.Each(y.Len())
	return []Command{&Launch{Source: File("pool.cu", y.Dtype), Name: name, Grid: grid, Block: block,
		Args: append(append([]any{Out(0)}, in...), structOf(p))}}, nil
}

// imagesOf sees images as a batch with channels whose elements are the pixels.
func imagesOf(s tensor.Shape, f shape.Layout) view {
	h, w, c := f.Axes()
	n, pixels, channels := int64(s[0]), int64(s[h]*s[w]), int64(s[c])
	if f == shape.NCHW {
		return view{1, 1, n * channels, pixels}
	}
	return view{n, pixels, channels, 1}
}
