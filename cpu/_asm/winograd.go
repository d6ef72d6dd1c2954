package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The transforms of Winograd's convolution F(4×4, 3×3) at the points 0, ±a, ±b and ∞; package winograd says what they are.
const (
	wa = 11. / 16
	wb = 3. / 2
)

// konst is a constant of the transforms.
type konst int

const (
	kA konst = iota
	kB
	kA2   // a²
	kB2   // b²
	kA2B2 // a²·b²
	kSum2 // a²+b²
	kA3   // a³
	kB3   // b³
	kG0   // of the filters: 1/(a²b²),
	kGa0  // 1/(2a²(a²-b²)) times 1,
	kGa1  // a
	kGa2  // and a²,
	kGb0  // and the same with a and b exchanged
	kGb1
	kGb2
	konsts
)

var konstValues = func() (v [konsts]float64) {
	a2, b2 := wa*wa, wb*wb
	na, nb := 2*a2*(a2-b2), 2*b2*(b2-a2)
	return [konsts]float64{wa, wb, a2, b2, a2 * b2, a2 + b2, a2 * wa, b2 * wb, 1 / (a2 * b2),
		1 / na, wa / na, a2 / na, 1 / nb, wb / nb, b2 / nb}
}()

// wino emits the transforms for one instruction set. AVX-512 has the constants a function uses most in registers and
// broadcasts the others from memory; AVX2 reads whole vectors of them.
type wino struct {
	*simd
	points operand.Mem
	regs   map[konst]reg.VecVirtual
	// Masks of the six columns (or four rows) of a tile and of the tail of the channels: registers of AVX-512, or what
	// holds a vector for each on the stack.
	masks []reg.Register
	tail  reg.Register
	slots operand.Mem
}

func winogradAVX512(f float) { emitWinograd(avx512(f)) }

func winogradAVX2(f float) { emitWinograd(avx2(f)) }

func emitWinograd(s *simd) {
	w := &wino{simd: s}
	w.points = s.StaticGlobal("points")
	s.DataAttributes(attr.RODATA | attr.NOPTR)
	for i, v := range konstValues {
		for l := range w.konstLanes() {
			s.AddDatum(4*(i*w.konstLanes()+l), operand.U32(math.Float32bits(float32(v))))
		}
	}
	w.inputTile()
	w.filterRuns()
	w.outputTile()
}

func (w *wino) is512() bool { return w.suffix == "AVX512" }

func (w *wino) konstLanes() int {
	if w.is512() {
		return 1
	}
	return w.lanes
}

func (w *wino) konst(k konst) operand.Mem { return w.points.Offset(4 * int(k) * w.konstLanes()) }

// keep loads constants into registers, where there are enough of them.
func (w *wino) keep(ks ...konst) {
	w.regs = map[konst]reg.VecVirtual{}
	if !w.is512() {
		return
	}
	for _, k := range ks {
		w.regs[k] = w.vec()
		w.VBROADCASTSS(w.konst(k), w.regs[k])
	}
}

// fma emits acc += k·x.
func (w *wino) fma(k konst, x, acc reg.Register) {
	switch r, ok := w.regs[k]; {
	case ok:
		w.VFMADD231PS(r, x, acc)
	case w.is512():
		w.VFMADD231PS_BCST(w.konst(k), x, acc)
	default:
		w.VFMADD231PS(w.konst(k), x, acc)
	}
}

// fnma emits acc -= k·x.
func (w *wino) fnma(k konst, x, acc reg.Register) {
	switch r, ok := w.regs[k]; {
	case ok:
		w.VFNMADD231PS(r, x, acc)
	case w.is512():
		w.VFNMADD231PS_BCST(w.konst(k), x, acc)
	default:
		w.VFNMADD231PS(w.konst(k), x, acc)
	}
}

// mul returns k·x.
func (w *wino) mul(k konst, x reg.Register) reg.VecVirtual {
	y := w.vec()
	switch r, ok := w.regs[k]; {
	case ok:
		w.VMULPS(r, x, y)
	case w.is512():
		w.VMULPS_BCST(w.konst(k), x, y)
	default:
		w.VMULPS(w.konst(k), x, y)
	}
	return y
}

func (w *wino) copy(x reg.Register) reg.VecVirtual {
	y := w.vec()
	w.VMOVAPS(x, y)
	return y
}

// pair emits the two results u+k·v and u-k·v; the first of them takes u's register.
func (w *wino) pair(k konst, u reg.VecVirtual, v reg.Register) (plus, minus reg.VecVirtual) {
	minus = w.copy(u)
	w.fnma(k, v, minus)
	w.fma(k, v, u)
	return u, minus
}

// strides are the multiples of a distance that an address can have: 0…6 and 8, where the odd ones take a register each.
type strides struct{ one, three, five reg.GPVirtual }

func (w *wino) strides(one reg.GPVirtual, most int) strides {
	s := strides{one: one}
	if most >= 3 {
		s.three = w.GP64()
		w.LEAQ(operand.Mem{Base: one, Index: one, Scale: 2}, s.three)
	}
	if most >= 5 {
		s.five = w.GP64()
		w.LEAQ(operand.Mem{Base: one, Index: one, Scale: 4}, s.five)
	}
	return s
}

func (s strides) at(base reg.Register, n int) operand.Mem {
	m := operand.Mem{Base: base}
	switch n {
	case 1, 2, 4, 8:
		m.Index, m.Scale = s.one, uint8(n)
	case 3, 6:
		m.Index, m.Scale = s.three, uint8(n/3)
	case 5:
		m.Index, m.Scale = s.five, 1
	}
	return m
}

// readMasks makes a mask each of the flags (0 or -1) from disp on in the argument t.
func (w *wino) readMasks(t reg.Register, disp, count int) {
	w.masks, w.tail = nil, nil
	if !w.is512() {
		w.slots = w.AllocLocal(32 * (count + 1))
		x := w.vec()
		for i := range count {
			w.VBROADCASTSS(at(t, disp+4*i), x)
			w.VMOVUPS(x, w.slots.Offset(32*i))
		}
		w.VPCMPEQD(x, x, x)
		w.VMOVUPS(x, w.slots.Offset(32*count))
		return
	}
	for i := range count {
		k := w.K()
		w.KMOVW(at(t, disp+4*i), k)
		w.masks = append(w.masks, k)
	}
	k := w.K()
	w.KXNORW(k, k, k)
	w.tail = k
}

// cutMasks takes from the masks what lies beyond n channels.
func (w *wino) cutMasks(n reg.GPVirtual, count int) {
	if w.is512() {
		w.setMask(n)
	} else { // with one register less than setMask
		p, v := w.GP64(), w.vec()
		w.LEAQ(w.table.Offset(32), p)
		w.SHLQ(operand.U8(2), n)
		w.SUBQ(n, p)
		w.SHRQ(operand.U8(2), n)
		w.VMOVUPS(at(p, 0), v)
		w.mask = v
	}
	for i := range count + 1 {
		switch {
		case !w.is512() && i < count:
			x := w.vec()
			w.VANDPS(w.slots.Offset(32*i), w.mask, x)
			w.VMOVUPS(x, w.slots.Offset(32*i))
		case !w.is512():
			w.VMOVUPS(w.mask, w.slots.Offset(32*i))
		case i < count:
			w.KANDW(w.mask, w.masks[i], w.masks[i])
		default:
			w.KMOVW(w.mask, w.tail)
		}
	}
}

// maskOf is mask i, or with i = len(masks) that of the tail.
func (w *wino) maskOf(i, count int) reg.Register {
	switch {
	case !w.is512():
		m := w.vec()
		w.VMOVUPS(w.slots.Offset(32*i), m)
		return m
	case i == count:
		return w.tail
	}
	return w.masks[i]
}

// chunks emits the loop over a tile's channels, a vector a turn: without masks where nothing hangs over, else with them.
// body leaves the pointers where they are, moving are what goes on.
func (w *wino) chunks(part operand.Mem, t reg.Register, disp, count int, n reg.GPVirtual, moving []reg.GPVirtual, body func(masked bool)) {
	step := func() {
		for _, p := range moving {
			w.ADDQ(operand.U8(4*w.lanes), p)
		}
		w.SUBQ(operand.U8(w.lanes), n)
	}
	w.readMasks(t, disp, count)
	w.CMPL(part, operand.U8(0))
	w.JNE(operand.LabelRef("part"))
	w.CMPQ(n, operand.U8(w.lanes))
	w.JL(operand.LabelRef("part"))
	w.Label("whole")
	body(false)
	step()
	w.JZ(operand.LabelRef("end"))
	w.CMPQ(n, operand.U8(w.lanes))
	w.JGE(operand.LabelRef("whole"))
	w.Label("part")
	w.CMPQ(n, operand.U8(w.lanes))
	w.JGE(operand.LabelRef("partfull"))
	w.cutMasks(n, count)
	w.Label("partfull")
	body(true)
	step()
	w.JG(operand.LabelRef("part"))
	w.Label("end")
	w.done()
}

// loadMasked loads with mask i of count.
func (w *wino) loadMasked(m operand.Mem, i, count int) reg.VecVirtual {
	x := w.vec()
	if w.is512() {
		w.VMOVUZ(m, w.maskOf(i, count), x)
	} else {
		w.VMASKMOV(m, w.maskOf(i, count), x)
	}
	return x
}

func (w *wino) storeMasked(x reg.Register, m operand.Mem, i, count int) {
	if w.is512() {
		w.VMOVU(x, w.maskOf(i, count), m)
	} else {
		w.VMASKMOV(x, w.maskOf(i, count), m)
	}
}

// tileFunction begins a transform of one tile and returns its argument.
func (w *wino) tileFunction(name, stand, doc string) (t reg.Register) {
	w.function(name, "func(t *"+stand+")", doc)
	return w.gp("t")
}

// field loads a word of the argument.
func (w *wino) field(t reg.Register, disp int) reg.GPVirtual {
	r := w.GP64()
	w.MOVQ(at(t, disp), r)
	return r
}

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
