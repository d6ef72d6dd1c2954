package kernel

import (
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

func init() {
	registerFloats(map[string]Prepare{
		"MaxPool2D": func(b *Builder, s *graph.Step) ([]Command, error) {
			d := storage{}.as("SX", s.In[0]).as("SY", s.Out[0])
			return b.pool(s, "max_pool", s.Instr.(*op.MaxPool2D).PoolAttrs, d, In(0))
		},
		// The maxima are looked for again: y, operand 1, may have been rounded.
		"MaxPool2DGrad": func(b *Builder, s *graph.Step) ([]Command, error) {
			d := storage{}.as("SX", s.In[0]).as("SDY", s.In[2]).as("SDX", s.Out[0])
			return b.poolGrad(s, "max_pool_grad", s.Instr.(*op.MaxPool2DGrad).PoolAttrs, s.In[0].Shape, d, In(0), In(2))
		},
		"MaxPool2DGather": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.pool(s, "max_pool_gather", s.Instr.(*op.MaxPool2DGather).PoolAttrs, storage{}, In(0), In(2))
		},
		"AvgPool2D": func(b *Builder, s *graph.Step) ([]Command, error) {
			d := storage{}.as("SX", s.In[0]).as("SY", s.Out[0])
			return b.pool(s, "avg_pool", s.Instr.(*op.AvgPool2D).PoolAttrs, d, In(0))
		},
		"AvgPool2DGrad": func(b *Builder, s *graph.Step) ([]Command, error) {
			o, d := s.Instr.(*op.AvgPool2DGrad), storage{}.as("SDY", s.In[0]).as("SDX", s.Out[0])
			return b.poolGrad(s, "avg_pool_grad", o.PoolAttrs, o.InputShape, d, In(0))
		},
		"GlobalAvgPool2D": func(b *Builder, s *graph.Step) ([]Command, error) {
			v := globalView(s)
			if v.hasColumns() {
				return b.columns(s, v, float64(v.count())), nil
			}
			return b.reduceStep(s, sums, v, 1, float64(v.count())), nil
		},
		"GlobalAvgPool2DGrad": func(b *Builder, s *graph.Step) ([]Command, error) {
			v := globalView(s)
			if v.hasColumns() {
				return b.columnSpread(s, v, float64(v.count())), nil
			}
			return b.spread(s, v, float64(v.count())), nil
		},
	})
	global := func(s *graph.Step, _ int) bool { return globalView(s).hasColumns() }
	registerNarrow(map[string]narrowing{
		"MaxPool2D":           {in: operands(0), out: operands(0), gains: true},
		"MaxPool2DGrad":       {in: operands(0, 1, 2), out: operands(0), gains: true},
		"AvgPool2D":           {in: operands(0), out: operands(0), gains: true},
		"AvgPool2DGrad":       {in: operands(0), out: operands(0), gains: true},
		"GlobalAvgPool2D":     {in: global, out: global, gains: true},
		"GlobalAvgPool2DGrad": {in: global, out: global, gains: true},
	})
}

// mostBlock is how many pixels the blocks of pool.cu have at most: their sums are a thread's registers.
const mostBlock = 9

// pool launches a kernel of pool.cu whose threads work on the pixels of its result.
func (b *Builder) pool(s *graph.Step, name string, a op.PoolAttrs, d storage, in ...any) ([]Command, error) {
	g, err := a.Geometry(s.In[0].Shape)
	if err != nil {
		return nil, err
	}
	return b.poolOver(s, name, g, g.H.Out, g.W.Out, [2]int{1, 1}, d, in), nil
}

// poolGrad launches one whose threads work on blocks of pixels of its result. x is the shape of the pooling's input.
func (b *Builder) poolGrad(s *graph.Step, name string, a op.PoolAttrs, x tensor.Shape, d storage, in ...any) ([]Command, error) {
	g, err := a.Geometry(x)
	if err != nil {
		return nil, err
	}
	block := [2]int{g.H.Stride, g.W.Stride}
	if block[0]*block[1] > mostBlock {
		block = [2]int{1, 1}
	}
	rows, columns := ceilDiv(g.H.In+g.H.Before, block[0]), ceilDiv(g.W.In+g.W.Before, block[1])
	return b.poolOver(s, name, g, rows, columns, block, d, in), nil
}

// poolOver launches a thread for each pack of channels of rows × columns places of every image. What is too large for the kernel's
// int runs on the host.
func (b *Builder) poolOver(s *graph.Step, name string, g op.PoolGeometry, rows, columns int, block [2]int, d storage, in []any) []Command {
	for _, n := range []int{g.H.In + g.H.Kernel, g.W.In + g.W.Kernel, g.C, g.H.Kernel * g.W.Kernel} {
		if n > math.MaxInt32/2 {
			return nil
		}
	}
	images, channels := g.N, g.C
	if g.Format == shape.NCHW {
		images, channels = g.N*g.C, 1
	}
	pack := packOf(channels, slices.Concat(s.In, s.Out)...)
	p := struct {
		Packs, Columns, Rows                     divisor
		Threads                                  int64
		H, W, Channels, OH, OW, Top, Left, Blank int32
	}{divideBy(channels / pack), divideBy(columns), divideBy(rows), int64(images) * int64(rows) * int64(columns) * int64(channels/pack),
		int32(g.H.In), int32(g.W.In), int32(channels), int32(g.H.Out), int32(g.W.Out), int32(g.H.Before), int32(g.W.Before), 0}
	for i, name := range []string{"KH", "KW", "SH", "SW", "BH", "BW"} {
		d = append(d, fmt.Sprint(name, " ", []int{g.H.Kernel, g.W.Kernel, g.H.Stride, g.W.Stride, block[0], block[1]}[i]))
	}
	grid, threads := b.Each(int(p.Threads))
	return []Command{&Launch{Source: File("pool.cu", s.Out[0].Dtype, d.pack(pack)...), Name: name, Grid: grid, Block: threads,
		Args: append(append([]any{Out(0)}, in...), structOf(p))}}
}

// globalView is what a step's whole images are pooled from, or spread to.
func globalView(s *graph.Step) view {
	if o, ok := s.Instr.(*op.GlobalAvgPool2DGrad); ok {
		return imagesOf(s.Out[0].Shape, o.Format)
	}
	return imagesOf(s.In[0].Shape, s.Instr.(*op.GlobalAvgPool2D).Format)
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
