package kernel

import (
	"fmt"
	"slices"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// checkPool refuses what [op.PoolAttrs.Geometry] never returns.
func checkPool(g op.PoolGeometry) error {
	ok := g.N > 0 && g.C > 0
	for _, s := range []shape.Span{g.H, g.W} {
		ok = ok && s.In > 0 && s.Out > 0 && s.Kernel > 0 && s.Stride > 0 && s.Dilation == 1 &&
			s.Before >= 0 && s.Before < s.Kernel && (s.Out-1)*s.Stride-s.Before < s.In
	}
	if !ok {
		return fmt.Errorf("kernel: not the geometry of a pooling: %+v; take it from op.PoolAttrs.Geometry", g)
	}
	return nil
}

// clip returns the input positions [lo, hi) under the window at output position i.
func clip(s *shape.Span, i int) (lo, hi int) {
	at := i*s.Stride - s.Before
	return max(at, 0), min(at+s.Kernel, s.In)
}

// AvgPool2D is [op.AvgPool2D]: the mean of the elements under each window, padding excluded. It is the depthwise convolution with a
// filter of equal shares.
type AvgPool2D[T Float] struct {
	Scratch[T]
	g      op.PoolGeometry
	images images[T]
	h      reach
	strips []reachStrip // along the width
	shares [][]T        // by the number of elements under a window, the share of each, for every channel
	none   []T          // zeros to begin with
	work   split
	loop   phase
	y, x   []T
}

// NewAvgPool2D prepares the pooling.
func NewAvgPool2D[T Float](p *pool.Pool, g op.PoolGeometry) (*AvgPool2D[T], error) {
	if err := checkPool(g); err != nil {
		return nil, err
	}
	k := &AvgPool2D[T]{g: g, work: splitBy(g.N*g.H.Out, g.W.In*g.C*min(g.H.Stride, g.H.Kernel)), h: forwardReach(g.H)}
	w := forwardReach(g.W)
	k.strips = w.strips(1, g.W.Stride)
	k.shares, k.none = make([][]T, g.H.Kernel*g.W.Kernel+1), make([]T, g.C)
	for i := range k.strips {
		s := &k.strips[i]
		s.taps = tapTable[T](k.h, w, g.H.Kernel, s.n, 1, g.W.In, g.C, 0, 0)
		for _, at := range k.h.first {
			if n := at.n * s.n; k.shares[n] == nil {
				k.shares[n] = slices.Repeat([]T{1 / T(n)}, g.C)
			}
		}
	}
	k.images = poolImages(p, &k.Scratch, g)
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from x.
func (k *AvgPool2D[T]) Run(y, x []T) {
	k.x = k.images.input(&k.Scratch, x)
	k.y = k.images.output(&k.Scratch, y)
	k.loop.run()
	k.images.finish(y, k.y)
}

func (k *AvgPool2D[T]) part(_, part int) {
	g := &k.g
	lo, hi := k.work.bounds(part)
	for row := lo; row < hi; row++ {
		at := k.h.first[row%g.H.Out]
		x := k.x[(row/g.H.Out*g.H.In+at.element)*g.W.In*g.C:]
		y := k.y[row*g.W.Out*g.C:][:g.W.Out*g.C]
		for i := range k.strips {
			s := &k.strips[i]
			n := at.n * s.n
			sumTaps(y[s.at*g.C:], g.C, k.none, 0, x, s.element*g.C, g.W.Stride*g.C, k.shares[n], 0, 0, s.taps[:n], ownChannel, s.count, g.C, ahead{})
		}
	}
}

// AvgPool2DGrad is [op.AvgPool2DGrad]: each window's gradient, spread evenly over the elements under it.
type AvgPool2DGrad[T Float] struct {
	Scratch[T]
	g      op.PoolGeometry
	images images[T]
	work   split
	loop   phase
	dx, dy []T
}

// NewAvgPool2DGrad prepares the gradient of the pooling g.
func NewAvgPool2DGrad[T Float](p *pool.Pool, g op.PoolGeometry) (*AvgPool2DGrad[T], error) {
	if err := checkPool(g); err != nil {
		return nil, err
	}
	k := &AvgPool2DGrad[T]{g: g, work: splitBy(g.N*g.H.In, g.W.In*g.C)}
	k.images = poolImages(p, &k.Scratch, g)
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes dx from dy.
func (k *AvgPool2DGrad[T]) Run(dx, dy []T) {
	k.dy = k.images.gradient(&k.Scratch, dy)
	k.dx = k.images.inputGradient(&k.Scratch, dx)
	k.loop.run()
	k.images.finishInput(dx, k.dx)
}

func (k *AvgPool2DGrad[T]) part(_, part int) {
	g := &k.g
	lo, hi := k.work.bounds(part)
	for row := lo; row < hi; row++ {
		n, h := row/g.H.In, row%g.H.In
		i0, i1 := over(&g.H, h)
		for w := range g.W.In {
			dx := k.dx[(row*g.W.In+w)*g.C:][:g.C]
			clear(dx)
			j0, j1 := over(&g.W, w)
			for i := i0; i < i1; i++ {
				h0, h1 := clip(&g.H, i)
				for j := j0; j < j1; j++ {
					w0, w1 := clip(&g.W, j)
					axpy(dx, dx, k.dy[((n*g.H.Out+i)*g.W.Out+j)*g.C:][:g.C], 1/T((h1-h0)*(w1-w0)))
				}
			}
		}
	}
}

// over returns the output positions [lo, hi) whose windows cover input position at.
func over(s *shape.Span, at int) (lo, hi int) {
	return max(ceilDiv(at+s.Before-s.Kernel+1, s.Stride), 0), min((at+s.Before)/s.Stride+1, s.Out)
}

// GlobalAvgPool2D is [op.GlobalAvgPool2D]: the mean of every channel of every image.
type GlobalAvgPool2D[T Float] struct {
	format       shape.Layout
	n, pixels, c int
	work         split
	loop         phase
	y, x         []T
	backward     bool
}

// NewGlobalAvgPool2D prepares the mean over pixels of n images with c channels.
func NewGlobalAvgPool2D[T Float](p *pool.Pool, f shape.Layout, n, pixels, c int) (*GlobalAvgPool2D[T], error) {
	return newGlobalAvgPool[T](p, f, n, pixels, c, false)
}

func newGlobalAvgPool[T Float](p *pool.Pool, f shape.Layout, n, pixels, c int, backward bool) (*GlobalAvgPool2D[T], error) {
	if n < 1 || pixels < 1 || c < 1 {
		return nil, fmt.Errorf("kernel: GlobalAvgPool2D of %d images with %d pixels and %d channels; every number must be at least 1", n, pixels, c)
	}
	k := &GlobalAvgPool2D[T]{format: f, n: n, pixels: pixels, c: c, work: splitBy(n, pixels*c), backward: backward}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes the means y (n, c) of the images x.
func (k *GlobalAvgPool2D[T]) Run(y, x []T) {
	k.y, k.x = y[:k.n*k.c], x[:k.n*k.pixels*k.c]
	k.loop.run()
}

func (k *GlobalAvgPool2D[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	size := k.pixels * k.c
	f := 1 / T(k.pixels)
	for n := lo; n < hi; n++ {
		x, y := k.x[n*size:(n+1)*size], k.y[n*k.c:(n+1)*k.c]
		switch {
		case k.backward && k.format == shape.NCHW:
			for c, v := range y {
				for i := range x[c*k.pixels : (c+1)*k.pixels] {
					x[c*k.pixels+i] = v * f
				}
			}
		case k.backward:
			scale(x[:k.c], y, f)
			for p := 1; p < k.pixels; p++ {
				copy(x[p*k.c:(p+1)*k.c], x[:k.c])
			}
		case k.format == shape.NCHW:
			for c := range y {
				y[c] = T(sum(x[c*k.pixels:(c+1)*k.pixels]) * float64(f))
			}
		default:
			clear(y)
			for p := 0; p < k.pixels; p += sumRun { // each call sums its rows before it adds them to y
				columnSums(y, x[p*k.c:min(p+sumRun, k.pixels)*k.c])
			}
			scale(y, y, f)
		}
	}
}

// GlobalAvgPool2DGrad is [op.GlobalAvgPool2DGrad]: each image's dy/pixels at every pixel.
type GlobalAvgPool2DGrad[T Float] struct{ forward *GlobalAvgPool2D[T] }

// NewGlobalAvgPool2DGrad prepares the gradient of the mean over pixels of n images with c channels.
func NewGlobalAvgPool2DGrad[T Float](p *pool.Pool, f shape.Layout, n, pixels, c int) (*GlobalAvgPool2DGrad[T], error) {
	k, err := newGlobalAvgPool[T](p, f, n, pixels, c, true)
	if err != nil {
		return nil, err
	}
	return &GlobalAvgPool2DGrad[T]{k}, nil
}

// Run computes dx from dy (n, c).
func (k *GlobalAvgPool2DGrad[T]) Run(dx, dy []T) { k.forward.Run(dy, dx) }
