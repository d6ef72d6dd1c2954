package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// depthwise computes convolutions with one input channel a group directly: filter f sees channel f/(F/C) only, so that
// there is no matrix product with any depth in them.
type depthwise[T Float] struct {
	g        op.ConvGeometry
	o        ConvOptions
	multiple int // filters a channel
	filter   split
	loops    [3]phase // forward, input, filter

	y, x, w, bias, residual, sums []T // of the current run; y and x are gradients in the backward passes
}

func newDepthwise[T Float](p *pool.Pool, g op.ConvGeometry, o ConvOptions) *depthwise[T] {
	d := &depthwise[T]{g: g, o: o, multiple: g.F / g.C}
	d.filter = sumSplit(g.N*g.H.Out, g.W.Out*g.F)
	d.loops = [3]phase{
		newPhase(p, g.N*g.H.Out, d.forwardRow),
		newPhase(p, g.N*g.H.In, d.inputRow),
		newPhase(p, d.filter.parts, d.filterPart),
	}
	return d
}

// filterParts is the number of partial sums that backwardFilter wants, each as large as the kernel.
func (d *depthwise[T]) filterParts() int { return d.filter.parts }

// A frozen filter is kept as it is.
func (d *depthwise[T]) packed() int                  { return d.g.H.Kernel * d.g.W.Kernel * d.g.F }
func (d *depthwise[T]) pack(_ *Scratch[T], u, w []T) { copy(u, w) }

func (d *depthwise[T]) run(_ *Scratch[T], y, x, w, bias, residual []T) {
	d.y, d.x, d.w, d.bias, d.residual = y, x, w, bias, residual
	d.loops[0].run()
}

func (d *depthwise[T]) backwardInput(dx, dy, w []T) {
	d.x, d.y, d.w = dx, dy, w
	d.loops[1].run()
}

func (d *depthwise[T]) backwardFilter(dw, x, dy, sums []T) {
	d.x, d.y, d.w, d.sums = x, dy, dw, sums
	d.loops[2].run()
	sumPartials(dw[:d.g.H.Kernel*d.g.W.Kernel*d.g.F], sums, d.filter.parts)
}

// inside returns the input position that output position i sees through tap t.
func inside(s *shape.Span, i, t int) (at int, ok bool) {
	at = i*s.Stride + t*s.Dilation - s.Before
	return at, at >= 0 && at < s.In
}

func (d *depthwise[T]) forwardRow(_, row int) {
	g := &d.g
	n, i := row/g.H.Out, row%g.H.Out
	for j := range g.W.Out {
		at := (row*g.W.Out + j) * g.F
		y := d.y[at:][:g.F]
		switch {
		case d.residual != nil:
			copy(y, d.residual[at:])
			if d.bias != nil {
				add(y, y, d.bias)
			}
		case d.bias != nil:
			copy(y, d.bias)
		default:
			clear(y)
		}
		for p := range g.H.Kernel {
			h, ok := inside(&g.H, i, p)
			if !ok {
				continue
			}
			for q := range g.W.Kernel {
				if v, ok := inside(&g.W, j, q); ok {
					d.addTap(y, d.x[((n*g.H.In+h)*g.W.In+v)*g.C:][:g.C], d.w[(p*g.W.Kernel+q)*g.F:][:g.F])
				}
			}
		}
		if d.o.ReLU {
			relu(y, y)
		}
	}
}

// addTap adds x[f/multiple]·w[f] to y[f].
func (d *depthwise[T]) addTap(y, x, w []T) {
	if d.multiple == 1 {
		mulAdd(y, x, w)
		return
	}
	for c, v := range x {
		at := c * d.multiple
		for f := at; f < at+d.multiple; f++ {
			y[f] += v * w[f]
		}
	}
}

func (d *depthwise[T]) inputRow(_, row int) {
	g := &d.g
	n, h := row/g.H.In, row%g.H.In
	for v := range g.W.In {
		dx := d.x[(row*g.W.In+v)*g.C:][:g.C]
		clear(dx)
		for p := range g.H.Kernel {
			i, ok := reached(&g.H, h, p)
			if !ok {
				continue
			}
			for q := range g.W.Kernel {
				if j, ok := reached(&g.W, v, q); ok {
					d.addBack(dx, d.y[((n*g.H.Out+i)*g.W.Out+j)*g.F:][:g.F], d.w[(p*g.W.Kernel+q)*g.F:][:g.F])
				}
			}
		}
	}
}

// reached returns the output position that sees input position at through tap t.
func reached(s *shape.Span, at, t int) (i int, ok bool) {
	d := at + s.Before - t*s.Dilation
	if d < 0 || d%s.Stride != 0 {
		return 0, false
	}
	i = d / s.Stride
	return i, i < s.Out
}

// addBack adds Σ dy[f]·w[f] over the filters f of channel c to dx[c].
func (d *depthwise[T]) addBack(dx, dy, w []T) {
	if d.multiple == 1 {
		mulAdd(dx, dy, w)
		return
	}
	for c := range dx {
		at := c * d.multiple
		for f := at; f < at+d.multiple; f++ {
			dx[c] += dy[f] * w[f]
		}
	}
}

func (d *depthwise[T]) filterPart(_, part int) {
	g := &d.g
	lo, hi := d.filter.bounds(part)
	size := g.H.Kernel * g.W.Kernel * g.F
	sums := d.sums[part*size : (part+1)*size]
	clear(sums)
	for row := lo; row < hi; row++ {
		n, i := row/g.H.Out, row%g.H.Out
		for p := range g.H.Kernel {
			h, ok := inside(&g.H, i, p)
			if !ok {
				continue
			}
			for j := range g.W.Out {
				dy := d.y[(row*g.W.Out+j)*g.F:][:g.F]
				for q := range g.W.Kernel {
					if v, ok := inside(&g.W, j, q); ok {
						x := d.x[((n*g.H.In+h)*g.W.In+v)*g.C:][:g.C]
						d.addFilter(sums[(p*g.W.Kernel+q)*g.F:][:g.F], x, dy)
					}
				}
			}
		}
	}
}

// addFilter adds x[f/multiple]·dy[f] to dw[f].
func (d *depthwise[T]) addFilter(dw, x, dy []T) { d.addTap(dw, x, dy) }
