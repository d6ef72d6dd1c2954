package main

import (
	"math/bits"
	"strings"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
)

// float is a context for one element type: float32 or float64. It spells the
// instructions that come in both, so that an emitter is written once. What moves
// bits and knows no elements, such as an unmasked move, is the same for both.
type float struct {
	*build.Context
	size int // bytes of an element
}

func single(ctx *build.Context) float { return float{ctx, 4} }

func double(ctx *build.Context) float { return float{ctx, 8} }

// name is the function name of a type: those of float64 carry a 64.
func (f float) name(s string) string {
	if f.size == 8 {
		return s + "64"
	}
	return s
}

// typed makes a signature in terms of float32 one of the element type.
func (f float) typed(signature string) string {
	if f.size == 8 {
		return strings.ReplaceAll(signature, "float32", "float64")
	}
	return signature
}

// shift is log2(size).
func (f float) shift() operand.Op { return operand.U8(bits.TrailingZeros(uint(f.size))) }

// compareWithOne sets the flags for an element in memory against 1, bit by bit.
func (f float) compareWithOne(m operand.Mem) {
	if f.size == 4 {
		f.CMPL(m, operand.U32(0x3f800000))
		return
	}
	one := f.GP64()
	f.MOVQ(operand.U64(0x3ff0000000000000), one)
	f.CMPQ(m, one)
}

// compareWithZero is the same for +0.
func (f float) compareWithZero(m operand.Mem) {
	if f.size == 4 {
		f.CMPL(m, operand.U8(0))
	} else {
		f.CMPQ(m, operand.U8(0))
	}
}

func (f float) pick(ps, pd func(...operand.Op), ops []operand.Op) {
	if f.size == 8 {
		ps = pd
	}
	ps(ops...)
}

func (f float) pick3(ps, pd func(x, y, z operand.Op), x, y, z operand.Op) {
	if f.size == 8 {
		ps = pd
	}
	ps(x, y, z)
}

func (f float) VADD(ops ...operand.Op)       { f.pick(f.VADDPS, f.VADDPD, ops) }
func (f float) VSUB(ops ...operand.Op)       { f.pick(f.VSUBPS, f.VSUBPD, ops) }
func (f float) VMUL(ops ...operand.Op)       { f.pick(f.VMULPS, f.VMULPD, ops) }
func (f float) VDIV(ops ...operand.Op)       { f.pick(f.VDIVPS, f.VDIVPD, ops) }
func (f float) VMAX(ops ...operand.Op)       { f.pick(f.VMAXPS, f.VMAXPD, ops) }
func (f float) VMIN(ops ...operand.Op)       { f.pick(f.VMINPS, f.VMINPD, ops) }
func (f float) VSQRT(ops ...operand.Op)      { f.pick(f.VSQRTPS, f.VSQRTPD, ops) }
func (f float) VCMP(ops ...operand.Op)       { f.pick(f.VCMPPS, f.VCMPPD, ops) }
func (f float) VFMADD231(ops ...operand.Op)  { f.pick(f.VFMADD231PS, f.VFMADD231PD, ops) }
func (f float) VFMADD213(ops ...operand.Op)  { f.pick(f.VFMADD213PS, f.VFMADD213PD, ops) }
func (f float) VFMSUB213(ops ...operand.Op)  { f.pick(f.VFMSUB213PS, f.VFMSUB213PD, ops) }
func (f float) VBROADCAST(ops ...operand.Op) { f.pick(f.VBROADCASTSS, f.VBROADCASTSD, ops) }

// VFMADD231Bcst multiplies by an element in memory.
func (f float) VFMADD231Bcst(ops ...operand.Op) {
	f.pick(f.VFMADD231PS_BCST, f.VFMADD231PD_BCST, ops)
}

// VMOVU is an unaligned move; with a mask register among its operands it needs to
// know what an element is.
func (f float) VMOVU(ops ...operand.Op) { f.pick(f.VMOVUPS, f.VMOVUPD, ops) }

// VMOVUZ loads what the mask says and zeroes the rest.
func (f float) VMOVUZ(m, k, x operand.Op) { f.pick3(f.VMOVUPS_Z, f.VMOVUPD_Z, m, k, x) }

// VMOVAZ keeps the elements that the mask says and zeroes the rest.
func (f float) VMOVAZ(x, k, y operand.Op) { f.pick3(f.VMOVAPS_Z, f.VMOVAPD_Z, x, k, y) }

// VMASKMOV is AVX2's masked move.
func (f float) VMASKMOV(x, mask, y operand.Op) { f.pick3(f.VMASKMOVPS, f.VMASKMOVPD, x, mask, y) }
