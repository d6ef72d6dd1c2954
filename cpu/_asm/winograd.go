package main

import (
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
	w.gradientTile()
	w.tapRun()
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
