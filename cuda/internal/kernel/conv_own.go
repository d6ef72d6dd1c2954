package kernel

import (
	"math/bits"

	"github.com/stheno-ml/stheno/internal/shape"
)

// Groups of fewer channels than this on the side of the results leave most of a tile empty.
const (
	fewColumns  = tileRows / 2
	fewFilters  = tileRows / 4 // for the filter's gradient, whose direct kernel reads its operands once for every row
	shortPixels = 1024         // pixels that a block of direct_filter adds at least
)

// ownConvolution computes a pass with our kernels, which know no part of a filter but taps that follow each other.
func (b *Builder) ownConvolution(c convolution) []Command {
	of, clear := c.alone()
	return append(clear, b.ownPass(of)...)
}

func (b *Builder) ownPass(c convolution) []Command {
	g, grouped := c.g, c.g.Groups > 1
	cin, cout, taps := g.C/g.Groups, g.F/g.Groups, g.H.Kernel*g.W.Kernel
	switch c.pass {
	case Forward:
		if grouped && cout < fewColumns {
			bias, flags := c.epilogue.args(c.y)
			return []Command{b.direct(c, "direct_forward", g.F, g.N*g.H.Out*g.W.Out, c.y, c.x, c.w, bias, flags)}
		}
		inner := 1
		if g.Format == shape.NCHW {
			inner = g.H.Out * g.W.Out
		}
		return b.tiledConvolution(c, "conv_forward", g.N*g.H.Out*g.W.Out, cout, taps*cin, g.N*g.H.Out*g.W.Out*g.F, inner)
	case BackwardInput:
		if grouped && cin < fewColumns {
			return []Command{b.direct(c, "direct_input", g.C, g.N*g.H.In*g.W.In, c.x, c.y, c.w)}
		}
		return b.tiledConvolution(c, "conv_input", g.N*g.H.In*g.W.In, cin, taps*cout, g.N*g.H.In*g.W.In*g.C, 1)
	}
	if grouped && cout < fewFilters {
		return b.directFilter(c)
	}
	return b.tiledConvolution(c, "conv_filter", taps*cin, cout, g.N*g.H.Out*g.W.Out, taps*cin*g.F, 1)
}

// tiledConvolution is a kernel of conv.cu: a product of rows×columns results for each group, results elements in all.
func (b *Builder) tiledConvolution(c convolution, name string, rows, columns, products, results, inner int) []Command {
	k := b.cut(c.dt, rows, columns, products, c.g.Groups, results)
	out, in := c.y, []any{c.x, c.w}
	switch c.pass {
	case BackwardInput:
		out, in = c.x, []any{c.y, c.w}
	case BackwardFilter:
		out, in = c.w, []any{c.x, c.y}
	}
	to, e := out, c.epilogue
	if k.parts > 1 {
		to, e = k.scratch(b, c.dt, results), epilogue{} // the sum of the parts has the epilogue
	}
	args := append([]any{to}, in...)
	if c.pass == Forward {
		bias, flags := e.args(out)
		args = append(args, bias, flags)
	}
	l := &Launch{Source: b.source(c.dt, "conv.cuh", "conv.cu"), Name: name, Grid: k.grid(c.g.Groups), Block: Dim3{X: threads},
		Args: append(args, k.tiles(), c.geometry())}
	if k.parts == 1 {
		return []Command{l}
	}
	return []Command{l, b.splitSum(c.dt, out, to, k.parts, results, inner, c.g.F, c.epilogue)}
}

// direct is a kernel of conv_direct.cu with a thread for each result.
func (b *Builder) direct(c convolution, name string, channels, pixels int, args ...any) Command {
	block := directBlock(channels)
	return &Launch{Source: b.source(c.dt, "conv.cuh", "conv_direct.cu"), Name: name, Block: block,
		Grid: Dim3{X: ceilDiv(channels, block.X), Y: min(ceilDiv(pixels, block.Y), mostGridYZ)}, Args: append(args, c.geometry())}
}

// directBlock is a block of 256 threads, up to 32 of them along the channels.
func directBlock(channels int) Dim3 {
	x := min(1<<bits.Len(uint(channels-1)), 32)
	return Dim3{X: x, Y: threads / x}
}

func (b *Builder) directFilter(c convolution) []Command {
	g, block := c.g, directBlock(c.g.F)
	rows, pixels := g.H.Kernel*g.W.Kernel*g.C/g.Groups, g.N*g.H.Out*g.W.Out
	results := rows * g.F
	grid := Dim3{X: ceilDiv(g.F, block.X), Y: min(rows, mostGridYZ)}
	parts := b.parts(c.dt, grid.X*grid.Y, pixels/shortPixels, results)
	depth := max(ceilDiv(pixels, parts), 1)
	parts = max(ceilDiv(pixels, depth), 1)
	grid.Z = parts
	l := &Launch{Source: b.source(c.dt, "conv.cuh", "conv_direct.cu"), Name: "direct_filter", Grid: grid, Block: block}
	to := c.w
	if parts > 1 {
		to = b.Scratch(int64(parts) * int64(results) * int64(c.dt.Size()))
	}
	l.Args = []any{to, c.x, c.y, int64(depth), c.geometry()}
	if parts == 1 {
		return []Command{l}
	}
	return []Command{l, b.splitSum(c.dt, c.w, to, parts, results, 1, g.F, epilogue{})}
}

// geometry is struct Conv of conv.cuh.
func (c convolution) geometry() Bytes {
	g := c.g
	xSize, ySize := g.H.In*g.W.In, g.H.Out*g.W.Out
	steps := [6]int64{int64(xSize * g.C), int64(g.C), 1, int64(ySize * g.F), int64(g.F), 1} // image, pixel, channel of x and of y
	if g.Format == shape.NCHW {
		steps[1], steps[2], steps[4], steps[5] = 1, int64(xSize), 1, int64(ySize)
	}
	return structOf(struct {
		Inputs, Outputs           int64
		Steps                     [6]int64
		XSize, XWidth             divisor
		YSize, YWidth             divisor
		Cin, Cout, KernelWidth    divisor
		StrideH, StrideW          divisor
		H, W, OH, OW, KernelH     int32
		DilationH, DilationW      int32
		Top, Left, Groups, F, Pad int32
	}{
		Inputs: int64(g.N * xSize), Outputs: int64(g.N * ySize), Steps: steps,
		XSize: divideBy(xSize), XWidth: divideBy(g.W.In), YSize: divideBy(ySize), YWidth: divideBy(g.W.Out),
		Cin: divideBy(g.C / g.Groups), Cout: divideBy(g.F / g.Groups), KernelWidth: divideBy(g.W.Kernel),
		StrideH: divideBy(g.H.Stride), StrideW: divideBy(g.W.Stride),
		H: int32(g.H.In), W: int32(g.W.In), OH: int32(g.H.Out), OW: int32(g.W.Out), KernelH: int32(g.H.Kernel),
		DilationH: int32(g.H.Dilation), DilationW: int32(g.W.Dilation), Top: int32(g.H.Before), Left: int32(g.W.Before),
		Groups: int32(g.Groups), F: int32(g.F),
	})
}
