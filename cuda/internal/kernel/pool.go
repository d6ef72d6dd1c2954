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
			g, err := s.Instr.(*op.MaxPool2DGrad).Geometry(s.In[0].Shape)
			if err != nil {
				return nil, err
			}
			d := storage{}.as("SX", s.In[0]).as("SDY", s.In[2]).as("SDX", s.Out[0])
			return b.maxPoolGrad(s, g, d, In(0), In(2)), nil
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

const (
	// mostWalk is how many blocks of pixels a thread of pool_walk.cuh goes down at most, and mostUnrolled the most elements of its windows.
	mostWalk, mostUnrolled = 8, 16
	// walkThreads is how many threads of it a multiprocessor gets at least, if there is work for them.
	walkThreads = 2048
	// walkBlock is WALK_THREADS of it: the threads of a block.
	walkBlock = 128
)

// mostBlock is how many pixels the blocks of pool.cu have at most: their sums are a thread's registers.
const mostBlock = 9

// pool launches a kernel of pool.cu whose threads work on the pixels of its result.
func (b *Builder) pool(s *graph.Step, name string, a op.PoolAttrs, d storage, in ...any) ([]Command, error) {
	g, err := a.Geometry(s.In[0].Shape)
	if err != nil {
		return nil, err
	}
	return b.poolOver(s, pooling{"pool.cu", name, g.H.Out, g.W.Out, [2]int{1, 1}, 0, 8}, g, d, in), nil
}

// poolGrad launches one whose threads work on blocks of pixels of its result. x is the shape of the pooling's input.
func (b *Builder) poolGrad(s *graph.Step, name string, a op.PoolAttrs, x tensor.Shape, d storage, in ...any) ([]Command, error) {
	g, err := a.Geometry(x)
	if err != nil {
		return nil, err
	}
	return b.poolOver(s, blocksOf(name, g), g, d, in), nil
}

// blocksOf cuts a gradient into blocks of pixels.
func blocksOf(name string, g op.PoolGeometry) pooling {
	block := [2]int{g.H.Stride, g.W.Stride}
	if block[0]*block[1] > mostBlock {
		block = [2]int{1, 1}
	}
	return pooling{"pool.cu", name, ceilDiv(g.H.In+g.H.Before, block[0]), ceilDiv(g.W.In+g.W.Before, block[1]), block, 0, 8}
}

// maxPoolGrad lets threads go down the blocks of pixels, where windows allow it.
func (b *Builder) maxPoolGrad(s *graph.Step, g op.PoolGeometry, d storage, in ...any) []Command {
	if !walkable(s.In[0], g) {
		return b.poolOver(s, blocksOf("max_pool_grad", g), g, d, in)
	}
	return b.poolOver(s, b.walking(s.In[0], g), g, d, in)
}

// walkable says whether pool_walk.cuh is for a max pooling of x: its int counts the elements of an image, of a result's too, which padding may
// have made larger.
func walkable(x *graph.Value, g op.PoolGeometry) bool {
	return x.Dtype == tensor.Float32 && walks(g.H) && walks(g.W) && g.H.Kernel*g.W.Kernel <= mostUnrolled &&
		max(g.H.In*g.W.In, g.H.Out*g.W.Out)*g.C <= math.MaxInt32
}

// walks says whether windows along an axis overlap by no more than a stride and leave nothing out.
func walks(a shape.Span) bool { return a.Stride <= a.Kernel && a.Kernel <= 2*a.Stride }

// walking cuts the gradient of a max pooling of x into runs of blocks.
func (b *Builder) walking(x *graph.Value, g op.PoolGeometry) pooling {
	p := pooling{file: "pool_walk.cu", name: "max_pool_grad_walk", columns: ceilDiv(g.W.In+g.W.Before, g.W.Stride),
		block: [2]int{g.H.Stride, g.W.Stride}, most: 16 / elementBytes(x)}
	if g.H.Kernel > g.H.Stride || g.W.Kernel > g.W.Stride { // a thread keeps more of the windows
		p.most /= 2
	}
	blocks, across := ceilDiv(g.H.In+g.H.Before, g.H.Stride), g.N*g.C/p.most*p.columns // threads side by side, about
	p.rows = max(ceilDiv(blocks, mostWalk), min(blocks, walkThreads*max(b.Multiprocessors, 1)/max(across, 1)), 1)
	p.run = ceilDiv(blocks, p.rows)
	p.rows = ceilDiv(blocks, p.run) // which may be fewer
	return p
}

// pooling is a kernel whose threads work on rows × columns places of every image, of so many pixels, run of them one below the other.
type pooling struct {
	file, name    string
	rows, columns int
	block         [2]int
	run           int
	most          int // channels of a pack
}

// countable says whether the kernels' int holds all numbers.
func countable(g op.PoolGeometry) bool {
	for _, n := range []int{g.H.In + g.H.Kernel, g.W.In + g.W.Kernel, g.C, g.H.Kernel * g.W.Kernel} {
		if n > math.MaxInt32/2 {
			return false
		}
	}
	return true
}

// places is what a kernel's threads work on.
type places struct {
	packs   int // of channels
	threads int64
	arg     Bytes // struct Pool of pool.cuh
	defines storage
}

// placesOf says what the threads of k work on for a step.
func placesOf(s *graph.Step, k pooling, g op.PoolGeometry, d storage) places {
	images, channels := g.N, g.C
	if g.Format == shape.NCHW {
		images, channels = g.N*g.C, 1
	}
	pack := min(packOf(channels, slices.Concat(s.In, s.Out)...), k.most)
	to := places{packs: channels / pack, threads: int64(images) * int64(k.rows) * int64(k.columns) * int64(channels/pack)}
	to.arg = structOf(struct {
		Packs, Columns, Rows                   divisor
		Threads                                int64
		H, W, Channels, OH, OW, Top, Left, Run int32
	}{divideBy(to.packs), divideBy(k.columns), divideBy(k.rows), to.threads,
		int32(g.H.In), int32(g.W.In), int32(channels), int32(g.H.Out), int32(g.W.Out), int32(g.H.Before), int32(g.W.Before), int32(k.run)})
	for i, name := range []string{"KH", "KW", "SH", "SW", "BH", "BW"} {
		d = append(d, fmt.Sprint(name, " ", []int{g.H.Kernel, g.W.Kernel, g.H.Stride, g.W.Stride, k.block[0], k.block[1]}[i]))
	}
	to.defines = d.pack(pack)
	return to
}

// poolOver launches a thread for each pack of channels of every place. What is too large for the kernel's int runs on the host.
func (b *Builder) poolOver(s *graph.Step, k pooling, g op.PoolGeometry, d storage, in []any) []Command {
	if !countable(g) {
		return nil
	}
	p := placesOf(s, k, g, d)
	grid, block := b.Each(int(p.threads))
	if k.run > 0 {
		block.X = walkBlock
		grid.X = int(min(max(ceilDiv(p.threads, walkBlock), 1), math.MaxInt32)) // all at once: their work is long
	}
	return []Command{&Launch{Source: File(k.file, s.Out[0].Dtype, p.defines...), Name: k.name, Grid: grid, Block: block,
		Args: append(append([]any{Out(0)}, in...), p.arg)}}
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
