package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Byte offsets in winograd's inputTile and outputTile; a test there compares them.
const (
	inBase  = 0
	inOff   = 48
	inPixel = 96
	inDst   = 104
	inPoint = 112
	inN     = 120
	inCols  = 128
	inPart  = 152

	outSrc      = 0
	outPoint    = 8
	outDst      = 16
	outRow      = 24
	outPixel    = 32
	outBias     = 40
	outResidual = 48
	outN        = 56
	outCols     = 64
	outRows     = 72
	outPart     = 88
	outFloor    = 92
	outSpill    = 96
)

// inputTile emits Bᵀ·d·B of one tile. It makes two rows of points at a time from the image, so that nothing but a tile's
// pixels, which lie in the first-level cache by then, is read more than once.
func (w *wino) inputTile() {
	t := w.tileFunction("input", "uint16", "transforms the 6×6 pixels of a tile into 36 points.")
	var rows []reg.GPVirtual
	for r := range 6 {
		p := w.field(t, inBase+8*r)
		w.ADDQ(at(t, inOff+8*r), p)
		rows = append(rows, p)
	}
	pixel, point := w.strides(w.field(t, inPixel), 5), w.strides(w.field(t, inPoint), 5)
	dst, n := w.field(t, inDst), w.field(t, inN)
	w.keep(kA, kB, kA2, kB2, kA2B2, kSum2)
	saved := w.AllocLocal(8)
	next := func() {
		w.ADDQ(point.three, dst)
		w.ADDQ(point.three, dst)
	}
	w.chunks(at(t, inPart), t, inCols, 6, n, append(rows, dst), func(masked bool) {
		load := func(r, j int) reg.VecVirtual {
			if masked {
				return w.loadMasked(pixel.at(rows[r], j), j, 6)
			}
			return w.load(pixel.at(rows[r], j), false)
		}
		fnma := func(k konst, r, j int, acc reg.Register) {
			if c, ok := w.regs[k]; ok && !masked {
				w.VFNMADD231PS(pixel.at(rows[r], j), c, acc)
				return
			}
			w.fnma(k, load(r, j), acc)
		}
		fma := func(k konst, r, j int, acc reg.Register) {
			if c, ok := w.regs[k]; ok && !masked {
				w.VFMADD231PS(pixel.at(rows[r], j), c, acc)
				return
			}
			w.fma(k, load(r, j), acc)
		}
		store := func(x reg.Register, j int) {
			if masked {
				w.storeMasked(x, point.at(dst, j), 6, 6)
				return
			}
			w.VMOVUPS(x, point.at(dst, j))
		}
		w.MOVQ(dst, saved)
		// single is a row of points of 0 or ∞.
		single := func(hi, mid, lo int) {
			var r [6]reg.VecVirtual
			for j := range r {
				r[j] = load(hi, j)
				fnma(kSum2, mid, j, r[j])
				fma(kA2B2, lo, j, r[j])
			}
			w.inputRow(r, store)
		}
		// double is the rows of points ±k, where the other pair's square is k2.
		double := func(k, k2 konst) {
			var r, s [6]reg.VecVirtual
			for j := range r {
				u := load(4, j)
				fnma(k2, 2, j, u)
				v := load(3, j)
				fnma(k2, 1, j, v)
				r[j], s[j] = w.pair(k, u, v)
			}
			w.inputRow(r, store)
			next()
			w.inputRow(s, store)
		}
		single(4, 2, 0)
		next()
		double(kA, kB2)
		next()
		double(kB, kA2)
		next()
		single(5, 3, 1)
		w.MOVQ(saved, dst)
	})
}

// inputRow transforms six elements into six points and leaves nothing of r.
func (w *wino) inputRow(r [6]reg.VecVirtual, store func(x reg.Register, j int)) {
	o := w.copy(r[4])
	w.fnma(kSum2, r[2], o)
	w.fma(kA2B2, r[0], o)
	store(o, 0)
	w.fnma(kSum2, r[3], r[5])
	w.fma(kA2B2, r[1], r[5])
	store(r[5], 5)
	u, v := w.copy(r[4]), w.copy(r[3])
	w.fnma(kB2, r[2], u)
	w.fnma(kB2, r[1], v)
	plus, minus := w.pair(kA, u, v)
	store(plus, 1)
	store(minus, 2)
	w.fnma(kA2, r[2], r[4])
	w.fnma(kA2, r[1], r[3])
	plus, minus = w.pair(kB, r[4], r[3])
	store(plus, 3)
	store(minus, 4)
}

// outputTile emits Aᵀ·m·A of one tile with the epilogue. AVX2 has too few registers for what lies between the two products
// and keeps it in the argument.
func (w *wino) outputTile() {
	t := w.tileFunction("output", "uint32", "transforms the 36 points of a tile into 4×4 outputs: max(· + bias + residual, floor).")
	src, n := w.field(t, outSrc), w.field(t, outN)
	point := w.strides(w.field(t, outPoint), 5)
	dst, residual, bias := w.field(t, outDst), w.field(t, outResidual), w.field(t, outBias)
	line := w.strides(w.field(t, outRow), 3)
	pixel, cols := w.field(t, outPixel), w.field(t, outCols)
	w.keep(kA, kB)
	floor := w.vec()
	w.VBROADCASTSS(at(t, outFloor), floor)
	saved := w.AllocLocal(24)
	moving := []reg.GPVirtual{src, dst, residual}
	w.chunks(at(t, outPart), t, outRows, 4, n, append(moving, bias), func(masked bool) {
		suffix := "whole"
		if masked {
			suffix = "part"
		}
		for i, p := range moving {
			w.MOVQ(p, saved.Offset(8*i))
		}
		load := func(m operand.Mem) reg.VecVirtual {
			if masked {
				return w.loadMasked(m, 4, 4)
			}
			return w.load(m, false)
		}
		var z [6][4]reg.VecVirtual
		for i := range z {
			z[i] = w.outputRow(nil, func(j int) reg.VecVirtual { return load(point.at(src, j)) })
			if !w.is512() {
				for j, x := range z[i] {
					w.VMOVUPS(x, at(t, outSpill+32*(4*i+j)))
				}
			}
			if i < 5 {
				w.ADDQ(point.three, src)
				w.ADDQ(point.three, src)
			}
		}
		b := w.zero()
		w.CMPQ(at(t, outBias), operand.U8(0))
		w.JE(operand.LabelRef("biased" + suffix))
		w.VMOVAPS(load(at(bias, 0)), b)
		w.Label("biased" + suffix)
		for j := range 4 {
			y := w.outputRow(b, func(i int) reg.VecVirtual {
				if w.is512() {
					return z[i][j]
				}
				return w.load(at(t, outSpill+32*(4*i+j)), false)
			})
			label := fmt.Sprint("added", suffix, j)
			w.CMPQ(at(t, outResidual), operand.U8(0))
			w.JE(operand.LabelRef(label))
			for i := range y {
				if masked {
					w.VADDPS(w.loadMasked(line.at(residual, i), i, 4), y[i], y[i])
				} else {
					w.VADDPS(line.at(residual, i), y[i], y[i])
				}
			}
			w.Label(label)
			for i := range y {
				w.max0(y[i], floor)
				if masked {
					w.storeMasked(y[i], line.at(dst, i), i, 4)
				} else {
					w.VMOVUPS(y[i], line.at(dst, i))
				}
			}
			if j == 3 {
				break
			}
			if masked {
				w.CMPQ(cols, operand.U8(j+1))
				w.JE(operand.LabelRef("restore"))
			}
			w.ADDQ(pixel, dst)
			w.ADDQ(pixel, residual)
		}
		if masked {
			w.Label("restore")
		}
		for i, p := range moving {
			w.MOVQ(saved.Offset(8*i), p)
		}
	})
}

// outputRow transforms six points into four outputs, to which it adds init unless that is nil. It may take the registers
// of m.
func (w *wino) outputRow(init reg.Register, m func(j int) reg.VecVirtual) (y [4]reg.VecVirtual) {
	sumDiff := func(j int) (s, d reg.VecVirtual) {
		p, q := m(j), m(j+1)
		d = w.vec()
		w.VSUBPS(q, p, d)
		w.VADDPS(q, p, p)
		return p, d
	}
	s1, d1 := sumDiff(1)
	s2, d2 := sumDiff(3)
	y[0] = m(0)
	w.VADDPS(s1, y[0], y[0])
	w.VADDPS(s2, y[0], y[0])
	y[3] = m(5)
	if init != nil {
		w.VADDPS(init, y[0], y[0])
		w.VADDPS(init, y[3], y[3])
	}
	w.fma(kA3, d1, y[3])
	w.fma(kB3, d2, y[3])
	for i, c := range [][2]konst{{kA, kB}, {kA2, kB2}} {
		p, q := d1, d2
		if i == 1 {
			p, q = s1, s2
		}
		if init == nil {
			y[1+i] = w.mul(c[0], p)
		} else {
			y[1+i] = w.copy(init)
			w.fma(c[0], p, y[1+i])
		}
		w.fma(c[1], q, y[1+i])
	}
	return y
}
