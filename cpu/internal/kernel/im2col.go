package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
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

// single says that every patch is one pixel and every pixel a patch.
func (g *patchRows) single() bool {
	return g.width == g.c && g.h.Out == g.h.In && g.w.Out == g.w.In && g.h.Stride*g.w.Stride == 1 && g.h.Before+g.w.Before == 0
}

func (g *patchRows) images() int  { return g.n * g.c * g.h.In * g.w.In }
func (g *patchRows) columns() int { return g.n * g.h.Out * g.w.Out * g.width }

// seen is the positions [lo, hi) of a window, of which tap t sees an element; for the first of them it is element at.
func seen(s *shape.Span, t int) (lo, hi, at int) {
	at = t*s.Dilation - s.Before
	if at < 0 {
		lo = min(ceilDiv(-at, s.Stride), s.Out)
	}
	at += lo * s.Stride
	hi = lo
	if at < s.In {
		hi = min(s.Out, lo+(s.In-1-at)/s.Stride+1)
	}
	return lo, hi, at
}

// tapRows is how patches are laid out and added up: what a tap sees of a row of patches is a contiguous line, and lines
// are turned to and from the columns of the patches in blocks.
type tapRows[T Float] struct {
	patchRows
	taps  []rowTap
	lines []T // of each worker: transposeTile × ow
}

// rowTap is a tap of one channel: its plane begins at element plane of an image, it looks down rows below the window's
// first, and sees from element at on, in positions [lo, hi) of the row of patches.
type rowTap struct{ plane, down, at, lo, hi int }

func newTapRows[T Float](p *pool.Pool, g patchRows) tapRows[T] {
	r := tapRows[T]{patchRows: g, lines: make([]T, p.Threads()*transposeTile*g.w.Out)}
	for c := range g.c {
		for down := range g.h.Kernel {
			for q := range g.w.Kernel {
				lo, hi, at := seen(&g.w, q)
				r.taps = append(r.taps, rowTap{c * g.h.In * g.w.In, down * g.h.Dilation, at, lo, hi})
			}
		}
	}
	return r
}

// of returns a worker's lines.
func (r *tapRows[T]) of(worker int) []T {
	n := transposeTile * r.w.Out
	return r.lines[worker*n : (worker+1)*n]
}

// pixels returns the row of pixels of an image that a tap looks at in row i of the patches; nil outside the image.
func (r *tapRows[T]) pixels(image []T, t *rowTap, i int) []T {
	line := i*r.h.Stride - r.h.Before + t.down
	if line < 0 || line >= r.h.In {
		return nil
	}
	at := t.plane + line*r.w.In
	return image[at : at+r.w.In]
}

// Im2Col is [ir.Im2Col].
type Im2Col[T Float] struct {
	tapRows[T]
	turn *Transpose[T] // windows of one pixel that stand next to each other: channels last
	work split         // rows of patches
	loop phase
	y, x []T
}

// NewIm2Col prepares laying out the patches of n images of c channels.
func NewIm2Col[T Float](p *pool.Pool, n, c int, h, w shape.Span) (*Im2Col[T], error) {
	g, err := newPatchRows("Im2Col", n, c, h, w)
	if err != nil {
		return nil, err
	}
	if g.single() {
		return &Im2Col[T]{tapRows: tapRows[T]{patchRows: g}, turn: newTranspose[T](p, n, c, h.In*w.In)}, nil
	}
	k := &Im2Col[T]{tapRows: newTapRows[T](p, g), work: splitBy(n*h.Out, w.Out*g.width)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from x, which must not overlap.
func (k *Im2Col[T]) Run(y, x []T) {
	k.y, k.x = y[:k.columns()], x[:k.images()]
	if k.turn != nil {
		k.turn.Run(k.y, k.x)
		return
	}
	k.loop.run()
}

func (k *Im2Col[T]) part(worker, part int) {
	lo, hi := k.work.bounds(part)
	lines, ow, size := k.of(worker), k.w.Out, k.c*k.h.In*k.w.In
	for row := lo; row < hi; row++ {
		y := k.y[row*ow*k.width : (row+1)*ow*k.width]
		number, i := row/k.h.Out, row%k.h.Out
		image := k.x[number*size : (number+1)*size]
		for t0 := 0; t0 < k.width; t0 += transposeTile {
			n := min(transposeTile, k.width-t0)
			for j := range n {
				t := &k.taps[t0+j]
				k.see(lines[j*ow:(j+1)*ow], k.pixels(image, t, i), t)
			}
			for j := 0; j < ow; j += transposeTile {
				ops[T]().Transpose(y[j*k.width+t0:], k.width, lines[j:], ow, n, min(transposeTile, ow-j))
			}
		}
	}
}

// see writes what a tap sees of a row of pixels; nil is padding.
func (k *Im2Col[T]) see(to, x []T, t *rowTap) {
	if x == nil || t.lo == t.hi {
		clear(to)
		return
	}
	clear(to[:t.lo])
	clear(to[t.hi:])
	to = to[t.lo:t.hi]
	if k.w.Stride == 1 {
		copyShort(to, x[t.at:])
		return
	}
	at := t.at
	for i := range to {
		to[i] = x[at]
		at += k.w.Stride
	}
}

// Col2Im is [ir.Col2Im].
type Col2Im[T Float] struct {
	tapRows[T]
	turn   *Transpose[T]
	work   split // channels of one image
	loop   phase
	dx, dy []T
}

// NewCol2Im prepares adding up the patches of n images of c channels.
func NewCol2Im[T Float](p *pool.Pool, n, c int, h, w shape.Span) (*Col2Im[T], error) {
	g, err := newPatchRows("Col2Im", n, c, h, w)
	if err != nil {
		return nil, err
	}
	if g.single() {
		return &Col2Im[T]{tapRows: tapRows[T]{patchRows: g}, turn: newTranspose[T](p, n, h.In*w.In, c)}, nil
	}
	// Few images are cut by channels, in groups that fill cache lines of the patches.
	k := &Col2Im[T]{tapRows: newTapRows[T](p, g), work: splitInto(c, min(ceilDiv(sweepParts, n), ceilDiv(c, 8)))}
	k.loop = newPhase(p, n*k.work.parts, k.part)
	return k, nil
}

// Run computes dx from dy, which must not overlap.
func (k *Col2Im[T]) Run(dx, dy []T) {
	k.dx, k.dy = dx[:k.images()], dy[:k.columns()]
	if k.turn != nil {
		k.turn.Run(k.dx, k.dy)
		return
	}
	k.loop.run()
}

func (k *Col2Im[T]) part(worker, part int) {
	number := part / k.work.parts
	lo, hi := k.work.bounds(part % k.work.parts)
	lines, ow, plane, window := k.of(worker), k.w.Out, k.h.In*k.w.In, k.h.Kernel*k.w.Kernel
	image := k.dx[number*k.c*plane : (number+1)*k.c*plane]
	clear(image[lo*plane : hi*plane])
	for i := range k.h.Out {
		dy := k.dy[(number*k.h.Out+i)*ow*k.width:][:ow*k.width]
		for t0 := lo * window; t0 < hi*window; t0 += transposeTile {
			n := min(transposeTile, hi*window-t0)
			for j := 0; j < ow; j += transposeTile {
				ops[T]().Transpose(lines[j:], ow, dy[j*k.width+t0:], k.width, min(transposeTile, ow-j), n)
			}
			for j := range n {
				t := &k.taps[t0+j]
				k.see(k.pixels(image, t, i), lines[j*ow:(j+1)*ow], t)
			}
		}
	}
}

// see adds what a tap saw to a row of pixels; nil is padding.
func (k *Col2Im[T]) see(dx, from []T, t *rowTap) {
	if dx == nil || t.lo == t.hi {
		return
	}
	from = from[t.lo:t.hi]
	if k.w.Stride == 1 {
		to := dx[t.at : t.at+len(from)]
		add(to, to, from)
		return
	}
	at := t.at
	for _, v := range from {
		dx[at] += v
		at += k.w.Stride
	}
}
