//go:build amd64 && !purego

package vmath

import (
	"math"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

//go:generate go run -C ../../_asm . -out ../internal

func ops32(level cpuid.Level) *Ops[float32] {
	switch level {
	case cpuid.AVX512:
		return &avx512x32
	case cpuid.AVX2:
		return &avx2x32
	}
	return &generic32
}

func ops64(level cpuid.Level) *Ops[float64] {
	switch level {
	case cpuid.AVX512:
		return &avx512x64
	case cpuid.AVX2:
		return &avx2x64
	}
	return &generic64
}

// Sine, cosine, powers and the error function of float64 are plain Go at every level.

var avx512x32 = Ops[float32]{
	Level: cpuid.AVX512,
	Abs:   abs32AVX512, Sign: sign32AVX512, Ceil: ceil32AVX512, Floor: floor32AVX512, Neg: neg32AVX512, Square: square32AVX512, Cube: cube32AVX512, Sqrt: sqrt32AVX512, Inverse: inverse32AVX512, InverseSqrt: inverseSqrt32AVX512,
	Exp: exp32AVX512, Expm1: expm132AVX512, Log: log32AVX512, Log1p: log1p32AVX512, Log2: log232AVX512, Tanh: tanh32AVX512, Sigmoid: sigmoid32AVX512, Softplus: softplus32AVX512, Sin: oneGo[float32](math.Sin), Cos: oneGo[float32](math.Cos), Erf: erf32AVX512,
	Add: add32AVX512, Sub: sub32AVX512, Mul: mul32AVX512, Div: div32AVX512, Pow: powGo[float32],
	Lt: lt32AVX512, Gt: gt32AVX512, Lte: lte32AVX512, Gte: gte32AVX512, Eq: eq32AVX512, Ne: ne32AVX512, Min: min32AVX512, Max: max32AVX512, ReLUGrad: reluGrad32AVX512,
	MulAdd: mulAdd32AVX512, MulSub: mulSub32AVX512, SubMul: subMul32AVX512, Fill: fill32AVX512,
}

var avx512x64 = Ops[float64]{
	Level: cpuid.AVX512,
	Abs:   abs64AVX512, Sign: sign64AVX512, Ceil: ceil64AVX512, Floor: floor64AVX512, Neg: neg64AVX512, Square: square64AVX512, Cube: cube64AVX512, Sqrt: sqrt64AVX512, Inverse: inverse64AVX512, InverseSqrt: inverseSqrt64AVX512,
	Exp: exp64AVX512, Expm1: expm164AVX512, Log: log64AVX512, Log1p: log1p64AVX512, Log2: log264AVX512, Tanh: tanh64AVX512, Sigmoid: sigmoid64AVX512, Softplus: softplus64AVX512, Sin: oneGo[float64](math.Sin), Cos: oneGo[float64](math.Cos), Erf: oneGo[float64](math.Erf),
	Add: add64AVX512, Sub: sub64AVX512, Mul: mul64AVX512, Div: div64AVX512, Pow: powGo[float64],
	Lt: lt64AVX512, Gt: gt64AVX512, Lte: lte64AVX512, Gte: gte64AVX512, Eq: eq64AVX512, Ne: ne64AVX512, Min: min64AVX512, Max: max64AVX512, ReLUGrad: reluGrad64AVX512,
	MulAdd: mulAdd64AVX512, MulSub: mulSub64AVX512, SubMul: subMul64AVX512, Fill: fill64AVX512,
}

var avx2x32 = Ops[float32]{
	Level: cpuid.AVX2,
	Abs:   abs32AVX2, Sign: sign32AVX2, Ceil: ceil32AVX2, Floor: floor32AVX2, Neg: neg32AVX2, Square: square32AVX2, Cube: cube32AVX2, Sqrt: sqrt32AVX2, Inverse: inverse32AVX2, InverseSqrt: inverseSqrt32AVX2,
	Exp: exp32AVX2, Expm1: expm132AVX2, Log: log32AVX2, Log1p: log1p32AVX2, Log2: log232AVX2, Tanh: tanh32AVX2, Sigmoid: sigmoid32AVX2, Softplus: softplus32AVX2, Sin: oneGo[float32](math.Sin), Cos: oneGo[float32](math.Cos), Erf: erf32AVX2,
	Add: add32AVX2, Sub: sub32AVX2, Mul: mul32AVX2, Div: div32AVX2, Pow: powGo[float32],
	Lt: lt32AVX2, Gt: gt32AVX2, Lte: lte32AVX2, Gte: gte32AVX2, Eq: eq32AVX2, Ne: ne32AVX2, Min: min32AVX2, Max: max32AVX2, ReLUGrad: reluGrad32AVX2,
	MulAdd: mulAdd32AVX2, MulSub: mulSub32AVX2, SubMul: subMul32AVX2, Fill: fill32AVX2,
}

var avx2x64 = Ops[float64]{
	Level: cpuid.AVX2,
	Abs:   abs64AVX2, Sign: sign64AVX2, Ceil: ceil64AVX2, Floor: floor64AVX2, Neg: neg64AVX2, Square: square64AVX2, Cube: cube64AVX2, Sqrt: sqrt64AVX2, Inverse: inverse64AVX2, InverseSqrt: inverseSqrt64AVX2,
	Exp: exp64AVX2, Expm1: expm164AVX2, Log: log64AVX2, Log1p: log1p64AVX2, Log2: log264AVX2, Tanh: tanh64AVX2, Sigmoid: sigmoid64AVX2, Softplus: softplus64AVX2, Sin: oneGo[float64](math.Sin), Cos: oneGo[float64](math.Cos), Erf: oneGo[float64](math.Erf),
	Add: add64AVX2, Sub: sub64AVX2, Mul: mul64AVX2, Div: div64AVX2, Pow: powGo[float64],
	Lt: lt64AVX2, Gt: gt64AVX2, Lte: lte64AVX2, Gte: gte64AVX2, Eq: eq64AVX2, Ne: ne64AVX2, Min: min64AVX2, Max: max64AVX2, ReLUGrad: reluGrad64AVX2,
	MulAdd: mulAdd64AVX2, MulSub: mulSub64AVX2, SubMul: subMul64AVX2, Fill: fill64AVX2,
}
