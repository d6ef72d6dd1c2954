package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gemmBF16 emits the tiles of gemmAVX512 over pairs: an element of A and of B is two bfloat16 that follow each other along the
// depth. C and all that is done to it are float32.
func gemmBF16(ctx float) {
	peak(ctx, "BF16", ctx.ZMM, func(x, y, acc reg.Register) { ctx.VDPBF16PS(x, y, acc) })
	tilesAVX512(ctx, "BF16", func(r *tileRegs, k *kernel, b []reg.VecVirtual, x reg.VecVirtual, u int) {
		for v := range k.acc[0] {
			ctx.VMOVUPS(r.rowB(u, v*64), b[v])
		}
		for row := range k.height {
			ctx.VBROADCAST(r.rowA(row, u), x)
			for v := range k.acc[row] {
				ctx.VDPBF16PS(b[v], x, k.acc[row][v])
			}
		}
	})
	roundRows(ctx)
	foldRows(ctx)
}

// rounder is what both roundings have: rows of blocks of 32 columns and a masked tail.
type rounder struct {
	float
	dst, ldd, src, lds, whole reg.GPVirtual
	from, to                  reg.GPVirtual // in the row under way
	low, high                 reg.OpmaskVirtual
}

// begin opens a function whose arguments begin with those of every rounding; more are between rows and whole.
func (r *rounder) begin(name, more, doc string) {
	r.Function(name)
	r.Attributes(nosplit)
	r.SignatureExpr("func(dst *float32, ldd uintptr, src *float32, lds uintptr, " + more + ", whole uintptr, tail uint64)")
	r.Doc(doc + " Strides are in bytes; a row has 32·whole columns and one for each bit of tail.")
	r.Pragma("noescape")
	r.dst, r.ldd, r.src, r.lds, r.whole = r.gp("dst"), r.gp("ldd"), r.gp("src"), r.gp("lds"), r.gp("whole")
	r.from, r.to = r.GP64(), r.GP64()
}

func (r *rounder) gp(name string) reg.GPVirtual {
	return r.Load(r.Param(name), r.GP64()).(reg.GPVirtual)
}

// masks are those of the tail.
func (r *rounder) masks() {
	tail := r.gp("tail")
	r.low, r.high = r.K(), r.K()
	r.KMOVW(tail.As32(), r.low)
	r.SHRQ(operand.U8(16), tail)
	r.KMOVW(tail.As32(), r.high)
}

// row emits a row: block for 32 columns at from, the last time masked and only if there is a tail.
func (r *rounder) row(label string, wide int, block func(masked bool)) {
	n := r.GP64()
	r.MOVQ(r.src, r.from)
	r.MOVQ(r.dst, r.to)
	r.MOVQ(r.whole, n)
	r.TESTQ(n, n)
	r.JZ(operand.LabelRef(label + "tail"))
	r.Label(label + "block")
	block(false)
	r.ADDQ(operand.U32(128), r.from)
	r.ADDQ(operand.U32(wide), r.to)
	r.DECQ(n)
	r.JNZ(operand.LabelRef(label + "block"))
	r.Label(label + "tail")
	r.KTESTW(r.low, r.low)
	r.JZ(operand.LabelRef(label + "end"))
	block(true)
	r.Label(label + "end")
}

func (r *rounder) load(m operand.Mem, masked bool, x, y reg.Register) {
	if masked {
		r.VMOVUPS_Z(m, r.low, x)
		r.VMOVUPS_Z(m.Offset(64), r.high, y)
		return
	}
	r.VMOVUPS(m, x)
	r.VMOVUPS(m.Offset(64), y)
}

// roundRows emits the rounding of rows whose neighbours make the pairs.
func roundRows(ctx float) {
	r := &rounder{float: ctx}
	r.begin("roundRowsBF16", "rows uintptr", "rounds rows (at least 1) to half as many pairs, the last of an odd number with 0.")
	rows := r.gp("rows")
	// A pair is stored for every second bit of the tail.
	pairs, even, stored := r.gp("tail"), r.GP64(), r.K()
	r.MOVQ(operand.U32(0x55555555), even)
	r.PEXTQ(even, pairs, pairs)
	r.KMOVW(pairs.As32(), stored)
	r.masks()
	x, y := r.ZMM(), r.ZMM()
	r.Label("row")
	r.row("", 64, func(masked bool) {
		r.load(at(r.from, 0), masked, x, y)
		r.VCVTNE2PS2BF16(x, y, x)
		if masked {
			r.VMOVUPS(x, stored, at(r.to, 0))
		} else {
			r.VMOVUPS(x, at(r.to, 0))
		}
	})
	r.ADDQ(r.lds, r.src)
	r.ADDQ(r.ldd, r.dst)
	r.DECQ(rows)
	r.JNZ(operand.LabelRef("row"))
	r.VZEROUPPER()
	r.RET()
}

// foldRows emits the rounding of rows where two rows make one of pairs.
func foldRows(ctx float) {
	order := ctx.StaticGlobal("interleave")
	ctx.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 16 { // word 2i is that of the first row, word 2i+1 that of the second
		ctx.AddDatum(4*i, operand.U32(i|(16+i)<<16))
	}
	r := &rounder{float: ctx}
	r.begin("foldRowsBF16", "pairs uintptr, odd uintptr, ahead uintptr",
		"rounds pairs of rows to one row of pairs each, and with odd ≠ 0 one more whose second row is 0; it fetches what lies ahead bytes further.")
	pairs, odd, ahead := r.gp("pairs"), r.gp("odd"), r.gp("ahead")
	r.masks()
	index := r.ZMM()
	r.VMOVUPS(order, index)
	a, b, c, d := r.ZMM(), r.ZMM(), r.ZMM(), r.ZMM()
	store := func(masked bool) {
		r.VCVTNE2PS2BF16(a, c, a)
		r.VCVTNE2PS2BF16(b, d, b)
		r.VPERMW(a, index, a)
		r.VPERMW(b, index, b)
		if masked {
			r.VMOVUPS(a, r.low, at(r.to, 0))
			r.VMOVUPS(b, r.high, at(r.to, 64))
		} else {
			r.VMOVUPS(a, at(r.to, 0))
			r.VMOVUPS(b, at(r.to, 64))
		}
	}
	r.TESTQ(pairs, pairs)
	r.JZ(operand.LabelRef("odd"))
	r.Label("row")
	r.row("", 128, func(masked bool) {
		second := operand.Mem{Base: r.from, Index: r.lds, Scale: 1}
		r.load(at(r.from, 0), masked, a, b)
		r.load(second, masked, c, d)
		r.PREFETCHT0(operand.Mem{Base: r.from, Index: ahead, Scale: 1})
		r.PREFETCHT0(operand.Mem{Base: r.from, Index: ahead, Scale: 1, Disp: 64})
		store(masked)
	})
	r.LEAQ(operand.Mem{Base: r.src, Index: r.lds, Scale: 2}, r.src)
	r.ADDQ(r.ldd, r.dst)
	r.DECQ(pairs)
	r.JNZ(operand.LabelRef("row"))
	r.Label("odd")
	r.TESTQ(odd, odd)
	r.JZ(operand.LabelRef("done"))
	r.VXORPS(c, c, c)
	r.VXORPS(d, d, d)
	r.row("odd", 128, func(masked bool) {
		r.load(at(r.from, 0), masked, a, b)
		store(masked)
	})
	r.Label("done")
	r.VZEROUPPER()
	r.RET()
}
