package kernel

import (
	encoding "encoding/binary" // binary is the name of a helper here
	"math/bits"
)

// divisor divides by a number that is known before a kernel runs: struct Div of stheno.cuh.
type divisor struct {
	By        int64
	Mul, Down uint32
}

// divideBy makes a divisor of d ≥ 1. Numerators n below 2³¹ are divided as n·Mul >> 31+s, where s = ⌈log₂ d⌉ and
// Mul = ⌈2^(31+s)/d⌉: Mul is too large by less than 1, so the quotient by less than n/2^(31+s) < 1/d, which changes no integer.
func divideBy(d int) divisor {
	v := divisor{By: int64(d)}
	if d >= 1<<31 {
		return v // the quotient is 0, as Mul says
	}
	s := bits.Len(uint(d - 1))
	v.Down = uint32(31 + s)
	v.Mul = uint32((uint64(1)<<v.Down + uint64(d) - 1) / uint64(d))
	return v
}

// structOf is a struct argument: the fields of v, of fixed sizes and ordered so that no padding is between them.
func structOf(v any) Bytes {
	b, err := encoding.Append(nil, encoding.LittleEndian, v)
	if err != nil {
		panic("cuda: an argument without a fixed size: " + err.Error()) // a mistake of ours
	}
	return Bytes(b)
}

func ceilDiv[N int | int64](a, b N) N { return (a + b - 1) / b }
