package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Byte offsets in winograd's gradientTile; a test there compares them.
const (
	gradBase  = 0
	gradOff   = 32
	gradPixel = 64
	gradDst   = 72
	gradPoint = 80
	gradN     = 88
	gradCols  = 96
	gradPart  = 112
)

// gradientTile emits A·dy·Aᵀ of one tile, two rows of points at a time as inputTile.
func (w *wino) gradientTile() {
	t := w.tileFunction("gradient", "int16", "transforms the 4×4 gradients of a tile's outputs into 36 points.")
	var rows []reg.GPVirtual
	for r := range 4 {
		p := w.field(t, gradBase+8*r)
		w.ADDQ(at(t, gradOff+8*r), p)
		rows = append(rows, p)
	}
	pixel, point := w.strides(w.field(t, gradPixel), 3), w.strides(w.field(t, gradPoint), 5)
	dst, n := w.field(t, gradDst), w.field(t, gradN)
	w.keep(kA, kB, kA2, kB2)
	saved := w.AllocLocal(8)
	w.chunks(at(t, gradPart), t, gradCols, 4, n, append(rows, dst), func(masked bool) {
		load := func(r, j int) reg.VecVirtual {
			if masked {
				return w.loadMasked(pixel.at(rows[r], j), j, 4)
			}
			return w.load(pixel.at(rows[r], j), false)
		}
		// row writes a row of points, which follows the one before.
		row := func(y [4]reg.VecVirtual) {
			w.gradientRow(y, func(x reg.Register, j int) {
				if masked {
					w.storeMasked(x, point.at(dst, j), 4, 4)
				} else {
					w.VMOVUPS(x, point.at(dst, j))
				}
			})
		}
		next := func() {
			w.ADDQ(point.three, dst)
			w.ADDQ(point.three, dst)
		}
		// single is the row of points of 0 or ∞: that of one row of the tile.
		single := func(r int) {
			var y [4]reg.VecVirtual
			for j := range y {
				y[j] = load(r, j)
			}
			row(y)
		}
		// double is the rows of points ±k.
		double := func(k, k2 konst) {
			var r, s [4]reg.VecVirtual
			for j := range r {
				u := load(0, j)
				w.fma(k2, load(2, j), u)
				v := load(1, j)
				w.fma(k2, load(3, j), v)
				r[j], s[j] = w.pair(k, u, v)
			}
			row(r)
			next()
			row(s)
			next()
		}
		w.MOVQ(dst, saved)
		single(0)
		next()
		double(kA, kA2)
		double(kB, kB2)
		single(3)
		w.MOVQ(saved, dst)
	})
}

// gradientRow transforms four elements into six points and leaves nothing of y.
func (w *wino) gradientRow(y [4]reg.VecVirtual, store func(x reg.Register, j int)) {
	store(y[0], 0)
	store(y[3], 5)
	u, v := w.copy(y[0]), w.copy(y[1])
	w.fma(kA2, y[2], u)
	w.fma(kA2, y[3], v)
	plus, minus := w.pair(kA, u, v)
	store(plus, 1)
	store(minus, 2)
	w.fma(kB2, y[2], y[0])
	w.fma(kB2, y[3], y[1])
	plus, minus = w.pair(kB, y[0], y[1])
	store(plus, 3)
	store(minus, 4)
}

// tapRun emits Gᵀ·u·G for a run of filters.
func (w *wino) tapRun() {
	w.function("taps", "func(dst *float32, tap uintptr, src *float32, point, n uintptr)",
		"transforms 36 points of n (at least 1) elements, point bytes apart, into 3×3 taps, tap bytes apart.")
	dst, src, n := w.gp("dst"), w.gp("src"), w.gp("n")
	tap, point := w.strides(w.gp("tap"), 3), w.strides(w.gp("point"), 5)
	rows := []reg.GPVirtual{src}
	for range 5 {
		p := w.GP64()
		w.LEAQ(operand.Mem{Base: rows[len(rows)-1], Index: point.three, Scale: 2}, p)
		rows = append(rows, p)
	}
	w.keep(kG0, kGa0, kGa1, kGa2, kGb0, kGb1, kGb2)
	body := func(masked bool) {
		for i := range 3 {
			var z [6]reg.VecVirtual
			for j := range z {
				z[j] = w.tap(i, func(r int) reg.VecVirtual { return w.load(point.at(rows[r], j), masked) })
			}
			for j := range 3 {
				// Each of the three wants the points for itself.
				w.store(w.tap(j, func(r int) reg.VecVirtual { return w.copy(z[r]) }), tap.at(dst, j), masked)
			}
			if i < 2 {
				w.ADDQ(tap.three, dst)
			}
		}
		w.SUBQ(tap.three, dst)
		w.SUBQ(tap.three, dst)
		for _, p := range append(rows, dst) {
			w.ADDQ(operand.U8(4*w.lanes), p)
		}
	}
	w.SUBQ(operand.U8(w.lanes), n)
	w.JL(operand.LabelRef("rest"))
	w.Label("whole")
	body(false)
	w.SUBQ(operand.U8(w.lanes), n)
	w.JGE(operand.LabelRef("whole"))
	w.Label("rest")
	w.ADDQ(operand.U8(w.lanes), n)
	w.JZ(operand.LabelRef("end"))
	w.setMask(n)
	body(true)
	w.Label("end")
	w.done()
}

// tap is element i of Gᵀ·u. It takes the registers that u returns.
func (w *wino) tap(i int, u func(r int) reg.VecVirtual) reg.VecVirtual {
	join := w.VADDPS
	if i == 1 { // odd in the points
		join = w.VSUBPS
	}
	near, far := u(1), u(3)
	join(u(2), near, near)
	join(u(4), far, far)
	sum := w.mul(kGa0+konst(i), near)
	w.fma(kGb0+konst(i), far, sum)
	switch i {
	case 0:
		w.fma(kG0, u(0), sum)
	case 2:
		w.VADDPS(u(5), sum, sum)
	}
	return sum
}
