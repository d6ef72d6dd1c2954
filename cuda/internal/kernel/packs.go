package kernel

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

// packing is how the kernels of packs.cuh see a tensor by channel: so many neighbours at a time, and that view of packs.
type packing struct {
	view    view
	vec     int64
	rows    bool
	defines []string
}

// images are the operands of a step that lie in memory as packs, by the names that packs.cuh has for their types.
type images map[string]*graph.Value

// narrow are the definitions for those that are narrow. If all are, so are the types that the step has not, that there be few texts.
func (of images) narrow() (d storage) {
	all := len(of) > 0
	for _, v := range of {
		all = all && v.Narrow
	}
	for _, name := range []string{"SX", "SY", "SZ", "SDX", "SDY", "SDZ"} {
		if v := of[name]; v != nil && v.Narrow || all {
			d = append(d, name+" bf16")
		}
	}
	return d
}

// packed decides how many neighbours make a pack: as many as the widest access takes of the smallest elements, if the channels, or the
// elements of a channel where these follow each other, can be divided so.
func packed(dt tensor.Dtype, v view, of images) packing {
	return packedBy(widest/int64(of.smallest(dt)), v, of)
}

// widest is how many bytes an access to memory takes at most.
const widest = 16

// smallest is the size of an element of the images, the smallest of them.
func (of images) smallest(dt tensor.Dtype) int {
	if len(of.narrow()) > 0 {
		return 2
	}
	return int(dt.Size())
}

// packedBy makes packs of up to so many neighbours.
func packedBy(most int64, v view, of images) packing {
	narrow := of.narrow()
	p := packing{view: v, vec: most, rows: v.Inner != 1}
	if v.count() == 0 { // there is nothing to read
		p.view.Outer, p.view.Inner, p.rows = 0, 1, false
	}
	along := &p.view.Channels
	if p.rows {
		along = &p.view.Inner
	}
	for *along%p.vec != 0 {
		p.vec /= 2
	}
	*along /= p.vec
	switch p.vec {
	case 8:
		p.defines = append(p.defines, "VEC 8")
	case 4:
		p.defines = append(p.defines, "VEC 4")
	case 2:
		p.defines = append(p.defines, "VEC 2")
	}
	if p.rows {
		p.defines = append(p.defines, "ROWS")
	}
	p.defines = append(p.defines, narrow...)
	return p
}

// arg is struct Packs of packs.cuh.
func (p packing) arg() Bytes {
	return structOf(struct {
		Outer           int64
		Channels, Inner divisor
	}{p.view.Outer, divideBy(int(p.view.Channels)), divideBy(int(p.view.Inner))})
}

const (
	// unroll is how many packs a thread reads at once, at most: UNROLL of packs.cuh.
	unroll = 4
	// sumWidth is the most packs of channels that a block that sums works on side by side: those that a warp reads at once.
	sumWidth = 32
	// few is up to how many packs of a channel, channels last, are one part: blocks of fewWidth packs of channels, the narrowest that read
	// whole pieces of memory, have them soon enough. For sums of two images it is fewOfTwo: each is what was faster on an H200.
	few, fewOfTwo, fewWidth = 1024, 256, 4
	// The last block of a channel reads what joinShare of the bytes are that it read before, for what the parts say, or leastJoin if that is
	// more, and never more than mostJoin: nothing else runs meanwhile.
	joinShare, leastJoin, mostJoin = 6, 24 << 10, 128 << 10
)

// summing is the sums of packs, cut into parts.
type summing struct {
	packing
	sharing
	grid, block Dim3
	size        int32 // packs of a part
	width       int32 // packs of channels of a block
}

func (s summing) parts() int64 { return int64(max(s.grid.Y, 1)) }

// lanes is LANES of packs.cuh.
func (p packing) lanes() int64 {
	if p.rows {
		return 1
	}
	return p.vec
}

// summing makes as many parts as a sharing says, unless a thread then had less to do than it reads at once. Blocks work on as many
// packs of channels side by side as a warp reads at once, or on fewer where so many parts of so many channels took long to put together.
func (b *Builder) summing(p packing, few int64, h sharing) summing {
	v, n, width := p.view, max(p.view.count(), 1), int64(1)
	if !p.rows {
		width = ceilDiv(v.Channels, ceilDiv(v.Channels, sumWidth))
		if n <= few {
			width = min(v.Channels, fewWidth)
		}
	}
	for {
		s := b.summingBy(p, h, n, width, few)
		share := n * v.Channels * packBytes / (s.parts() * int64(s.grid.X)) / joinShare
		join := s.parts() * width * s.lanes() * 12 // three float32 of a channel
		if width <= fewWidth || join <= min(max(share, leastJoin), mostJoin) {
			return s
		}
		width = max(ceilDiv(width, 2), fewWidth)
	}
}

// summingBy makes the parts for blocks of a width: one of up to so few packs.
func (b *Builder) summingBy(p packing, h sharing, n, width, few int64) summing {
	const mostSize = 1 << 30
	block := int64(threads)
	if small := n * width; small < threads {
		block = ceilDiv(small, 32) * 32
	}
	subs, tiles := block/width, ceilDiv(p.view.Channels, width)
	parts := min(h.blocks*h.waves*int64(max(b.Multiprocessors, 1))/tiles, n/(unroll*subs), mostParts)
	if n <= few && !p.rows {
		parts = 1
	}
	parts = max(parts, 1, ceilDiv(n, mostSize))
	size := ceilDiv(ceilDiv(n, parts), subs) * subs
	return summing{p, h, Dim3{X: int(tiles), Y: int(ceilDiv(n, size))}, Dim3{X: int(block)}, int32(size), int32(width)}
}

// joining reserves what the blocks of a channel need to put their parts together: memory for so many sums of each, and a counter.
func (b *Builder) joining(s summing, sums int64, dt tensor.Dtype) (partial, counters Pointer) {
	parts, tiles := s.parts(), int64(s.grid.X)
	if parts == 1 {
		parts, tiles = 0, 0
	}
	return b.Scratch(sums * parts * s.view.Channels * s.lanes() * int64(dt.Size())), b.Counters(tiles)
}

// launch launches a kernel that writes sums of parts. Its last arguments say which.
func (s summing) launch(file, name string, dt tensor.Dtype, args ...any) *Launch {
	return &Launch{Source: File(file, dt, append(s.sharing.defines(), s.packing.defines...)...), Name: name, Grid: s.grid, Block: s.block,
		Args: append(args, s.arg(), s.size, s.width)}
}

// eachChannel launches a kernel of channel.cu or channel_grad.cu over all packs of a view, which is its last argument.
func (b *Builder) eachChannel(file, name string, dt tensor.Dtype, p packing, args ...any) *Launch {
	l := &Launch{Source: File(file, dt, p.defines...), Name: name, Args: append(args, p.arg())}
	v, multiprocessors := p.view, int64(max(b.Multiprocessors, 1))
	most := 16 * multiprocessors
	if !p.rows {
		n := v.Outer * v.Channels
		blocks := min(max(ceilDiv(n, threads*unroll), min(ceilDiv(n, threads), 2*multiprocessors)), most)
		l.Grid.X = int(max(blocks, ceilDiv(v.Channels, threads), 1)) // a thread a pack of channels at least
		l.Block.X = threads
		return l
	}
	wide := int64(1)
	for wide < threads && wide*unroll < v.Inner {
		wide *= 2
	}
	l.Block = Dim3{X: int(wide), Y: int(threads / wide)}
	l.Grid.X = int(min(ceilDiv(v.Outer*v.Channels, int64(l.Block.Y)), most))
	l.Grid.Y = int(min(ceilDiv(v.Inner, wide*unroll), ceilDiv(most, int64(l.Grid.X))))
	return l
}
