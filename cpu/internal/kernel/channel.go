package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// ChannelAffine is y = scale·x + shift[c]: adding a bias, the affine map of an input. See [NewBiasAdd] and
// [NewChannelAffine].
type ChannelAffine[T Float] struct {
	rows         channelRows
	loop         phase
	fixed        bool // scale and shift were given when it was prepared
	scale, shift []T
	zero         []T // the mean that is taken off first
	wide         int // positions that scale and shift of a fixed one are repeated for
	y, x         []T
}

// NewBiasAdd prepares y = x + b[c]. Run takes b.
func NewBiasAdd[T Float](p *pool.Pool, c Channels) (*ChannelAffine[T], error) {
	return newChannelAffine[T](p, c)
}

// NewChannelAffine prepares y = scale·x + shift[c]; a nil shift is 0, else it has c.C elements. Run takes no b.
func NewChannelAffine[T Float](p *pool.Pool, c Channels, scale float64, shift []float64) (*ChannelAffine[T], error) {
	k, err := newChannelAffine[T](p, c)
	if err != nil {
		return nil, err
	}
	if shift != nil && len(shift) != c.C {
		return nil, fmt.Errorf("kernel: ChannelAffine with %d shifts for %d channels", len(shift), c.C)
	}
	k.fixed = true
	if c.Inner == 1 && c.C < wideRow { // images of three channels: rows of several pixels fill the vectors
		k.wide = wideRow / c.C
		k.scale = make([]T, k.wide*c.C)
	}
	k.shift, k.zero = make([]T, len(k.scale)), make([]T, len(k.scale))
	for i := range k.scale {
		k.scale[i] = T(scale)
		if shift != nil {
			k.shift[i] = T(shift[i%c.C])
		}
	}
	return k, nil
}

// wideRow is the length of rows from which the vector loops lose little at a row's end.
const wideRow = 64

func newChannelAffine[T Float](p *pool.Pool, c Channels) (*ChannelAffine[T], error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	k := &ChannelAffine[T]{rows: channelRowsOf(c), scale: make([]T, c.C), zero: make([]T, c.C)}
	for i := range k.scale {
		k.scale[i] = 1
	}
	k.loop = newPhase(p, k.rows.parts, k.part)
	return k, nil
}

// Run computes y, which may be the memory of x. b is the bias of a BiasAdd, nil for a ChannelAffine.
func (k *ChannelAffine[T]) Run(y, x, b []T) {
	n := k.rows.Len()
	k.y, k.x = y[:n], x[:n]
	if !k.fixed {
		k.shift = b[:k.rows.C]
	}
	k.loop.run()
}

func (k *ChannelAffine[T]) part(_, part int) {
	lo, hi := k.rows.bounds(part)
	if k.rows.Inner == 1 {
		c := k.rows.C
		y, x := k.y[lo*c:hi*c], k.x[lo*c:hi*c]
		if k.wide > 0 {
			n := len(x) / len(k.scale) * len(k.scale)
			scaleShiftRows(y[:n], x[:n], nil, k.zero, k.scale, k.shift, false)
			y, x = y[n:], x[n:]
		}
		scaleShiftRows(y, x, nil, k.zero[:c], k.scale[:c], k.shift[:c], false)
		return
	}
	for r := lo; r < hi; r++ {
		y, x := rowOf(&k.rows, k.y, r), rowOf(&k.rows, k.x, r)
		ch := r % k.rows.C
		scaleShift(y, x, 0, k.scale[ch], k.shift[ch], false)
	}
}

// channelRows cuts an array with a channel axis into contiguous rows and these into parts. With the channels last, a
// row is one position with all its channels; otherwise it is the Inner run of one channel.
type channelRows struct {
	Channels
	split
}

func channelRowsOf(c Channels) channelRows {
	if c.Inner == 1 {
		return channelRows{c, splitBy(c.Outer, c.C)}
	}
	return channelRows{c, splitBy(c.Outer*c.C, c.Inner)}
}

// rowOf returns the run of elements of row r when the channels are not last.
func rowOf[T Float](c *channelRows, x []T, r int) []T { return x[r*c.Inner : (r+1)*c.Inner] }

// BiasGrad is db[c] = Σ dy over all other axes: see [NewBiasGrad].
type BiasGrad[T Float] struct {
	Scratch[T]
	c       Channels
	work    split // rows of positions, or channels when they are not last
	loop    phase
	partial area[T] // a row of C sums for each part, then one more for the run of rows under way
	db, dy  []T
}

// sumParts bounds the number of partial sums of a channel sum, and sumGrain is the least number of elements of each:
// enough for many workers, little to add up.
const (
	sumParts = 32
	sumGrain = 4 * grain
)

// NewBiasGrad prepares the sum over all axes but the channels.
func NewBiasGrad[T Float](p *pool.Pool, c Channels) (*BiasGrad[T], error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	k := &BiasGrad[T]{c: c}
	if c.Inner == 1 {
		k.work = sumSplit(c.Outer, c.C)
		k.partial = k.reserve(2 * k.work.parts * c.C)
		k.loop = newPhase(p, k.work.parts, k.rowsPart)
	} else {
		k.work = splitBy(c.C, c.Rows())
		k.loop = newPhase(p, k.work.parts, k.channelsPart)
	}
	return k, nil
}

// sumSplit cuts rows of c elements into blocks of partial sums.
func sumSplit(rows, c int) split {
	return splitInto(rows, min(sumParts, (rows*c+sumGrain-1)/sumGrain))
}

// Run computes db (C elements) from dy.
func (k *BiasGrad[T]) Run(db, dy []T) {
	k.db, k.dy = db[:k.c.C], dy[:k.c.Len()]
	k.loop.run()
	if k.c.Inner == 1 {
		sumPartials(k.db, k.partial.of(&k.Scratch), k.work.parts)
	}
}

func (k *BiasGrad[T]) rowsPart(_, part int) {
	lo, hi := k.work.bounds(part)
	c, rows := k.c.C, k.work.parts
	m := k.partial.of(&k.Scratch)
	sums, run := m[part*c:(part+1)*c], m[(rows+part)*c:(rows+part+1)*c]
	clear(sums)
	for r := lo; r < hi; r += sumRun {
		clear(run)
		columnSums(run, k.dy[r*c:min(r+sumRun, hi)*c])
		add(sums, sums, run)
	}
}

func (k *BiasGrad[T]) channelsPart(_, part int) {
	lo, hi := k.work.bounds(part)
	for ch := lo; ch < hi; ch++ {
		var s float64
		for o := range k.c.Outer {
			s += sum(k.dy[(o*k.c.C+ch)*k.c.Inner:][:k.c.Inner])
		}
		k.db[ch] = T(s)
	}
}

// sumPartials adds parts rows of partial sums, in order, in float64.
func sumPartials[T Float](dst, partial []T, parts int) {
	for lo := 0; lo < len(dst); lo += joinBlock {
		var s [joinBlock]float64
		to := dst[lo:min(lo+joinBlock, len(dst))]
		for p := range parts {
			for i, v := range partial[p*len(dst)+lo:][:len(to)] {
				s[i] += float64(v)
			}
		}
		for i := range to {
			to[i] = T(s[i])
		}
	}
}
