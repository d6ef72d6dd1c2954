package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// patchRows is the geometry of patches laid out as rows: of images (n, c, h, w) in rows (n, oh, ow, c·kh·kw).
type patchRows struct {
	n, c, width int
	h, w        shape.Span
}

func newPatchRows(kernel string, n, c int, h, w shape.Span) (patchRows, error) {
	if n < 1 || c < 1 || h.In < 1 || w.In < 1 || h.Out < 1 || w.Out < 1 {
		return patchRows{}, fmt.Errorf("kernel: %s of %d images of %d×%d×%d with %d×%d patches; want at least 1", kernel, n, c, h.In, w.In, h.Out, w.Out)
	}
	return patchRows{n: n, c: c, width: c * h.Kernel * w.Kernel, h: h, w: w}, nil
}

func (g *patchRows) images() int  { return g.n * g.c * g.h.In * g.w.In }
func (g *patchRows) columns() int { return g.n * g.h.Out * g.w.Out * g.width }

// taps are the taps [lo, hi) of a window at position i that see elements; the first sees element at.
func taps(s *shape.Span, i int) (lo, hi, at int) {
	at = i*s.Stride - s.Before
	if at < 0 {
		lo = min(ceilDiv(-at, s.Dilation), s.Kernel)
	}
	at += lo * s.Dilation
	hi = lo
	if at < s.In {
		hi = min(s.Kernel, lo+(s.In-1-at)/s.Dilation+1)
	}
	return lo, hi, at
}

// Im2Col is [ir.Im2Col].
type Im2Col[T op.Float] struct {
	patchRows
	work split // rows of patches
	loop phase
	y, x []T
}

// NewIm2Col prepares laying out the patches of n images of c channels.
func NewIm2Col[T op.Float](p *pool.Pool, n, c int, h, w shape.Span) (*Im2Col[T], error) {
	g, err := newPatchRows("Im2Col", n, c, h, w)
	if err != nil {
		return nil, err
	}
	k := &Im2Col[T]{patchRows: g, work: splitBy(n*h.Out, w.Out*g.width)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from x, which must not overlap.
func (k *Im2Col[T]) Run(y, x []T) {
	k.y, k.x = y[:k.columns()], x[:k.images()]
	k.loop.run()
}

func (k *Im2Col[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	for row := lo; row < hi; row++ {
		x := k.x[row/k.h.Out*k.c*k.h.In*k.w.In:][:k.c*k.h.In*k.w.In]
		h0, h1, top := taps(&k.h, row%k.h.Out)
		for j := range k.w.Out {
			y := k.y[(row*k.w.Out+j)*k.width:][:k.width]
			w0, w1, left := taps(&k.w, j)
			if h1-h0 < k.h.Kernel || w1-w0 < k.w.Kernel {
				clear(y)
			}
			k.patch(y, x, h0, h1, top, w0, w1, left)
		}
	}
}

// patch copies the taps that see elements.
func (k *Im2Col[T]) patch(y, x []T, h0, h1, top, w0, w1, left int) {
	kernel, down := k.w.Kernel, k.h.Dilation*k.w.In
	for c := range k.c {
		from := (c*k.h.In+top)*k.w.In + left
		to := (c*k.h.Kernel + h0) * kernel
		for range h1 - h0 {
			if k.w.Dilation == 1 && w1-w0 == 3 { // the commonest by far
				*(*[3]T)(y[to+w0:]) = *(*[3]T)(x[from:])
			} else {
				at := from
				for q := w0; q < w1; q++ {
					y[to+q] = x[at]
					at += k.w.Dilation
				}
			}
			from += down
			to += kernel
		}
	}
}

// Col2Im is [ir.Col2Im].
type Col2Im[T op.Float] struct {
	patchRows
	work   split // channels of one image
	loop   phase
	dx, dy []T
}

// NewCol2Im prepares adding up the patches of n images of c channels.
func NewCol2Im[T op.Float](p *pool.Pool, n, c int, h, w shape.Span) (*Col2Im[T], error) {
	g, err := newPatchRows("Col2Im", n, c, h, w)
	if err != nil {
		return nil, err
	}
	// Few images are cut by channels, in groups that fill cache lines of the patches.
	k := &Col2Im[T]{patchRows: g, work: splitInto(c, min(ceilDiv(16, n), ceilDiv(c, 8)))}
	k.loop = newPhase(p, n*k.work.parts, k.part)
	return k, nil
}

// Run computes dx from dy, which must not overlap.
func (k *Col2Im[T]) Run(dx, dy []T) {
	k.dx, k.dy = dx[:k.images()], dy[:k.columns()]
	k.loop.run()
}

func (k *Col2Im[T]) part(_, part int) {
	n := part / k.work.parts
	lo, hi := k.work.bounds(part % k.work.parts)
	plane := k.h.In * k.w.In
	dx := k.dx[(n*k.c+lo)*plane : (n*k.c+hi)*plane]
	clear(dx)
	size := k.h.Kernel * k.w.Kernel
	for i := range k.h.Out {
		h0, h1, top := taps(&k.h, i)
		for j := range k.w.Out {
			w0, w1, left := taps(&k.w, j)
			dy := k.dy[((n*k.h.Out+i)*k.w.Out+j)*k.width:][lo*size : hi*size]
			k.patch(dx, dy, hi-lo, h0, h1, top, w0, w1, left)
		}
	}
}

// patch adds the taps that see elements to the planes of some channels.
func (k *Col2Im[T]) patch(dx, dy []T, channels, h0, h1, top, w0, w1, left int) {
	kernel, down := k.w.Kernel, k.h.Dilation*k.w.In
	for c := range channels {
		to := (c*k.h.In+top)*k.w.In + left
		from := (c*k.h.Kernel + h0) * kernel
		for range h1 - h0 {
			at := to
			for _, v := range dy[from+w0 : from+w1] {
				dx[at] += v
				at += k.w.Dilation
			}
			to += down
			from += kernel
		}
	}
}
