package kernel

import "gorgonia.org/tensor"

const (
	tileRows     = 64        // rows and columns of the tiles of tile.cuh
	tileDepth    = 16        // products at a time
	shortestPart = 8         // times tileDepth: parts of sums that are shorter do not pay
	mostScratch  = 256 << 20 // bytes of working memory for parts of sums
)

// cut is how the work of a product of rows×columns results is cut into blocks: a tile each, and each sum of products in parts.
type cut struct {
	rows, columns, products, depth int
	down, across, parts            int
}

// cut cuts so that the device is busy even where there are few tiles: then sums are cut too, into parts of fixed places, so
// that every run adds in the same order. results is the number of elements of all that is computed.
func (b *Builder) cut(dt tensor.Dtype, rows, columns, products, batch, results int) cut {
	c := cut{rows: rows, columns: columns, products: products, depth: products, parts: 1, down: ceilDiv(rows, tileRows), across: ceilDiv(columns, tileRows)}
	c.parts = b.parts(dt, c.down*c.across*batch, products/(shortestPart*tileDepth), results)
	if c.parts > 1 {
		c.depth = ceilDiv(ceilDiv(products, c.parts), tileDepth) * tileDepth
		c.parts = ceilDiv(products, c.depth)
	}
	return c
}

// parts is the number of parts that sums are cut into: so many that blocks times parts fill the device twice, at most most, and
// no more than their sums have working memory for.
func (b *Builder) parts(dt tensor.Dtype, blocks, most, results int) int {
	n := max(b.Multiprocessors, 1)
	if blocks >= n {
		return 1
	}
	return max(1, min(2*n/blocks, most, mostScratch/(results*int(dt.Size())), mostGridYZ))
}

func (c cut) grid(batch int) Dim3 {
	return Dim3{X: c.down * c.across, Y: c.parts, Z: min(batch, mostGridYZ)}
}

// tiles is struct Tiles of tile.cuh.
func (c cut) tiles() Bytes {
	return structOf(struct {
		Rows, Columns, Products, Depth int64
		Across                         divisor
	}{int64(c.rows), int64(c.columns), int64(c.products), int64(c.depth), divideBy(c.across)})
}

// scratch reserves memory for the parts of results.
func (c cut) scratch(b *Builder, dt tensor.Dtype, results int) Pointer {
	return b.Scratch(int64(c.parts) * int64(results) * int64(dt.Size()))
}

// splitSum adds parts of n results up. inner of them follow each other in one of the channels that the epilogue's bias has.
func (b *Builder) splitSum(dt tensor.Dtype, y, parts Pointer, count, n, inner, channels int, e epilogue) Command {
	bias, flags := e.args(y)
	return b.each("split.cu", "split_sum", dt, n, y, parts, bias, flags, int64(count), structOf(divideBy(inner)), structOf(divideBy(channels)))
}
