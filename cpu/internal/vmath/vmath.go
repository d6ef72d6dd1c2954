// Package vmath has elementwise functions over blocks of float32 and float64: arithmetic, comparisons, exponentials and
// what is made of them. Loops that are fused from several operations are run by calling one after the other on blocks
// that stay in the first-level cache.
//
// Functions take pointers to n elements, n may be 0. The result may be the very memory of an operand, but must not overlap
// it in part. An operand of a function of several has a stride: 1 for n elements in a row, 0 for a number, which then
// stands there [Lanes] times.
//
// NaN, infinities, zeros and denormals are treated as the functions of package math treat them. Exponentials, logarithms and
// what is made of them are good to 2.5 units in the last place in float32, to 4 in float64; cubes, inverse roots and the
// functions of three are rounded more than once, the rest is rounded correctly. Results of one level are reproducible bit
// for bit, levels differ in rounding.
package vmath

import (
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

// Float is an element type.
type Float interface{ float32 | float64 }

// Lanes is how many times a number stands in memory as an operand: as often as a turn of the longest loop reads it.
const Lanes = 64

// Functions of one, two and three operands; the strides are those of a, b and c.
type (
	F1[T Float] func(dst, x *T, n uintptr)
	F2[T Float] func(dst, a, b *T, n, sa, sb uintptr)
	F3[T Float] func(dst, a, b, c *T, n, sa, sb, sc uintptr)
)

// Ops are the functions of one instruction-set level for one element type. It has no state.
type Ops[T Float] struct {
	Level cpuid.Level

	Abs, Sign, Ceil, Floor, Neg, Square, Cube, Sqrt, Inverse, InverseSqrt F1[T]
	Exp, Expm1, Log, Log1p, Log2, Tanh, Sigmoid, Softplus, Sin, Cos, Erf  F1[T]

	Add, Sub, Mul, Div, Pow  F2[T]
	Lt, Gt, Lte, Gte, Eq, Ne F2[T] // 1 or 0
	Min, Max                 F2[T] // NaN if one is NaN, a if they are equal
	ReLUGrad                 F2[T] // a > 0 ? b : 0
	MulAdd, MulSub, SubMul   F3[T] // a·b+c, a·b−c, c−a·b, with one rounding or two
	Fill                     F1[T] // n times the number *x
}

// For returns the functions of a level. A level above what the machine has is lowered to cpuid.Best.
func For[T Float](level cpuid.Level) *Ops[T] {
	level = min(level, cpuid.Best())
	var zero T
	if _, ok := any(zero).(float32); ok {
		return any(ops32(level)).(*Ops[T])
	}
	return any(ops64(level)).(*Ops[T])
}

// slice is the memory behind an argument.
func slice[T Float](p *T, n uintptr) []T { return unsafe.Slice(p, n) }
