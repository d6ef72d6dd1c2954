package npy

import (
	"math"
	"math/bits"
)

func swapEach[T uint16 | int16 | uint32 | int32 | uint64 | int64](d []T, size int) {
	for i, v := range d {
		d[i] = T(bits.ReverseBytes64(uint64(v)) >> (64 - 8*size))
	}
}

func swapFloats(d []float32) {
	for i, v := range d {
		d[i] = math.Float32frombits(bits.ReverseBytes32(math.Float32bits(v)))
	}
}

func swapDoubles(d []float64) {
	for i, v := range d {
		d[i] = math.Float64frombits(bits.ReverseBytes64(math.Float64bits(v)))
	}
}
