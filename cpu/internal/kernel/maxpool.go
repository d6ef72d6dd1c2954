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
	windows windows
	work    split
	loop    phase
	y, x    []T
}

// NewMaxPool2D prepares the pooling.
func NewMaxPool2D[T Float](p *pool.Pool, g op.PoolGeometry) (*MaxPool2D[T], error) {
	if err := checkPool(g); err != nil {
		return nil, err
	}
	k := &MaxPool2D[T]{g: g, windows: windowsOf[T](&g), work: splitBy(g.N*g.H.Out, g.W.In*g.C*min(g.H.Stride, g.H.Kernel))}
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
		h0, h1 := clip(&g.H, i)
		y, x := k.y[row*g.W.Out*g.C:], k.x[(n*g.H.In+h0)*g.W.In*g.C:]
		for s := range k.windows.strips {
			strip := &k.windows.strips[s]
			maxWindows(y[strip.j0*g.C:], g.C, x[strip.from*g.C:], g.W.Stride*g.C, strip.taps[h1-h0], strip.count, g.C)
		}
	}
}

// windows are the windows of a row of output positions, from left to right: most lie inside the image, the others hang over its
// borders.
type windows struct{ strips []strip }

// strip is neighbouring windows of one width: the output positions [j0, j0+count), the image column where the first window
// begins, and the taps by the number of rows that lie inside the image.
type strip struct {
	j0, count, from, width int
	taps                   []stencil
}

func windowsOf[T Float](g *op.PoolGeometry) windows {
	var w windows
	for j := range g.W.Out {
		q0, q1 := clip(&g.W, j)
		if n := len(w.strips) - 1; n >= 0 && w.strips[n].width == q1-q0 && w.strips[n].from+w.strips[n].count*g.W.Stride == q0 {
			w.strips[n].count++
			continue
		}
		s := strip{j0: j, count: 1, from: q0, width: q1 - q0, taps: make([]stencil, g.H.Kernel+1)}
		for i := range g.H.Out {
			h0, h1 := clip(&g.H, i)
			if s.taps[h1-h0] == nil {
				s.taps[h1-h0] = stencilOf[T](h1-h0, s.width, g.W.In*g.C, g.C)
			}
		}
		w.strips = append(w.strips, s)
	}
	return w
}

// MaxPool2DGrad is [op.MaxPool2DGrad]: the gradient of each window goes to the first of its largest elements in
// row-major order.
type MaxPool2DGrad[T Float] struct {
	Scratch[T]
	g             op.PoolGeometry
	images        images[T]
	yNHWC, dxNHWC area[T]
	windows       windows
	block         int // channels a part
	blocks        int
	loop          phase
	dx, x, y, dy  []T
}

// NewMaxPool2DGrad prepares the gradient.
func NewMaxPool2DGrad[T Float](p *pool.Pool, g op.PoolGeometry) (*MaxPool2DGrad[T], error) {
	if err := checkPool(g); err != nil {
		return nil, err
	}
	k := &MaxPool2DGrad[T]{g: g, block: g.C, windows: windowsOf[T](&g)}
	k.images = poolImages(p, &k.Scratch, g)
	if g.Format == shape.NCHW {
		k.yNHWC = k.reserve(g.N * g.H.Out * g.W.Out * g.C)
		k.dxNHWC = k.reserve(g.N * g.H.In * g.W.In * g.C)
	}
	if g.N < maxPoolParts { // few images: cut the channels too; windows of one part overlap with its own only
		k.block = max((g.C*g.N+maxPoolParts-1)/maxPoolParts, min(g.C, 32))
	}
	k.blocks = (g.C + k.block - 1) / k.block
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
	row := g.W.In * g.C
	image := n*g.H.In*row + c0
	cleared := 0 // rows of the image: each just before its first window, so that it is still in the cache
	for i := range g.H.Out {
		h0, h1 := clip(&g.H, i)
		for ; cleared < h1; cleared++ {
			zeroRuns(k.dx[image+cleared*row:], g.C, g.W.In, c)
		}
		at := (n*g.H.Out+i)*g.W.Out*g.C + c0
		for s := range k.windows.strips {
			strip := &k.windows.strips[s]
			from, j := image+h0*row+strip.from*g.C, at+strip.j0*g.C
			routeWindows(k.dx[from:], k.x[from:], g.W.Stride*g.C, k.dy[j:], k.y[j:], g.C, strip.taps[h1-h0], strip.count, c)
		}
	}
	for ; cleared < g.H.In; cleared++ {
		zeroRuns(k.dx[image+cleared*row:], g.C, g.W.In, c)
	}
}
