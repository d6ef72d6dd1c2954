package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vecTranspose emits the transposition of both element types. AVX-512 has no better
// one: it is bound by its loads and stores.
func vecTranspose(ctx float) {
	transpose8(ctx)
	transpose4(ctx)
}

// transpose8 emits the transposition of 8 rows, eight columns at a time.
func transpose8(ctx float) {
	ctx.Function("transposeAVX2")
	ctx.Attributes(nosplit)
	ctx.SignatureExpr("func(dst *float32, ldd uintptr, src *float32, lds uintptr, blocks uintptr)")
	ctx.Doc("writes the transpose of 8 rows × 8·blocks columns (blocks at least 1); strides are in bytes.")
	ctx.Pragma("noescape")
	dst, ldd := ctx.Load(ctx.Param("dst"), ctx.GP64()), ctx.Load(ctx.Param("ldd"), ctx.GP64())
	src, lds := ctx.Load(ctx.Param("src"), ctx.GP64()), ctx.Load(ctx.Param("lds"), ctx.GP64())
	blocks := ctx.Load(ctx.Param("blocks"), ctx.GP64())
	src4, lds3 := ctx.GP64(), ctx.GP64()
	ctx.LEAQ(operand.Mem{Base: src, Index: lds, Scale: 4}, src4)
	ctx.LEAQ(operand.Mem{Base: lds, Index: lds, Scale: 2}, lds3)
	// row is the address of four columns, from c on, of row r.
	row := func(r, c int) operand.Mem {
		m := operand.Mem{Base: src, Disp: 4 * c}
		if r >= 4 {
			m.Base = src4
		}
		switch r % 4 {
		case 1:
			m.Index, m.Scale = lds, 1
		case 2:
			m.Index, m.Scale = lds, 2
		case 3:
			m.Index, m.Scale = lds3, 1
		}
		return m
	}
	ctx.Label("loop")
	var out [8]reg.VecVirtual
	for c := 0; c < 8; c += 4 {
		// x[r] holds columns c…c+3 of row r and, in its high half, of row r+4.
		var x [4]reg.VecVirtual
		for r := range x {
			x[r] = ctx.YMM()
			ctx.VMOVUPS(row(r, c), x[r].AsX())
			ctx.VINSERTF128(operand.U8(1), row(r+4, c), x[r], x[r])
		}
		l0, l1, h0, h1 := ctx.YMM(), ctx.YMM(), ctx.YMM(), ctx.YMM()
		ctx.VUNPCKLPS(x[1], x[0], l0)
		ctx.VUNPCKLPS(x[3], x[2], l1)
		ctx.VUNPCKHPS(x[1], x[0], h0)
		ctx.VUNPCKHPS(x[3], x[2], h1)
		for i := range 4 {
			out[c+i] = ctx.YMM()
			a, b := l0, l1
			if i >= 2 {
				a, b = h0, h1
			}
			if i%2 == 0 {
				ctx.VUNPCKLPD(b, a, out[c+i])
			} else {
				ctx.VUNPCKHPD(b, a, out[c+i])
			}
		}
		for i := range 4 {
			ctx.VMOVUPS(out[c+i], at(dst, 0))
			ctx.ADDQ(ldd, dst)
		}
	}
	ctx.ADDQ(operand.U8(32), src)
	ctx.ADDQ(operand.U8(32), src4)
	ctx.DECQ(blocks)
	ctx.JNZ(operand.LabelRef("loop"))
	ctx.VZEROUPPER()
	ctx.RET()
}

// transpose4 is transpose8 for float64: 4 rows, four columns at a time.
func transpose4(ctx float) {
	ctx.Function("transpose64AVX2")
	ctx.Attributes(nosplit)
	ctx.SignatureExpr("func(dst *float64, ldd uintptr, src *float64, lds uintptr, blocks uintptr)")
	ctx.Doc("writes the transpose of 4 rows × 4·blocks columns (blocks at least 1); strides are in bytes.")
	ctx.Pragma("noescape")
	dst, ldd := ctx.Load(ctx.Param("dst"), ctx.GP64()), ctx.Load(ctx.Param("ldd"), ctx.GP64())
	src, lds := ctx.Load(ctx.Param("src"), ctx.GP64()), ctx.Load(ctx.Param("lds"), ctx.GP64())
	blocks := ctx.Load(ctx.Param("blocks"), ctx.GP64())
	src2 := ctx.GP64()
	ctx.LEAQ(operand.Mem{Base: src, Index: lds, Scale: 2}, src2)
	ctx.Label("loop")
	var out [4]reg.VecVirtual
	for c := 0; c < 4; c += 2 {
		// x[r] holds columns c, c+1 of row r and, in its high half, of row r+2.
		var x [2]reg.VecVirtual
		for r := range x {
			low, high := operand.Mem{Base: src, Disp: 8 * c}, operand.Mem{Base: src2, Disp: 8 * c}
			if r == 1 {
				low.Index, low.Scale, high.Index, high.Scale = lds, 1, lds, 1
			}
			x[r] = ctx.YMM()
			ctx.VMOVUPS(low, x[r].AsX())
			ctx.VINSERTF128(operand.U8(1), high, x[r], x[r])
		}
		out[c], out[c+1] = ctx.YMM(), ctx.YMM()
		ctx.VUNPCKLPD(x[1], x[0], out[c])
		ctx.VUNPCKHPD(x[1], x[0], out[c+1])
	}
	for i := range out {
		ctx.VMOVUPS(out[i], at(dst, 0))
		ctx.ADDQ(ldd, dst)
	}
	ctx.ADDQ(operand.U8(32), src)
	ctx.ADDQ(operand.U8(32), src2)
	ctx.DECQ(blocks)
	ctx.JNZ(operand.LabelRef("loop"))
	ctx.VZEROUPPER()
	ctx.RET()
}
