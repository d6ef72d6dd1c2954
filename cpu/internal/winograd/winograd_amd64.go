//go:build amd64 && !purego

package winograd

import "github.com/stheno-ml/stheno/cpu/internal/cpuid"

//go:generate go run -C ../../_asm . -out ../internal

// Lanes is the number of filters that Filter transforms at a time.
func (o Ops) Lanes() int {
	if o.level == cpuid.AVX512 {
		return 16
	}
	return genericLanes
}

// The calls are direct, not through variables, so that their arguments stay on the stack.

func (o Ops) input(t *inputTile) {
	switch o.level {
	case cpuid.AVX512:
		inputAVX512(t)
	case cpuid.AVX2:
		inputAVX2(t)
	default:
		inputGo(t)
	}
}

func (o Ops) filter(dst *float32, point, step uintptr, src *float32, tap, lds, count, n uintptr) {
	switch o.level {
	case cpuid.AVX512:
		filterAVX512(dst, point, step, src, tap, lds, count, n)
	case cpuid.AVX2:
		filterAVX2(dst, point, step, src, tap, lds, count, n)
	default:
		filterGo(dst, point, step, src, tap, lds, count, n)
	}
}

func (o Ops) output(t *outputTile) {
	switch o.level {
	case cpuid.AVX512:
		outputAVX512(t)
	case cpuid.AVX2:
		outputAVX2(t)
	default:
		outputGo(t)
	}
}

func (o Ops) gradient(t *gradientTile) {
	switch o.level {
	case cpuid.AVX512:
		gradientAVX512(t)
	case cpuid.AVX2:
		gradientAVX2(t)
	default:
		gradientGo(t)
	}
}

func (o Ops) taps(dst *float32, tap uintptr, src *float32, point, n uintptr) {
	switch o.level {
	case cpuid.AVX512:
		tapsAVX512(dst, tap, src, point, n)
	case cpuid.AVX2:
		tapsAVX2(dst, tap, src, point, n)
	default:
		tapsGo(dst, tap, src, point, n)
	}
}
