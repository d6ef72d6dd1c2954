package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
)

// depthwise computes convolutions with few channels a group directly, since a matrix product for each group would have hardly any
// depth and width: results are sums in registers over the taps of their windows. With one channel and one filter a group,
// neighbouring channels are computed at once; otherwise the filters of a group, for each of which a channel is the same factor.
type depthwise[T Float] struct {
	g         op.ConvGeometry
	o         ConvOptions
	one       bool // a channel serves several filters
	c, f      int  // channels and filters of what is computed at once: all, or those of a group
	groups    int
	rows      split
	h, w      reach        // of the forward pass or, for a gradient of the input, of that
	strips    []reachStrip // along the width
	filter    split
	transpose phase
	loops     [3]phase // forward, input, filter
	none      []T      // zeros to begin with

	y, x, k, bias, residual, sums, turned []T // of the current run; y and x are gradients in the backward passes, k is the filter
}

func newDepthwise[T Float](p *pool.Pool, g op.ConvGeometry, o ConvOptions, pass Pass) *depthwise[T] {
	d := &depthwise[T]{g: g, o: o, one: g.C != g.Groups || g.F != g.Groups, c: g.C / g.Groups, f: g.F / g.Groups, groups: g.Groups}
	if !d.one {
		d.c, d.f, d.groups = 1, g.F, 1
	}
	d.h, d.w = forwardReach(g.H), forwardReach(g.W)
	height, width, channels, from, pixel, depth := g.H.Out, g.W.Out, g.F, g.W.In, g.C, d.c
	step, next := 1, g.W.Stride
	if pass == BackwardInput {
		d.h, d.w = backwardReach(g.H), backwardReach(g.W)
		height, width, channels, from, pixel, depth = g.H.In, g.W.In, g.C, g.W.Out, g.F, d.f
		step, next = g.W.Stride, 1
		if !d.one {
			depth = 1
		}
		d.transpose = newPhase(p, g.H.Kernel*g.W.Kernel, d.turn)
	}
	d.strips = d.w.strips(step, next)
	for i := range d.strips {
		s := &d.strips[i]
		s.taps = tapTable[T](d.h, d.w, ceilDiv(g.H.Kernel, d.h.tap), s.n, depth, from, pixel, g.W.Kernel, channels)
	}
	d.none = make([]T, channels)
	const lighter = 4 // an element of a sum is computed so many times as fast as one is moved
	d.rows = splitBy(g.N*height, width*channels*g.H.Kernel*g.W.Kernel*depth/lighter)
	d.filter = splitInto(g.Groups, g.Groups) // a group's gradients are summed by one worker
	if !d.one {
		d.filter = sumSplit(g.N*g.H.Out, g.W.Out*g.F)
	}
	d.loops = [3]phase{newPhase(p, d.rows.parts, d.forwardPart), newPhase(p, d.rows.parts, d.inputPart), newPhase(p, d.filter.parts, d.filterPart)}
	return d
}

// scratch is how many elements a pass wants.
func (d *depthwise[T]) scratch(pass Pass) int {
	size := d.g.H.Kernel * d.g.W.Kernel * d.c * d.g.F
	switch {
	case pass == BackwardFilter && !d.one:
		return d.filter.parts * size
	case pass == BackwardInput && d.one:
		return size
	}
	return 0
}

func (d *depthwise[T]) name() string { return byDepth }

// A frozen filter is kept as it is.
func (d *depthwise[T]) packed() int                  { return d.g.H.Kernel * d.g.W.Kernel * d.c * d.g.F }
func (d *depthwise[T]) pack(_ *Scratch[T], u, w []T) { copy(u, w) }

func (d *depthwise[T]) run(_ *Scratch[T], y, x, w, bias, residual []T) {
	d.y, d.x, d.k, d.bias, d.residual = y, x, w, bias, residual
	d.loops[0].run()
}

// backwardInput computes dx; scratch is what the pass wants of it.
func (d *depthwise[T]) backwardInput(dx, dy, w, scratch []T) {
	d.x, d.y, d.k, d.turned = dx, dy, w, w
	if d.one {
		d.turned = scratch
		d.transpose.run()
	}
	d.loops[1].run()
}

// backwardFilter computes dw; scratch is what the pass wants of it.
func (d *depthwise[T]) backwardFilter(dw, x, dy, scratch []T) {
	d.x, d.y, d.k, d.sums = x, dy, dw, scratch
	d.loops[2].run()
	if !d.one {
		sumPartials(dw[:d.packed()], scratch, d.filter.parts)
	}
}

func (d *depthwise[T]) forwardPart(_, part int) {
	g := &d.g
	lo, hi := d.rows.bounds(part)
	for row := lo; row < hi; row++ {
		y := d.y[row*g.W.Out*g.F:][:g.W.Out*g.F]
		from, ld := d.none, 0
		switch {
		case d.residual != nil:
			from, ld = d.residual[row*g.W.Out*g.F:][:g.W.Out*g.F], g.F
			if d.bias != nil {
				for j := 0; j < len(y); j += g.F {
					add(y[j:j+g.F], from[j:j+g.F], d.bias[:g.F])
				}
				from = y
			}
		case d.bias != nil:
			from = d.bias
		}
		at := d.h.first[row%g.H.Out]
		d.sumRow(y, from, ld, d.x, (row/g.H.Out*g.H.In+at.element)*g.W.In, at, d.k, [2]int{g.F, d.f}, [2]int{g.C, d.c})
		if d.o.ReLU {
			relu(y, y)
		}
	}
}

func (d *depthwise[T]) inputPart(_, part int) {
	g := &d.g
	lo, hi := d.rows.bounds(part)
	to, of := [2]int{g.C, d.c}, [2]int{g.F, d.f}
	if !d.one {
		to, of = [2]int{g.C, g.C}, [2]int{g.F, 1}
	}
	for row := lo; row < hi; row++ {
		at := d.h.first[row%g.H.In]
		d.sumRow(d.x[row*g.W.In*g.C:][:g.W.In*g.C], d.none, 0, d.y, (row/g.H.In*g.H.Out+at.element)*g.W.Out, at, d.turned, to, of)
	}
}

// sumRow computes a row of results, to which from is added, from rows of x that begin with a pixel, through the taps of some rows of the
// window. to and of are the channels of results and of x: of a pixel, and of a group.
func (d *depthwise[T]) sumRow(y, from []T, ld int, x []T, pixel int, at reached1, w []T, to, of [2]int) {
	for i := range d.strips {
		s := &d.strips[i]
		rows, n := at.n, s.n
		if rows == 0 || n == 0 {
			rows, n = 0, 0
		}
		taps := s.taps[:rows*n*of[1]]
		for group := range d.groups {
			c := s.at*to[0] + group*to[1]
			f := group * to[1]
			if ld != 0 {
				f = c
			}
			sumTaps(y[c:], s.step*to[0], from[f:], s.step*ld, x, (pixel+s.element)*of[0]+group*of[1], s.next*of[0],
				w, (at.tap*d.g.W.Kernel+s.tap)*of[1]*to[0]+group*to[1], taps, d.one, s.count, to[1])
		}
	}
}

// turn exchanges the filters of a tap with its channels: w (c, F) becomes (f, C).
func (d *depthwise[T]) turn(_, tap int) {
	size := d.c * d.g.F
	w, u := d.k[tap*size:][:size], d.turned[tap*size:][:size]
	for f := range d.f {
		to := u[f*d.g.C:][:d.g.C]
		for group := range d.groups {
			for c := range d.c {
				to[group*d.c+c] = w[c*d.g.F+group*d.f+f]
			}
		}
	}
}

func (d *depthwise[T]) filterPart(_, part int) {
	g := &d.g
	if d.one { // a part is a group
		for tap := range g.H.Kernel * g.W.Kernel * d.c {
			clear(d.k[tap*g.F+part*d.f:][:d.f])
		}
		for row := range g.N * g.H.Out {
			d.filterRow(d.k[part*d.f:], row, part*d.c, part*d.f)
		}
		return
	}
	lo, hi := d.filter.bounds(part)
	sums := d.sums[part*d.packed():][:d.packed()]
	clear(sums)
	for row := lo; row < hi; row++ {
		d.filterRow(sums, row, 0, 0)
	}
}

// filterRow adds what a row of dy has to the gradient of the filters of a group, whose channels and filters begin at c and f.
func (d *depthwise[T]) filterRow(dw []T, row, c, f int) {
	g := &d.g
	at := d.h.first[row%g.H.Out]
	for p := range at.n {
		pixel := (row/g.H.Out*g.H.In + at.element + p*d.h.element) * g.W.In
		for i := range d.strips {
			s := &d.strips[i]
			if s.n == 0 {
				continue
			}
			x, dy := d.x[(pixel+s.element)*g.C+c:], d.y[(row*g.W.Out+s.at)*g.F+f:]
			to := dw[((at.tap+p)*g.W.Kernel+s.tap)*d.c*g.F:]
			if !d.one {
				sumPixels(to, g.F, x, s.next*g.C, d.w.element*g.C, dy, g.F, s.n, false, s.count, d.f)
				continue
			}
			for q := range s.n {
				sumPixels(to[q*d.c*g.F:], g.F, x[q*d.w.element*g.C:], s.next*g.C, 1, dy, g.F, d.c, true, s.count, d.f)
			}
		}
	}
}
