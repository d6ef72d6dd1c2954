package kernel

import (
	"math"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

const (
	// columnWidth is how many packs a block works on side by side where its threads share rows: four lines of memory.
	columnWidth = 32
	// fewRows is up to how many rows are left to one thread without asking how many threads there are.
	fewRows = 8
	// threadRows is the least number of rows that a thread of a part adds up, so that parts are worth a second kernel.
	threadRows = 16
)

// columns sums the rows of operand 0 of a step, which v sees with channels last, and divides the sums by divisor.
func (b *Builder) columns(s *graph.Step, v view, divisor float64) []Command {
	x, y, dt := s.In[0], s.Out[0], s.Out[0].Dtype
	pack := packOf(int(v.Channels), x, y)
	width, block, parts := b.columnTile(v, pack)
	d := storage{}.as("SX", x)
	if parts == 1 {
		return []Command{columnSums(dt, d.as("SY", y), Out(0), In(0), v, pack, width, block, 1, divisor)}
	}
	partial := b.Scratch(parts * v.sums() * int64(dt.Size()))
	rest := view{1, parts, v.sums(), 1}
	wide := packOf(int(v.sums()), &graph.Value{Dtype: dt})
	restWidth, restBlock := sharedRows(rest, wide)
	return []Command{columnSums(dt, d, partial, In(0), v, pack, width, block, parts, 1),
		columnSums(dt, storage{}.as("SY", y), Out(0), partial, rest, wide, restWidth, restBlock, 1, divisor)}
}

// columnTile says how many packs a block works on side by side, how many threads it has, and into how many parts the rows are cut.
func (b *Builder) columnTile(v view, pack int) (width, block int, parts int64) {
	packs, multiprocessors := int(v.Channels)/pack, int64(max(b.Multiprocessors, 1))
	if v.Outer <= fewRows || v.Outer <= 8*fewRows && v.Batch*int64(packs) >= threads/2*multiprocessors {
		width = ceilDiv(packs, ceilDiv(packs, threads))
		return width, ceilDiv(width, 32) * 32, 1
	}
	width, block = sharedRows(v, pack)
	blocks := v.Batch * int64(ceilDiv(packs, width))
	parts = min(ceilDiv(4*multiprocessors, blocks), v.Outer/int64(threadRows*(block/width)), mostParts)
	size := ceilDiv(v.Outer, max(parts, 1))
	return width, block, ceilDiv(v.Outer, size) // which may be fewer
}

// sharedRows is a block whose threads share rows.
func sharedRows(v view, pack int) (width, block int) {
	packs := int(v.Channels) / pack
	width = ceilDiv(packs, ceilDiv(packs, columnWidth))
	return width, min(threads, ceilDiv(width*int(min(v.Outer, threads)), 32)*32)
}

func columnSums(dt tensor.Dtype, d storage, y, x Pointer, v view, pack, width, block int, parts int64, divisor float64) *Launch {
	grid := Dim3{X: int(v.Batch) * ceilDiv(int(v.Channels)/pack, width), Y: int(parts)}
	return &Launch{Source: File("columns.cu", dt, d.pack(pack)...), Name: "column_sums", Grid: grid, Block: Dim3{X: block},
		Args: []any{y, x, v.Outer, ceilDiv(v.Outer, parts), int32(v.Channels), int32(width), number(dt, divisor)}}
}

// columnSpread writes operand 0 of a step, batch × channels, divided by divisor, to every row of its channels.
func (b *Builder) columnSpread(s *graph.Step, v view, divisor float64) []Command {
	x, y := s.In[0], s.Out[0]
	pack := packOf(int(v.Channels), x, y)
	d, n := storage{}.as("SX", x).as("SY", y), y.Len()/pack
	grid, block := b.Each(n)
	return []Command{&Launch{Source: File("columns.cu", y.Dtype, d.pack(pack)...), Name: "column_spread", Grid: grid, Block: block,
		Args: []any{Out(0), In(0), structOf(divideBy(int(v.Channels) / pack)), structOf(divideBy(int(v.Outer))), number(y.Dtype, divisor), int64(n)}}}
}

// hasColumns says whether a view is one of rows of channels that fits the kernels of columns.cu.
func (v view) hasColumns() bool {
	return v.Inner == 1 && v.Channels <= math.MaxInt32 && v.Batch*v.Channels <= math.MaxInt32
}
