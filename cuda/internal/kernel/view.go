package kernel

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// view is struct View of view.cuh: batch × outer × channels × inner elements, where outer × inner of them belong to a channel.
type view struct{ Batch, Outer, Channels, Inner int64 }

// channelsOf sees a tensor along an axis, negative from the end.
func channelsOf(s tensor.Shape, axis int) view {
	if axis < 0 {
		axis += len(s)
	}
	return view{1, int64(op.Len(s[:axis])), int64(s[axis]), int64(op.Len(s[axis+1:]))}
}

// rowsOf is n rows of equally many elements that lie together.
func rowsOf(n, elements int) view { return view{1, 1, int64(n), int64(elements / n)} }

// sums is the number of results of a reduction, count the number of elements of each.
func (v view) sums() int64  { return v.Batch * v.Channels }
func (v view) count() int64 { return v.Outer * v.Inner }

// arg is the view as an argument of a kernel.
func (v view) arg() Bytes { return structOf(v) }

// tiling is how a reduction of a view is cut: see struct Tile of view.cuh.
type tiling struct {
	grid, block Dim3
	size        int64 // elements of a part
	width       int32 // channels of a block
}

func (t tiling) parts() int64 { return int64(max(t.grid.Y, 1)) }

const (
	// tileWidth is the most channels that a block works on side by side: two lines of memory of float32.
	tileWidth = 64
	// mostParts bounds the partial sums of one sum.
	mostParts = 1024
	// partElements is the least number of elements that a thread of a part adds up, so that parts are worth a second kernel.
	partElements = 16
)

// tile cuts a reduction. parts is the most parts that it may have, 0 for as many as fill the device.
func (b *Builder) tile(v view, parts int64) tiling {
	width := int64(1)
	if v.Inner == 1 && v.Channels > 1 {
		width = ceilDiv(v.Channels, ceilDiv(v.Channels, tileWidth))
	}
	n := v.count()
	block := threads
	if small := max(n, 1) * width; small < threads {
		block = int(ceilDiv(small, 32) * 32)
	}
	blocks := v.Batch * ceilDiv(v.Channels, width)
	if parts == 0 {
		parts = min(ceilDiv(8*int64(max(b.Multiprocessors, 1)), blocks), n/(partElements*(int64(block)/width)), mostParts)
	}
	size := ceilDiv(max(n, 1), max(parts, 1))
	return tiling{grid: Dim3{X: int(blocks), Y: int(ceilDiv(max(n, 1), size))}, block: Dim3{X: block}, size: size, width: int32(width)}
}
