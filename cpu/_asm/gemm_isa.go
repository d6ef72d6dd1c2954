package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gemmAVX512 emits tiles of 1…12 rows and one or two vectors of 64 bytes.
func gemmAVX512(ctx float) {
	peak(ctx, "AVX512", ctx.ZMM, func(x, y, acc reg.Register) { ctx.VFMADD231(x, y, acc) })
	tilesAVX512(ctx, "AVX512", func(r *tileRegs, k *kernel, b []reg.VecVirtual, x reg.VecVirtual, u int) {
		vectors := len(k.acc[0])
		for v := range vectors {
			ctx.VMOVUPS(r.rowB(u, v*64), b[v])
		}
		for row := range k.height {
			if vectors == 1 {
				ctx.VFMADD231Bcst(r.rowA(row, u), b[0], k.acc[row][0])
				continue
			}
			ctx.VBROADCAST(r.rowA(row, u), x)
			for v := range vectors {
				ctx.VFMADD231(b[v], x, k.acc[row][v])
			}
		}
	})
}

// tilesAVX512 emits tiles with masked C, whose body multiplies what is u after the current k. The loads of B are not masked: a
// masked load costs an FMA's slot.
func tilesAVX512(ctx float, isa string, body func(r *tileRegs, k *kernel, b []reg.VecVirtual, x reg.VecVirtual, u int)) {
	for vectors := 1; vectors <= 2; vectors++ {
		for _, l := range []layout{byRows, byDepth} {
			for height := 1; height <= 12; height++ {
				r := begin(ctx, isa, l, height, 64/ctx.size*vectors)
				k := &kernel{ctx: ctx, height: height, most: 12, lane: 64, vec: ctx.ZMM}
				k.accumulators(vectors)
				b := []reg.VecVirtual{k.vec(), k.vec()}
				x := k.vec()
				masks := []reg.OpmaskVirtual{ctx.K(), ctx.K()}
				k.masks = func() {
					mask := ctx.GP64()
					ctx.MOVQ(at(r.t, tileMask), mask)
					ctx.KMOVW(mask.As32(), masks[0])
					ctx.SHRQ(operand.U8(64/ctx.size), mask)
					ctx.KMOVW(mask.As32(), masks[1])
				}
				k.load = func(m operand.Mem, v int, dst reg.Register) { ctx.VMOVUZ(m, masks[v], dst) }
				k.store = func(src reg.Register, v int, m operand.Mem) { ctx.VMOVU(src, masks[v], m) }
				k.emit(r, func(u int) { body(r, k, b, x, u) })
			}
		}
	}
}

// begin opens the function of a micro-kernel.
func begin(ctx float, isa string, l layout, height, width int) *tileRegs {
	ctx.Function(fmt.Sprintf("%s%s%sh%dw%d", ctx.name("kernel"), isa, layoutNames[l], height, width))
	ctx.Attributes(nosplit)
	ctx.SignatureExpr("func(t *byte)")
	order := "contiguous rows"
	if l == byDepth {
		order = "contiguous columns"
	}
	ctx.Doc(fmt.Sprintf("computes a tile of %d × up to %d from an A of %s.", height, width, order))
	ctx.Pragma("noescape")
	return loadTile(ctx, l, height)
}

// gemmAVX2 emits tiles of 1…6 rows and one or two vectors of 32 bytes; the last vector
// of C is masked.
func gemmAVX2(ctx float) {
	peak(ctx, "AVX2", ctx.YMM, func(x, y, acc reg.Register) { ctx.VFMADD231(x, y, acc) })
	for vectors := 1; vectors <= 2; vectors++ {
		for _, l := range []layout{byRows, byDepth} {
			for height := 1; height <= 6; height++ {
				r := begin(ctx, "AVX2", l, height, 32/ctx.size*vectors)
				x := ctx.YMM() // broadcasts of A, then the mask
				k := &kernel{ctx: ctx, height: height, most: 6, lane: 32, vec: ctx.YMM}
				k.accumulators(vectors)
				b := []reg.VecVirtual{ctx.YMM(), ctx.YMM()}
				k.masks = func() {
					lanes := ctx.GP64()
					ctx.MOVQ(at(r.t, tileLanes), lanes)
					ctx.VMOVUPS(at(lanes, 0), x)
				}
				k.load = func(m operand.Mem, v int, dst reg.Register) {
					if v == vectors-1 {
						ctx.VMASKMOV(m, x, dst)
					} else {
						ctx.VMOVUPS(m, dst)
					}
				}
				k.store = func(src reg.Register, v int, m operand.Mem) {
					if v == vectors-1 {
						ctx.VMASKMOV(src, x, m)
					} else {
						ctx.VMOVUPS(src, m)
					}
				}
				k.emit(r, func(u int) {
					for v := range vectors {
						ctx.VMOVUPS(r.rowB(u, v*32), b[v])
					}
					for row := range height {
						ctx.VBROADCAST(r.rowA(row, u), x)
						for v := range vectors {
							ctx.VFMADD231(b[v], x, k.acc[row][v])
						}
					}
				})
			}
		}
	}
}
