package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// images are the transpositions of a kernel in format NCHW: its arrays on the side of x and on that of y, in the scratch.
// In format NHWC they are the arrays themselves.
type images[T Float] struct {
	nchw         bool
	toX, toY     *Transpose[T] // NCHW → NHWC
	fromX, fromY *Transpose[T] // NHWC → NCHW
	xs, ys       area[T]
}

// newImages prepares the transpositions of a kernel between n images of in pixels with c channels and n images of out
// pixels with f channels. It holds for the kernel and for its backward passes.
func newImages[T Float](p *pool.Pool, s *Scratch[T], format shape.Layout, n, in, c, out, f int) images[T] {
	if format != shape.NCHW {
		return images[T]{}
	}
	return images[T]{nchw: true, xs: s.reserve(n * in * c), ys: s.reserve(n * out * f),
		toX: newTranspose[T](p, n, c, in), fromX: newTranspose[T](p, n, in, c),
		toY: newTranspose[T](p, n, f, out), fromY: newTranspose[T](p, n, out, f)}
}

func convImages[T Float](p *pool.Pool, s *Scratch[T], g op.ConvGeometry) images[T] {
	return newImages(p, s, g.Format, g.N, g.H.In*g.W.In, g.C, g.H.Out*g.W.Out, g.F)
}

// input returns x in NHWC.
func (m *images[T]) input(s *Scratch[T], x []T) []T { return m.read(s, m.toX, m.xs, x) }

// gradient returns dy in NHWC.
func (m *images[T]) gradient(s *Scratch[T], dy []T) []T { return m.read(s, m.toY, m.ys, dy) }

func (m *images[T]) read(s *Scratch[T], t *Transpose[T], a area[T], x []T) []T {
	if !m.nchw {
		return x
	}
	to := a.of(s)
	t.Run(to, x)
	return to
}

// output returns the NHWC memory for y; finish moves it into y.
func (m *images[T]) output(s *Scratch[T], y []T) []T {
	if !m.nchw {
		return y
	}
	return m.ys.of(s)
}

func (m *images[T]) finish(y, out []T) {
	if m.nchw {
		m.fromY.Run(y, out)
	}
}

// inputGradient returns the NHWC memory for dx; finishInput moves it into dx.
func (m *images[T]) inputGradient(s *Scratch[T], dx []T) []T {
	if !m.nchw {
		return dx
	}
	return m.xs.of(s)
}

func (m *images[T]) finishInput(dx, out []T) {
	if m.nchw {
		m.fromX.Run(dx, out)
	}
}

func poolImages[T Float](p *pool.Pool, s *Scratch[T], g op.PoolGeometry) images[T] {
	return newImages(p, s, g.Format, g.N, g.H.In*g.W.In, g.C, g.H.Out*g.W.Out, g.C)
}
