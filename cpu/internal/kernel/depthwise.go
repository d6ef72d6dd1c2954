package kernel

import (
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
)

// depthwise computes convolutions with few channels a group directly, since a matrix product for each group would have hardly any
// depth and width: results are sums in registers over the taps of their windows. With one channel and one filter a group,
// or with four of each, neighbouring groups are computed at once. Otherwise the filters of a group are, for all of which a channel is the
// same factor, from a copy of the filters in which those of a group follow each other.
type depthwise[T Float] struct {
	g       op.ConvGeometry
	o       ConvOptions
	after   *after[T]
	of      factors
	groups  int // that are computed one by one
	c, f    int // channels of a group, and filters that are computed at once: all, or those of a group
	h, w    reach
	strips  []reachStrip // along the width
	into    side         // results of the forward pass or, for a gradient of the input, of that
	from    side
	rows    split
	filter  split
	words   area[T]
	arrange phase
	join    phase
	loop    phase
	none    []T             // zeros to begin with
	watch   gemm.Watcher[T] // of blocks of results, or nil
	block   int             // rows of images in one
	soon    [][]int         // for each row of results but an image's last, where the rows of pixels lie that the next one sees besides; nil for small images
	below   int             // elements from a result to that in the next row

	y, x, k, bias, residual, scratch []T // of the current run; y and x are gradients in the backward passes, k is the filter
}

// side is images that are written or read: their channels, and how many of them go with a filter, or with how many filters of a group.
type side struct{ channels, each int }

// streamedLen is the length of input and result together from which rows are brought into the cache before their turn; less than that
// is likely to be there. Tests set it.
var streamedLen = 1 << 21

func newDepthwise[T Float](p *pool.Pool, s *Scratch[T], g op.ConvGeometry, o ConvOptions, pass Pass, then *after[T]) *depthwise[T] {
	d := &depthwise[T]{g: g, o: o, after: then, c: g.C / g.Groups, f: g.F / g.Groups, groups: g.Groups}
	switch {
	case d.c == 1 && d.f == 1:
		d.f, d.groups = g.F, 1
	case d.c == 4 && d.f == 4:
		d.of, d.f, d.groups = fourChannels, g.F, 1
	default:
		d.of = oneChannel
	}
	d.h, d.w = forwardReach(g.H), forwardReach(g.W)
	d.into, d.from = side{g.F, d.f}, side{g.C, g.C / g.Groups}
	height, width, across, step, next := g.H.Out, g.W.Out, g.W.In, 1, g.W.Stride
	body, parts := d.forwardPart, 0
	if pass == BackwardInput {
		d.h, d.w = backwardReach(g.H), backwardReach(g.W)
		d.into, d.from = side{g.C, g.C / d.groups}, side{g.F, g.F / g.Groups}
		height, width, across, step, next = g.H.In, g.W.In, g.W.Out, g.W.Stride, 1
		body = d.inputPart
	}
	d.strips = d.w.strips(step, next)
	for i := range d.strips {
		s := &d.strips[i]
		s.taps = tapTable[T](d.h, d.w, ceilDiv(g.H.Kernel, d.h.tap), s.n, d.from.each/d.of.depth(), across, d.from.channels, g.W.Kernel,
			d.into.each*d.of.depth())
	}
	d.none = make([]T, d.into.channels)
	if op.Len(g.Input())+op.Len(g.Output()) >= streamedLen {
		d.soon, d.below = soonSeen[T](d.h, across*d.from.channels), width*d.into.channels
	}
	const lighter = 4 // an element of a sum is computed so many times as fast as one is moved
	d.rows = splitBy(g.N*height, width*d.into.channels*g.H.Kernel*g.W.Kernel*d.from.each/lighter)
	parts = d.rows.parts
	words := 0
	switch {
	case pass == BackwardFilter && d.of == oneChannel:
		body, parts, words = d.groupPart, g.Groups, d.packed()
	case pass == BackwardFilter:
		const most = 16 // with more, adding them up would take its time
		d.filter = splitInto(g.N*g.H.Out, min(most, sumSplit(g.N*g.H.Out, g.W.Out*g.F).parts))
		d.join = newPhase(p, g.H.Kernel*g.W.Kernel, d.joinTap)
		body, parts, words = d.filterPart, d.filter.parts, d.filter.parts*d.packed()
	case d.of == oneChannel && !o.Frozen:
		words = d.packed()
		d.arrange = newPhase(p, g.Groups, func(_, group int) { d.arrangeGroup(d.scratch, d.k, group, pass) })
	case d.of == fourChannels && pass == BackwardInput:
		words = d.packed()
		d.arrange = newPhase(p, g.H.Kernel*g.W.Kernel, d.turn)
	}
	d.words = s.reserve(words)
	d.loop = newPhase(p, parts, body)
	return d
}

// watchedPixels is how many results of a convolution its watcher is told of at a time: whole rows of images, in at least some parts for the
// workers. It may be more than a watcher takes.
func watchedPixels(g op.ConvGeometry) int {
	const parts = 32
	rows := min(sumRun/g.W.Out, ceilDiv(g.N*g.H.Out, parts))
	return max(rows, 1) * g.W.Out
}

// watchedBy lets somebody watch the results of the forward pass.
func (d *depthwise[T]) watchedBy(w gemm.Watcher[T]) {
	d.watch, d.block = w, watchedPixels(d.g)/d.g.W.Out
	size := ceilDiv(d.rows.size, d.block) * d.block
	d.rows = split{n: d.rows.n, size: size, parts: ceilDiv(d.rows.n, size)}
	d.loop.parts = d.rows.parts
}

// packed is the size of the filters.
func (d *depthwise[T]) packed() int { return d.g.H.Kernel * d.g.W.Kernel * d.c * d.g.F }

// pack keeps frozen filters in the order in which sumRow reads them.
func (d *depthwise[T]) pack(_ *Scratch[T], u, w []T) {
	if d.of != oneChannel {
		copy(u, w)
		return
	}
	for group := range d.groups {
		d.arrangeGroup(u, w, group, Forward)
	}
}

func (d *depthwise[T]) run(s *Scratch[T], y, x, w, bias, residual []T) {
	d.y, d.x, d.k, d.bias, d.residual = y, x, w, bias, residual
	d.begin(s)
	d.loop.run()
}

func (d *depthwise[T]) backwardInput(s *Scratch[T], dx, dy, w []T) {
	d.x, d.y, d.k = dx, dy, w
	d.begin(s)
	d.loop.run()
}

func (d *depthwise[T]) backwardFilter(s *Scratch[T], dw, x, dy []T) {
	d.x, d.y, d.k, d.scratch = x, dy, dw, d.words.of(s)
	d.loop.run()
	if d.of != oneChannel {
		d.join.run()
	}
}

// begin brings the filters into order, in the scratch, where they are not.
func (d *depthwise[T]) begin(s *Scratch[T]) {
	if d.arrange.parts == 0 {
		return
	}
	d.scratch = d.words.of(s)
	d.arrange.run()
	d.k = d.scratch
}

// arrangeGroup copies the filters of a group from w (taps, c, F) to u (groups, taps, c, f) or, for the gradient of the input, to
// (groups, taps, f, c).
func (d *depthwise[T]) arrangeGroup(u, w []T, group int, pass Pass) {
	taps := d.g.H.Kernel * d.g.W.Kernel
	u = u[group*taps*d.c*d.f:][:taps*d.c*d.f]
	for tap := range taps {
		to := u[tap*d.c*d.f:][:d.c*d.f]
		for c := range d.c {
			from := w[(tap*d.c+c)*d.g.F+group*d.f:][:d.f]
			if pass == Forward {
				copy(to[c*d.f:], from)
				continue
			}
			for f, v := range from {
				to[f*d.c+c] = v
			}
		}
	}
}

// turn exchanges channels and filters of a tap within groups of four.
func (d *depthwise[T]) turn(_, tap int) {
	size := 4 * d.g.F
	w, u := d.k[tap*size:][:size], d.scratch[tap*size:][:size]
	for at := 0; at < d.g.F; at += 4 {
		for c := range 4 {
			for f := range 4 {
				u[f*d.g.C+at+c] = w[c*d.g.F+at+f]
			}
		}
	}
}

func (d *depthwise[T]) forwardPart(worker, part int) {
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
		d.sumRow(y, from, ld, d.x, (row/g.H.Out*g.H.In+at.element)*g.W.In, row%g.H.Out)
		d.after.finish(worker, y, d.o.ReLU)
		if first := row / max(d.block, 1) * d.block; d.watch != nil && (row+1 == hi || row+1 == first+d.block) {
			d.watch.Done(first*g.W.Out, (row+1-first)*g.W.Out, 0, g.F)
		}
	}
}

func (d *depthwise[T]) inputPart(_, part int) {
	g := &d.g
	lo, hi := d.rows.bounds(part)
	for row := lo; row < hi; row++ {
		at := d.h.first[row%g.H.In]
		d.sumRow(d.x[row*g.W.In*g.C:][:g.W.In*g.C], d.none, 0, d.y, (row/g.H.In*g.H.Out+at.element)*g.W.Out, row%g.H.In)
	}
}

// sumRow computes a row of results, of that number in an image, to which from is added, from the rows of x that it sees, which begin with a
// pixel. Groups that are computed one by one are so for a few pixels, which stay in the first-level cache.
func (d *depthwise[T]) sumRow(y, from []T, ld int, x []T, pixel, row int) {
	const few = 16
	into, of, at := d.into, d.from, d.h.first[row]
	size := of.each * into.each // of the filters of a group at a tap
	for i := range d.strips {
		s := &d.strips[i]
		taps := s.taps[:0]
		if at.n > 0 && s.n > 0 {
			taps = s.taps[:at.n*s.n*of.each/d.of.depth()]
		}
		var soon ahead
		if row < len(d.soon) {
			if s.at%s.step == 0 { // other phases lie between these
				soon = ahead{d.soon[row], s.next, d.below, s.step}
			}
		}
		now := s.count
		if d.groups > 1 {
			now = few
		}
		for j := 0; j < s.count; j += now {
			for group := range d.groups {
				c := (s.at+j*s.step)*into.channels + group*into.each
				f := group * into.each
				if ld != 0 {
					f = c
				}
				sumTaps(y[c:], s.step*into.channels, from[f:], s.step*ld, x, (pixel+s.element+j*s.next)*of.channels+group*of.each, s.next*of.channels,
					d.k, (group*d.g.H.Kernel*d.g.W.Kernel+at.tap*d.g.W.Kernel+s.tap)*size, into.channels, taps, d.of, min(now, s.count-j), into.each, soon)
			}
		}
	}
}

// filterPart sums the gradient of all filters over some rows.
func (d *depthwise[T]) filterPart(_, part int) {
	lo, hi := d.filter.bounds(part)
	sums := d.scratch[part*d.packed():][:d.packed()]
	clear(sums)
	for row := lo; row < hi; row++ {
		d.filterRow(sums, row, 0, 0)
	}
}

// joinTap adds up what the parts have for a tap.
func (d *depthwise[T]) joinTap(_, tap int) {
	n := d.c * d.g.F
	sum := d.k[tap*n:][:n]
	copy(sum, d.scratch[tap*n:])
	for part := 1; part < d.filter.parts; part++ {
		add(sum, sum, d.scratch[part*d.packed()+tap*n:][:n])
	}
}

// groupPart sums the gradient of the filters of a group over all rows.
func (d *depthwise[T]) groupPart(_, group int) {
	g := &d.g
	rows := g.H.Kernel * g.W.Kernel * d.c
	sums := d.scratch[group*rows*d.f:][:rows*d.f]
	clear(sums)
	for row := range g.N * g.H.Out {
		d.filterRow(sums, row, group*d.c, group*d.f)
	}
	for r := range rows {
		copy(d.k[r*g.F+group*d.f:][:d.f], sums[r*d.f:])
	}
}

// filterRow adds what a row of dy has to the gradient of filters that are computed at once, whose channels and filters begin at c and
// f. Where there are many, the sums of several go on in memory after a few pixels, since the pixels of a row lie too far apart for the
// first-level cache to have them until the next channels' turn.
func (d *depthwise[T]) filterRow(dw []T, row, c, f int) {
	if d.of == ownChannel {
		d.ownFilterRow(dw, row)
		return
	}
	const few, many = 4, 256
	g := &d.g
	at := d.h.first[row%g.H.Out]
	for p := range at.n {
		pixel := (row/g.H.Out*g.H.In + at.element + p*d.h.element) * g.W.In
		for i := range d.strips {
			s := &d.strips[i]
			if s.n == 0 {
				continue
			}
			now := s.count
			if d.f >= many {
				now = few
			}
			for j := 0; j < s.count; j += now {
				x, dy := d.x[(pixel+s.element+j*s.next)*g.C+c:], d.y[(row*g.W.Out+s.at+j)*g.F+f:]
				to := dw[((at.tap+p)*g.W.Kernel+s.tap)*d.c*d.f:]
				for q := range s.n {
					sumPixels(to[q*d.c*d.f:], d.f, x[q*d.w.element*g.C:], s.next*g.C, 1, dy, g.F, d.c, d.of, min(now, s.count-j), d.f, nil, nil)
				}
			}
		}
	}
}

// ownFilterRow is filterRow for filters of one channel each. All rows of the window see the same of dy, which stays in the first-level cache
// for them: as many channels of it as have room.
func (d *depthwise[T]) ownFilterRow(dw []T, row int) {
	const room, vector = 2048, 16
	g := &d.g
	at := d.h.first[row%g.H.Out]
	first := (row/g.H.Out*g.H.In + at.element) * g.W.In
	for i := range d.strips {
		s := &d.strips[i]
		if s.n == 0 {
			continue
		}
		now := max(room/s.count/vector, 1) * vector
		for c := 0; c < g.C; c += now {
			n := min(now, g.C-c)
			for p := range at.n {
				var soon, then *T
				if s.count > 1 && row%g.H.Out < len(d.soon) {
					soon, then = d.soonSummed(row, p, s.count, c)
				}
				sumPixels(dw[((at.tap+p)*g.W.Kernel+s.tap)*g.C+c:], g.C, d.x[(first+p*d.h.element*g.W.In+s.element)*g.C+c:], s.next*g.C, d.w.element*g.C,
					d.y[(row*g.W.Out+s.at)*g.C+c:], g.C, s.n, d.of, s.count, n, soon, then)
			}
		}
	}
}

// soonSummed returns two of the places at which begins what the next row of dy, and of images what that sees besides, have for count pixels
// from channel c on: others for each row p of the window. It is dealt out in equal stretches: one of dy, and as many of images as these
// have pixels for one of dy.
func (d *depthwise[T]) soonSummed(row, p, count, c int) (soon, then *T) {
	g := &d.g
	rows := d.soon[row%g.H.Out]
	stretch := func(i int) *T {
		if i == 0 {
			return &d.y[(row+1)*g.W.Out*g.C+count*c]
		}
		i--
		if i >= len(rows)*g.W.Stride {
			return nil
		}
		first := (row/g.H.Out*g.H.In+d.h.first[row%g.H.Out].element)*g.W.In*g.C + rows[i/g.W.Stride]/int(unsafe.Sizeof(T(0)))
		return &d.x[min(first+i%g.W.Stride*g.W.Out*g.C+count*c, len(d.x)-1)] // stretches may reach beyond the last row
	}
	soon, then = stretch(2*p), stretch(2*p+1)
	if then == nil {
		then = soon
	}
	return soon, then
}
