package kernel

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// Packed is a filter in the order in which cuDNN reads it: (filters, taps, padded), where Keras's is (taps, channels, filters). A
// program keeps those of its inputs, made at the beginning of a run; so all of them are one launch, and the passes of a layer share one.
type Packed struct {
	Of      *graph.Value // nil for one that only its step knows
	Dtype   tensor.Dtype
	Rounded bool // to bfloat16

	Taps, Channels, Padded, Filters int
	Part                            Part // which taps of the value, if not all

	Pixels Pixels // if it is expanded: (output pixels, filters, input pixels, channels), where Taps are the pairs of pixels
}

// Bytes is the memory that the packed filter takes.
func (p Packed) Bytes() int64 {
	size := int64(p.Dtype.Size())
	if p.Rounded {
		size = 2
	}
	return size * int64(p.Taps) * int64(p.Padded) * int64(p.Filters)
}

// packedOf is the packed filter of a convolution with so many channels, those of the group and those that are added.
func (c convolution) packedOf(of *graph.Value, padded int, rounded bool) Packed {
	g := c.g
	if p := c.pixels; p.expanded() {
		in, out := p.H.In*p.W.In, p.H.Out*p.W.Out
		return Packed{Of: of, Dtype: c.dt, Rounded: rounded, Taps: in * out, Channels: g.C / in, Padded: g.C / in, Filters: g.F / out, Pixels: p}
	}
	return Packed{Of: of, Dtype: c.dt, Rounded: rounded, Taps: g.H.Kernel * g.W.Kernel, Channels: g.C / g.Groups, Padded: padded, Filters: g.F, Part: c.part}
}

// pack asks for a packed filter, which the program makes in front of the steps. ok is false for what is no input: a step computes it.
func (b *Builder) pack(p Packed) (at Pointer, ok bool) {
	if v := p.Of; v == nil || v.Alias != nil || v.Where != graph.External || !v.Input && v.Const == nil {
		return Pointer{}, false
	}
	for i, q := range b.Packs {
		if p == q {
			return Pointer{Base: PackBase, Index: i}, true
		}
	}
	b.Packs = append(b.Packs, p)
	return Pointer{Base: PackBase, Index: len(b.Packs) - 1}, true
}

// laid is a filter as p says: the program makes it, or from before on the step, of what lies at wide.
func (b *Builder) laid(p Packed, wide Pointer, before *[]Command) Pointer {
	if at, ok := b.pack(p); ok {
		return at
	}
	to := b.Scratch(p.Bytes())
	*before = append(*before, b.packing(p, wide, to))
	return to
}

const (
	mostPacked = 85 // MOST of pack.cu
	packSide   = 32 // SIDE of filters.cuh
	packDown   = 8  // DOWN of filters.cuh
)

// PackedAt is a filter in both orders, with its addresses.
type PackedAt struct {
	Packed
	Wide, At Address
}

// PackLaunches are the launches that pack filters, those of one kind together: of an element type, rounded or not, expanded or not.
func PackLaunches(list []PackedAt) []Resolved {
	type kind struct {
		Dtype             tensor.Dtype
		rounded, expanded bool
	}
	var kinds []kind
	of := map[kind][]PackedAt{}
	for _, p := range list {
		k := kind{p.Dtype, p.Rounded, p.Pixels.expanded()}
		if of[k] == nil {
			kinds = append(kinds, k)
		}
		of[k] = append(of[k], p)
	}
	var all []Resolved
	for _, k := range kinds {
		most := mostPacked
		if k.expanded {
			most = mostExpandedFilters
		}
		for part := range slices.Chunk(of[k], most) {
			p := part[0]
			table, blocks := tableOf(part)
			all = append(all, Resolved{Source: p.source(), Name: p.kernel(), Grid: Dim3{X: int(blocks)}, Block: Dim3{X: packSide, Y: packDown},
				Args: []any{table}})
		}
	}
	return all
}

// tableOf is the argument of a launch that packs filters of one kind, and its blocks.
func tableOf(list []PackedAt) (Bytes, int32) {
	if list[0].Pixels.expanded() {
		table, blocks := expandTableOf(list)
		return structOf(table), blocks
	}
	table, blocks := packTable{Count: int32(len(list))}, int32(0)
	for i, p := range list {
		table.Of[i] = p.entry(blocks)
		table.Of[i].Wide, table.Of[i].Packed = uint64(p.Wide), uint64(p.At)
		blocks += p.blocks()
	}
	return structOf(table), blocks
}

// packEntry is struct Filter of pack.cu, packTable struct Filters.
type packEntry struct {
	Wide, Packed                    uint64
	Taps, Channels, Padded, Filters int32
	Tap, Columns, Row, First        int32
}

type packTable struct {
	Of         [mostPacked]packEntry
	Count, Pad int32
}

func (p Packed) source() Source {
	var d storage
	if p.Rounded {
		d = append(d, "S bf16")
	}
	return File(p.kernel()+".cu", p.Dtype, d...)
}

// kernel is that which packs it.
func (p Packed) kernel() string {
	if p.Pixels.expanded() {
		return "expand"
	}
	return "pack"
}

func (p Packed) entry(first int32) packEntry {
	e := packEntry{Taps: int32(p.Taps), Channels: int32(p.Channels), Padded: int32(p.Padded), Filters: int32(p.Filters), First: first}
	if e.Columns, e.Row = e.Taps, e.Taps; p.Part.cut() {
		e.Tap, e.Columns, e.Row = int32(p.Part.First), int32(p.Part.Columns), int32(p.Part.Row)
	}
	return e
}

// blocks are those of a launch that packs the filter.
func (p Packed) blocks() int32 { return p.blocksOf(p.Taps) }

// blocksOf are those of a launch for so many taps.
func (p Packed) blocksOf(taps int) int32 {
	return int32(ceilDiv(taps*p.Padded, packSide) * ceilDiv(p.Filters, packSide))
}

// packing packs one filter of a step. The addresses in its table are filled in as those of pointers are.
func (b *Builder) packing(p Packed, wide, packed Pointer) *Launch {
	table, blocks := tableOf([]PackedAt{{Packed: p}})
	return &Launch{Source: p.source(), Name: p.kernel(), Grid: Dim3{X: int(blocks)}, Block: Dim3{X: packSide, Y: packDown},
		Args: []any{Table{Bytes: table, At: []Pointer{wide, packed}}}}
}

// unpacking turns the gradient of a filter around, and writes zeros for taps that the packed one does not have.
func (b *Builder) unpacking(p Packed, wide, packed Pointer) *Launch {
	table, _ := tableOf([]PackedAt{{Packed: p}})
	return &Launch{Source: p.source(), Name: "unpack", Grid: Dim3{X: int(p.blocksOf(p.allTaps()))}, Block: Dim3{X: packSide, Y: packDown},
		Args: []any{Table{Bytes: table, At: []Pointer{wide, packed}}, int32(p.allTaps())}}
}

// padChannels gives images further channels of zeros.
func (b *Builder) padChannels(p Packed, y, x Pointer, narrow bool, pixels, channels int) *Launch {
	defines := storage{}
	if p.Rounded {
		defines = append(defines, "S bf16")
	}
	if narrow {
		defines = append(defines, "X bf16")
	}
	defines = append(defines, fmt.Sprint("PADDED ", p.Padded))
	grid, block := b.Each(pixels)
	return &Launch{Source: File("pack.cu", p.Dtype, defines...), Name: "pad_channels", Grid: grid, Block: block,
		Args: []any{y, x, int32(channels), int64(pixels)}}
}

// toBFloat16 and fromBFloat16 convert n elements of float32.
func (b *Builder) toBFloat16(y, x Pointer, n int) Command {
	return b.convert("to_bfloat16", y, x, n)
}

func (b *Builder) fromBFloat16(y, x Pointer, n int) Command {
	return b.convert("from_bfloat16", y, x, n)
}

func (b *Builder) convert(name string, y, x Pointer, n int) Command {
	grid, block := b.Each(ceilDiv(n, 8))
	return &Launch{Source: File("bf16.cu", tensor.Float32), Name: name, Grid: grid, Block: block, Args: []any{y, x, int64(n)}}
}

// rounded is an operand as bfloat16: as it is if it is narrow, else from before on a copy.
func (b *Builder) rounded(p Pointer, narrow bool, dims tensor.Shape, before *[]Command) Pointer {
	if narrow {
		return p
	}
	n := op.Len(dims)
	to := b.Scratch(2 * int64(n))
	*before = append(*before, b.toBFloat16(to, p, n))
	return to
}

// widened is an operand as float32: as it is, or from before on a copy.
func (b *Builder) widened(p Pointer, narrow bool, dims tensor.Shape, before *[]Command) Pointer {
	if !narrow {
		return p
	}
	n := op.Len(dims)
	to := b.Scratch(4 * int64(n))
	*before = append(*before, b.fromBFloat16(to, p, n))
	return to
}
