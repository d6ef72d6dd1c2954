package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// filterRuns emits G·g·Gᵀ of count filters' taps, up to a vector of them in parallel.
func (w *wino) filterRuns() {
	w.function("filter", "func(dst *float32, point, step uintptr, src *float32, tap, lds, count, n uintptr)",
		fmt.Sprintf("transforms the 3×3 taps, tap bytes apart, of count (at least 1) rows of n elements (0…%d) into 36 points, point bytes apart; the rows are lds and step bytes apart. It writes whole vectors, zeros beyond n.", w.lanes))
	src, dst := w.gp("src"), w.gp("dst")
	tap, point := w.strides(w.gp("tap"), 5), w.strides(w.gp("point"), 5)
	seven := w.GP64()
	w.LEAQ(operand.Mem{Base: tap.three, Index: tap.one, Scale: 4}, seven)
	lds, step, count, n := w.gp("lds"), w.gp("step"), w.gp("count"), w.gp("n")
	w.keep(kG0, kGa0, kGa1, kGa2, kGb0, kGb1, kGb2)
	at := func(i, j int) operand.Mem {
		if i == 2 && j == 1 {
			return operand.Mem{Base: src, Index: seven, Scale: 1}
		}
		return tap.at(src, 3*i+j)
	}
	// row transforms a row of three into six points.
	row := func(to reg.Register, r [3]reg.VecVirtual) {
		w.VMOVUPS(w.mul(kG0, r[0]), point.at(to, 0))
		for i, k := range []konst{kGa0, kGb0} {
			e := w.mul(k, r[0])
			w.fma(k+2, r[2], e)
			plus, minus := w.pair(k+1, e, r[1])
			w.VMOVUPS(plus, point.at(to, 1+2*i))
			w.VMOVUPS(minus, point.at(to, 2+2*i))
		}
		w.VMOVUPS(r[2], point.at(to, 5))
	}
	ahead := w.GP64()
	body := func(masked bool) {
		to := w.GP64()
		w.MOVQ(dst, to)
		next := func() {
			w.ADDQ(point.three, to)
			w.ADDQ(point.three, to)
		}
		g := func(i, j int) reg.VecVirtual { return w.load(at(i, j), masked) }
		w.MOVQ(lds, ahead)
		w.SHLQ(operand.U8(2), ahead)
		w.ADDQ(src, ahead)
		for i := range 9 {
			m := at(i/3, i%3)
			m.Base = ahead
			w.PREFETCHT0(m)
		}
		var r, s [3]reg.VecVirtual
		for j := range r {
			r[j] = w.mul(kG0, g(0, j))
		}
		row(to, r)
		next()
		for _, k := range []konst{kGa0, kGb0} {
			for j := range r {
				e := w.mul(k, g(0, j))
				w.fma(k+2, g(2, j), e)
				r[j], s[j] = w.pair(k+1, e, g(1, j))
			}
			row(to, r)
			next()
			row(to, s)
			next()
		}
		for j := range r {
			r[j] = g(2, j)
		}
		row(to, r)
		w.ADDQ(lds, src)
		w.ADDQ(step, dst)
		w.DECQ(count)
	}
	w.CMPQ(n, operand.U8(w.lanes))
	w.JNE(operand.LabelRef("part"))
	w.Label("whole")
	body(false)
	w.JNZ(operand.LabelRef("whole"))
	w.done()
	w.Label("part")
	w.setMask(n)
	w.Label("partloop")
	body(true)
	w.JNZ(operand.LabelRef("partloop"))
	w.done()
}
