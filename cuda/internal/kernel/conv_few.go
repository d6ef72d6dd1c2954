package kernel

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// Limits of the kernels of conv_few.cu and conv_few_filter.cu.
const (
	mostFewChannels = 7        // with eight, cuDNN has good engines
	mostFewShared   = 96 << 10 // bytes of shared memory: every device with tensor cores for bfloat16 gives a block that much
	mostFewProducts = 512      // of a result: larger filters are ordinary products
	mostFewAcross   = 16       // warps of a block that share the rows of a filter's gradient
	usualPatch      = 15 << 10 // numbers of a patch at most, if one row of results does not need more: blocks work side by side
	columnsOfEight  = 8        // columns of 8 filters that a block computes at most
	fewWarps        = 4        // of a block, if nothing asks for more
)

// fewConv is a pass of a convolution of images of few channels, as conv_few.cuh describes it.
type fewConv struct {
	convolution
	tf32    bool // factors are rounded to tf32, not to bfloat16
	columns int  // of 8 filters, of a block
	run     int  // pairs of products of a row of the filter
	warps   int
	rows    int // of results, that a block works on at a time
	pitch   int // elements of a row of the patch
}

// fewConvolution is a pass of images of few channels with tensor cores, or nothing where its kernels do not serve. They round what they
// read themselves, and leave the filter as it lies.
func (b *Builder) fewConvolution(c convolution) []Command {
	c = c.withAllTaps()
	g := c.g
	one := func(s shape.Span) bool { return s.Dilation == 1 }
	if b.Precision == FP32 || b.Capability < 80 || c.dt != tensor.Float32 || c.pass == BackwardInput || g.Format != shape.NHWC || g.Groups != 1 ||
		g.C > mostFewChannels || g.F%8 != 0 || !one(g.H) || !one(g.W) || g.N == 0 || !c.countable() {
		return nil
	}
	const most = 1 << 28
	if g.H.In*g.W.In*g.C > most || g.W.Out*g.F > most {
		return nil
	}
	f := fewConv{convolution: c, tf32: b.Precision == TF32, columns: columnsOf(g.F/8, columnsOfEight), run: ceilDiv(g.W.Kernel*g.C, 2)}
	f.pitch = (g.W.Out-1)*g.W.Stride*g.C + g.W.Kernel*g.C
	f.pitch += f.pitch % 2
	if 2*g.H.Kernel*f.run > mostFewProducts || f.columns == 0 {
		return nil
	}
	if c.pass == Forward {
		return b.fewForward(f)
	}
	return b.fewFilter(f)
}

// columnsOf is how many of n columns a block computes, at most so many, so that all blocks compute as many: 0 where that would be few of
// many.
func columnsOf(n, most int) int {
	for k := min(n, most); k >= min(n, 3); k-- {
		if n%k == 0 {
			return k
		}
	}
	return 0
}

// stepPairs is how many pairs of factors an instruction adds up, and factorBytes the size of one.
func (f fewConv) stepPairs() int {
	if f.tf32 {
		return 4
	}
	return 8
}

func (f fewConv) factorBytes() int { return 16 / f.stepPairs() }

// steps are instructions for a tile.
func (f fewConv) steps() int { return ceilDiv(f.g.H.Kernel*f.run, f.stepPairs()) }

// halves are the half steps, of 4 pairs each: in each a lane takes a pair of a place of its own.
func (f fewConv) halves() int { return f.steps() * f.stepPairs() / 4 }

// patch is the shared memory that the images take for so many rows of results: PATCH_SIZE of conv_few.cuh.
func (f fewConv) patch(rows int) int {
	elements := ((rows-1)*f.g.H.Stride+f.g.H.Kernel)*f.pitch + 2*f.run + 2
	return f.factorBytes() * ceilDiv(elements, 8) * 8
}

// rowsFor decides how many rows of results a block works on at a time. The warps take so many results at once; what they leave idle
// counts, and what of the patch neighbouring blocks read as well. It is 0 where not even one row has room in shared memory.
func (f fewConv) rowsFor(atOnce, mostResults, room int) int {
	g, best, rows := f.g, 0.0, 0
	for r := 1; r <= g.H.Out; r++ {
		size, results := f.patch(r), r*g.W.Out
		if size > room || r > 1 && (size > usualPatch*f.factorBytes() || results > mostResults) {
			break
		}
		used := float64(results) / float64(ceilDiv(results, atOnce)*atOnce)
		own := float64(r*g.H.Stride) / float64((r-1)*g.H.Stride+g.H.Kernel)
		if score := used * (0.5 + own); score > best {
			best, rows = score, r
		}
	}
	return rows
}

// defines are the macros of conv_few.cuh.
func (f fewConv) defines() storage {
	g, memory := f.g, map[bool]string{false: "float", true: "bf16"}
	d := storage{"SX " + memory[f.xNarrow], "SY " + memory[f.yNarrow]}
	for _, m := range []struct {
		name  string
		value int
	}{
		{"KH", g.H.Kernel}, {"KW", g.W.Kernel}, {"SH", g.H.Stride}, {"SW", g.W.Stride}, {"C", g.C}, {"F", g.F}, {"H", g.H.In}, {"W", g.W.In},
		{"TOP", g.H.Before}, {"LEFT", g.W.Before}, {"OH", g.H.Out}, {"OW", g.W.Out}, {"ROWS", f.rows}, {"PITCH", f.pitch}, {"RUN", f.run},
		{"NT", f.columns}, {"WARPS", f.warps},
	} {
		d = append(d, fmt.Sprint(m.name, " ", m.value))
	}
	if f.tf32 {
		d = append(d, "TF32")
	}
	return d
}

// grid lets so many blocks run on each multiprocessor, which take equal shares of the rows of results: of `least` results or more, so
// that all their warps have something to do.
func (f fewConv) grid(b *Builder, perMultiprocessor, shared, least int) Dim3 {
	y, rows := f.g.F/(8*f.columns), f.g.N*f.g.H.Out
	blocks := max(b.Multiprocessors, 1) * max(min(perMultiprocessor, b.sharedMemory()/(shared+reservedShared)), 1)
	return Dim3{X: max(min(ceilDiv(blocks, y), rows/ceilDiv(least, f.g.W.Out)), 1), Y: y}
}

// reservedShared is what a block takes of a multiprocessor's shared memory besides its own.
const reservedShared = 1 << 10

// sharedMemory is that of a multiprocessor (CUDA C++ Programming Guide, "Technical Specifications per Compute Capability").
func (b *Builder) sharedMemory() int {
	switch b.Capability {
	case 80, 87:
		return 164 << 10
	case 90, 100, 103, 110:
		return 228 << 10
	}
	return 100 << 10
}

// fewForward decides how conv_few runs.
func (b *Builder) fewForward(f fewConv) []Command {
	// Rows of the filter that begin at half steps of 4 pairs make places constants. Small filters have few, which stay in registers.
	plain := f
	if f.run = ceilDiv(f.run, 4) * 4; f.steps() > plain.steps() && plain.halves() <= 8 {
		f.run = plain.run
	}
	f.warps = fewWarps
	steps, tiles, filters, sums := f.steps(), 0, 0, 0
	for {
		if tiles = 2; steps*f.columns <= 16 {
			tiles = 1
		}
		filters = steps * ceilDiv(f.columns, 2) * 2 * 64 * 4 // bytes: two registers of every lane for a column and a step
		sums = 8 * f.columns * 4                             // what they begin with
		if f.rows = f.rowsFor(16*tiles*f.warps, max(512*tiles, 4*f.g.W.Out), mostFewShared-filters-sums); f.rows > 0 {
			break
		}
		if f.columns = columnsOf(f.g.F/8, f.columns-1); f.columns == 0 { // fewer take less
			return nil
		}
	}
	d, blocks := storage{}, 4
	if tiles == 1 {
		d = append(d, "KEPT")
	}
	if f.columns <= 4 {
		blocks = 6
	}
	d = append(append(d, f.defines()...), fmt.Sprint("STEPS ", steps), fmt.Sprint("MT ", tiles), fmt.Sprint("BLOCKS ", blocks))
	shared := filters + f.patch(f.rows) + sums
	bias := f.w // which is not read
	if f.bias != nil {
		bias, d = *f.bias, append(d, "BIAS")
	}
	if f.relu {
		d = append(d, "RELU")
	}
	return []Command{&Launch{Source: File("conv_few.cu", f.dt, d...), Name: "conv_few", Grid: f.grid(b, blocks, shared, 16*tiles*f.warps), Block: Dim3{X: 32 * f.warps},
		Shared: shared, Args: []any{f.y, f.x, f.w, bias, int64(f.g.N * f.g.H.Out)}}}
}

// fewFilter decides how conv_few_filter runs, and adds the parts of its blocks up.
func (b *Builder) fewFilter(f fewConv) []Command {
	g := f.g
	across := ceilDiv(g.H.Kernel*f.run, 16)
	if across > mostFewAcross {
		return nil
	}
	deep := max(fewWarps/across, 1)
	f.warps = across * deep
	registers := max(64+8*f.columns, 96) // of a thread
	const mostResults = 512              // warps side by side read the same gradients, which are to stay in the cache
	sums := 0
	if deep > 1 {
		sums = across * 32 * 2 * f.columns * 4 * 4
	}
	if f.rows = f.rowsFor(2*f.stepPairs()*deep, mostResults, mostFewShared); f.rows == 0 {
		return nil
	}
	shared, blocks := max(f.patch(f.rows), sums), max(65536/(registers*32*f.warps), 1)
	grid := f.grid(b, blocks, shared, 128*deep) // every block writes a part of the whole gradient
	n := g.H.Kernel * g.W.Kernel * g.C * g.F
	grid.X = max(min(grid.X, mostScratch/(4*n)), 1)
	parts := b.Scratch(4 * int64(grid.X) * int64(n))
	d := append(f.defines(), fmt.Sprint("ACROSS ", across), fmt.Sprint("BLOCKS ", blocks))
	source := File("conv_few_filter.cu", f.dt, d...)
	const joined = 8 // JOINED of join_parts.cuh
	return []Command{
		&Launch{Source: source, Name: "conv_few_filter", Grid: grid, Block: Dim3{X: 32 * f.warps}, Shared: shared,
			Args: []any{parts, f.x, f.y, int64(g.N * g.H.Out)}},
		&Launch{Source: source, Name: "conv_few_join", Grid: Dim3{X: ceilDiv(n, joined)}, Block: Dim3{X: threads},
			Args: []any{f.w, parts, int32(grid.X), int64(n)}},
	}
}
