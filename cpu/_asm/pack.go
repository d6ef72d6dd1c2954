package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gemmFence emits what makes stores past the caches visible to other threads before later stores.
func gemmFence(ctx float) {
	ctx.Function("fence")
	ctx.Attributes(nosplit)
	ctx.SignatureExpr("func()")
	ctx.Doc("has what was written past the caches seen by other threads before what is written later.")
	ctx.SFENCE()
	ctx.RET()
}

// gemmPack emits what fills the panels of B: a copy of rows of up to 32 columns
// between matrices of different strides. Two columns are one of float64.
func gemmPack(ctx float) {
	gemmFence(ctx)
	ctx.Function("copyRowsAVX512")
	ctx.Attributes(nosplit)
	ctx.SignatureExpr("func(dst *float32, ldd uintptr, src *float32, lds uintptr, rows uintptr, mask uint64, ahead uintptr)")
	ctx.Doc("copies rows (at least 1) of up to 32 columns, one bit of mask each, and fetches what lies ahead bytes further; strides are in bytes.")
	ctx.Pragma("noescape")
	dst, ldd := ctx.Load(ctx.Param("dst"), ctx.GP64()), ctx.Load(ctx.Param("ldd"), ctx.GP64())
	src, lds := ctx.Load(ctx.Param("src"), ctx.GP64()), ctx.Load(ctx.Param("lds"), ctx.GP64())
	rows, mask := ctx.Load(ctx.Param("rows"), ctx.GP64()), ctx.Load(ctx.Param("mask"), ctx.GP64())
	low, high := ctx.K(), ctx.K()
	ctx.KMOVW(mask.(reg.GPVirtual).As32(), low)
	ctx.SHRQ(operand.U8(16), mask)
	ctx.KMOVW(mask.(reg.GPVirtual).As32(), high)
	ahead := ctx.Load(ctx.Param("ahead"), ctx.GP64())
	x, y := ctx.ZMM(), ctx.ZMM()
	ctx.Label("loop")
	ctx.PREFETCHT0(operand.Mem{Base: src, Index: ahead, Scale: 1})
	ctx.PREFETCHT0(operand.Mem{Base: src, Index: ahead, Scale: 1, Disp: 64})
	ctx.VMOVUPS_Z(at(src, 0), low, x)
	ctx.VMOVUPS_Z(at(src, 64), high, y)
	ctx.VMOVUPS(x, low, at(dst, 0))
	ctx.VMOVUPS(y, high, at(dst, 64))
	ctx.ADDQ(lds, src)
	ctx.ADDQ(ldd, dst)
	ctx.DECQ(rows)
	ctx.JNZ(operand.LabelRef("loop"))
	ctx.VZEROUPPER()
	ctx.RET()
}
