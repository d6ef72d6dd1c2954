package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// MaxPool2D is [op.MaxPool2D]: the largest element under each window, where padding does not count and NaN does.
type MaxPool2D[T Float] struct {
	Scratch[T]
	g       op.PoolGeometry
	images  images[T]
	columns []column
	work    split
	loop    phase
	y, x    []T
}

// NewMaxPool2D prepares the pooling.
func NewMaxPool2D[T Float](p *pool.Pool, g op.PoolGeometry) (*MaxPool2D[T], error) {
	if err := checkPool(g); err != nil {
		return nil, err
	}
	k := &MaxPool2D[T]{g: g, columns: columnsOf(&g.W), work: splitBy(g.N*g.H.Out, g.W.In*g.C*min(g.H.Stride, g.H.Kernel))}
	k.images = poolImages(p, &k.Scratch, g)
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from x.
func (k *MaxPool2D[T]) Run(y, x []T) {
	k.x = k.images.input(&k.Scratch, x)
	k.y = k.images.output(&k.Scratch, y)
	k.loop.run()
	k.images.finish(y, k.y)
}

func (k *MaxPool2D[T]) part(_, part int) {
	g := &k.g
	lo, hi := k.work.bounds(part)
	for row := lo; row < hi; row++ {
		n, i := row/g.H.Out, row%g.H.Out
		y := k.y[row*g.W.Out*g.C:]
		h0, h1 := clip(&g.H, i)
		for h := h0; h < h1; h++ {
			x := k.x[(n*g.H.In+h)*g.W.In*g.C:]
			for q := range k.columns {
				c := &k.columns[q]
				if c.count == 0 {
					continue
				}
				src := x[c.from*g.C:]
				dst := y[c.j0*g.C:]
				// Every position's first tap starts it; those of the window's first column do, but for positions
				// whose window hangs over the left border.
				if h > h0 {
					maxRuns(dst, g.C, src, g.W.Stride*g.C, c.count, g.C)
					continue
				}
				copyRuns(dst, g.C, src, g.W.Stride*g.C, c.fresh, g.C)
				if rest := c.count - c.fresh; rest > 0 {
					maxRuns(dst[c.fresh*g.C:], g.C, src[c.fresh*g.W.Stride*g.C:], g.W.Stride*g.C, rest, g.C)
				}
			}
		}
	}
}

// column is one column of the taps of a window: the output positions [j0, j0+count) at which it lies inside the image,
// and the image column that the first of them sees. The first fresh positions see nothing through the columns before.
type column struct{ j0, count, from, fresh int }

func columnsOf(s *shape.Span) []column {
	cols := make([]column, s.Kernel)
	started := s.Out // positions [started, Out) have been seen through an earlier column
	for q := range cols {
		j0 := min(max(ceilDiv(s.Before-q, s.Stride), 0), s.Out)
		j1 := min(max(ceilDiv(s.In+s.Before-q, s.Stride), j0), s.Out)
		cols[q] = column{j0: j0, count: j1 - j0, from: j0*s.Stride + q - s.Before, fresh: min(max(started-j0, 0), j1-j0)}
		started = min(started, j0)
	}
	return cols
}

// MaxPool2DGrad is [op.MaxPool2DGrad]: the gradient of each window goes to the first of its largest elements in
// row-major order.
type MaxPool2DGrad[T Float] struct {
	Scratch[T]
	g             op.PoolGeometry
	images        images[T]
	yNHWC, dxNHWC area[T]
	columns       []column
	left          area[T] // of each part, a row of gradients that have not found their element yet
	block         int     // channels a part
	blocks        int
	loop          phase
	dx, x, y, dy  []T
}

// NewMaxPool2DGrad prepares the gradient.
func NewMaxPool2DGrad[T Float](p *pool.Pool, g op.PoolGeometry) (*MaxPool2DGrad[T], error) {
	if err := checkPool(g); err != nil {
		return nil, err
	}
	k := &MaxPool2DGrad[T]{g: g, block: g.C}
	k.images = poolImages(p, &k.Scratch, g)
	if g.Format == shape.NCHW {
		k.yNHWC = k.reserve(g.N * g.H.Out * g.W.Out * g.C)
		k.dxNHWC = k.reserve(g.N * g.H.In * g.W.In * g.C)
	}
	if g.N < maxPoolParts { // few images: cut the channels too; windows of one part overlap with its own only
		k.block = max((g.C*g.N+maxPoolParts-1)/maxPoolParts, min(g.C, 32))
	}
	k.blocks = (g.C + k.block - 1) / k.block
	k.columns = columnsOf(&g.W)
	k.left = k.reserve(g.N * k.blocks * g.W.Out * k.block)
	k.loop = newPhase(p, g.N*k.blocks, k.part)
	return k, nil
}

// maxPoolParts is the number of images from which each is a part.
const maxPoolParts = 16

// Run computes dx from the input x and the result y of the pooling and the gradient dy of the result.
func (k *MaxPool2DGrad[T]) Run(dx, x, y, dy []T) {
	k.x, k.dy = k.images.input(&k.Scratch, x), k.images.gradient(&k.Scratch, dy)
	k.dx, k.y = dx, y
	if k.images.nchw {
		k.dx, k.y = k.dxNHWC.of(&k.Scratch), k.yNHWC.of(&k.Scratch)
		k.images.toY.Run(k.y, y)
	}
	k.loop.run()
	k.images.finishInput(dx, k.dx)
}

func (k *MaxPool2DGrad[T]) part(_, part int) {
	g := &k.g
	n, c0 := part/k.blocks, part%k.blocks*k.block
	c := min(k.block, g.C-c0)
	image := n * g.H.In * g.W.In * g.C
	if c == g.C {
		clear(k.dx[image : image+g.H.In*g.W.In*g.C])
	} else {
		for p := range g.H.In * g.W.In {
			clear(k.dx[image+p*g.C+c0:][:c])
		}
	}
	left := k.left.of(&k.Scratch)[part*g.W.Out*k.block:][:g.W.Out*c]
	for i := range g.H.Out {
		h0, h1 := clip(&g.H, i)
		at := (n*g.H.Out+i)*g.W.Out*g.C + c0
		copyRuns(left, c, k.dy[at:], g.C, g.W.Out, c)
		for h := h0; h < h1; h++ {
			for q := range k.columns {
				col := &k.columns[q]
				from, j := image+c0+(h*g.W.In+col.from)*g.C, col.j0
				if col.count > 0 {
					routeRuns(k.dx[from:], k.x[from:], g.W.Stride*g.C, left[j*c:], k.y[at+j*g.C:], g.C, c, col.count, c)
				}
			}
		}
	}
}
