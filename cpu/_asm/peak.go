package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// peak emits a loop of independent FMAs on registers, the ceiling of the
// benchmarks: 12·n of them per call.
func peak(ctx float, isa string, vec func() reg.VecVirtual, fma func(x, y, acc reg.Register)) {
	ctx.Function(ctx.name("peak") + isa)
	ctx.Attributes(nosplit)
	ctx.SignatureExpr("func(n uint64)")
	ctx.Doc("executes 12·n independent vector FMAs; only benchmarks call it.")
	n := ctx.Load(ctx.Param("n"), ctx.GP64())
	var acc [12]reg.VecVirtual
	for i := range acc {
		acc[i] = vec()
		ctx.VXORPS(acc[i], acc[i], acc[i])
	}
	x := vec()
	ctx.VXORPS(x, x, x)
	ctx.Label("loop")
	for _, r := range acc {
		fma(x, x, r)
	}
	ctx.DECQ(n)
	ctx.JNZ(operand.LabelRef("loop"))
	ctx.VZEROUPPER()
	ctx.RET()
}
