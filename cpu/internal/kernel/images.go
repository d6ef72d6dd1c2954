package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// images are the transpositions of a kernel in format NCHW: its arrays on the side of x and on that of y, in the scratch.
// In format NHWC they are the arrays themselves.
type images struct {
	nchw         bool
	toX, toY     *Transpose // NCHW → NHWC
	fromX, fromY *Transpose // NHWC → NCHW
	xs, ys       area
}

// newImages prepares the transpositions of a kernel between n images of in pixels with c channels and n images of out
// pixels with f channels. It holds for the kernel and for its backward passes.
func newImages(p *pool.Pool, s *Scratch, format shape.Layout, n, in, c, out, f int) images {
	if format != shape.NCHW {
		return images{}
	}
	return images{nchw: true, xs: s.reserve(n * in * c), ys: s.reserve(n * out * f),
		toX: newTranspose(p, n, c, in), fromX: newTranspose(p, n, in, c),
		toY: newTranspose(p, n, f, out), fromY: newTranspose(p, n, out, f)}
}

func convImages(p *pool.Pool, s *Scratch, g op.ConvGeometry) images {
	return newImages(p, s, g.Format, g.N, g.H.In*g.W.In, g.C, g.H.Out*g.W.Out, g.F)
}

// input returns x in NHWC.
func (m *images) input(s *Scratch, x []float32) []float32 { return m.read(s, m.toX, m.xs, x) }

// gradient returns dy in NHWC.
func (m *images) gradient(s *Scratch, dy []float32) []float32 { return m.read(s, m.toY, m.ys, dy) }

func (m *images) read(s *Scratch, t *Transpose, a area, x []float32) []float32 {
	if !m.nchw {
		return x
	}
	to := a.of(s)
	t.Run(to, x)
	return to
}

// output returns the NHWC memory for y; finish moves it into y.
func (m *images) output(s *Scratch, y []float32) []float32 {
	if !m.nchw {
		return y
	}
	return m.ys.of(s)
}

func (m *images) finish(y, out []float32) {
	if m.nchw {
		m.fromY.Run(y, out)
	}
}

// inputGradient returns the NHWC memory for dx; finishInput moves it into dx.
func (m *images) inputGradient(s *Scratch, dx []float32) []float32 {
	if !m.nchw {
		return dx
	}
	return m.xs.of(s)
}

func (m *images) finishInput(dx, out []float32) {
	if m.nchw {
		m.fromX.Run(dx, out)
	}
}

func poolImages(p *pool.Pool, s *Scratch, g op.PoolGeometry) images {
	return newImages(p, s, g.Format, g.N, g.H.In*g.W.In, g.C, g.H.Out*g.W.Out, g.C)
}
