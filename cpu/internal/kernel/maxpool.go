package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// MaxPool2D is [op.MaxPool2D]: the largest element under each window, where padding does not count and NaN does.
type MaxPool2D struct {
	Scratch
	g      op.PoolGeometry
	images images
	work   split
	loop   phase
	y, x   []float32
}

// NewMaxPool2D prepares the pooling.
func NewMaxPool2D(p *pool.Pool, g op.PoolGeometry) (*MaxPool2D, error) {
	if err := checkPool(g); err != nil {
		return nil, err
	}
	k := &MaxPool2D{g: g, work: splitBy(g.N*g.H.Out, g.W.In*g.C*min(g.H.Stride, g.H.Kernel))}
	k.images = poolImages(p, &k.Scratch, g)
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from x.
func (k *MaxPool2D) Run(y, x []float32) {
	k.x = k.images.input(&k.Scratch, x)
	k.y = k.images.output(&k.Scratch, y)
	k.loop.run()
	k.images.finish(y, k.y)
}

func (k *MaxPool2D) part(_, part int) {
	g := &k.g
	lo, hi := k.work.bounds(part)
	for row := lo; row < hi; row++ {
		n, i := row/g.H.Out, row%g.H.Out
		h0, h1 := clip(&g.H, i)
		for j := range g.W.Out {
			w0, w1 := clip(&g.W, j)
			y := k.y[(row*g.W.Out+j)*g.C:][:g.C]
			first := true
			for h := h0; h < h1; h++ {
				x := k.x[((n*g.H.In+h)*g.W.In+w0)*g.C:]
				for range w1 - w0 {
					if first {
						copy(y, x[:g.C])
						first = false
					} else {
						maxInto(y, x[:g.C])
					}
					x = x[g.C:]
				}
			}
		}
	}
}

// MaxPool2DGrad is [op.MaxPool2DGrad]: the gradient of each window goes to the first of its largest elements in
// row-major order.
type MaxPool2DGrad struct {
	Scratch
	g             op.PoolGeometry
	images        images
	yNHWC, dxNHWC area
	block         int // channels a part
	blocks        int
	loop          phase
	dx, x, y, dy  []float32
}

// NewMaxPool2DGrad prepares the gradient.
func NewMaxPool2DGrad(p *pool.Pool, g op.PoolGeometry) (*MaxPool2DGrad, error) {
	if err := checkPool(g); err != nil {
		return nil, err
	}
	k := &MaxPool2DGrad{g: g, block: g.C}
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
func (k *MaxPool2DGrad) Run(dx, x, y, dy []float32) {
	k.x, k.dy = k.images.input(&k.Scratch, x), k.images.gradient(&k.Scratch, dy)
	k.dx, k.y = dx, y
	if k.images.nchw {
		k.dx, k.y = k.dxNHWC.of(&k.Scratch), k.yNHWC.of(&k.Scratch)
		k.images.toY.Run(k.y, y)
	}
	k.loop.run()
	k.images.finishInput(dx, k.dx)
}

func (k *MaxPool2DGrad) part(_, part int) {
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
	for i := range g.H.Out {
		h0, h1 := clip(&g.H, i)
		for j := range g.W.Out {
			w0, w1 := clip(&g.W, j)
			at := ((n*g.H.Out+i)*g.W.Out+j)*g.C + c0
			for lo := 0; lo < c; lo += routeBlock {
				k.route(at+lo, image+c0+lo, min(routeBlock, c-lo), h0, h1, w0, w1)
			}
		}
	}
}

// routeBlock is the number of channels whose gradients are on their way at a time.
const routeBlock = 64

// route adds the gradients of c channels of one window, at the offset at of y, to the first elements that equal y.
func (k *MaxPool2DGrad) route(at, image, c, h0, h1, w0, w1 int) {
	var left [routeBlock]float32 // gradients that have not found their element yet; 0 afterwards
	rest := left[:c]
	copy(rest, k.dy[at:])
	y := k.y[at:][:c]
	for h := h0; h < h1; h++ {
		for w := w0; w < w1; w++ {
			from := image + (h*k.g.W.In+w)*k.g.C
			routeMax(k.dx[from:][:c], rest, k.x[from:][:c], y)
		}
	}
}
