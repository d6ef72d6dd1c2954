package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// peakAccumulators is how many sums a loop of peak keeps apart; the constant of the same name in package gemm, whose test
// counts them, must be equal.
const peakAccumulators = 12

// peak emits a loop of independent FMAs on registers, the ceiling of products: peakAccumulators·n of them per call.
func peak(ctx float, isa string, vec func() reg.VecVirtual, fma func(x, y, acc reg.Register)) {
	ctx.Function(ctx.name("peak") + isa)
	ctx.Attributes(nosplit)
	ctx.SignatureExpr("func(n uint64)")
	ctx.Doc(fmt.Sprintf("executes %d·n independent vector FMAs.", peakAccumulators))
	n := ctx.Load(ctx.Param("n"), ctx.GP64())
	var acc [peakAccumulators]reg.VecVirtual
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
