package numtest

import (
	"math"
	"testing"
)

// guardZone is how many elements are watched on either side: more than the widest vector register (16 float32) times
// the deepest unrolling of a kernel, so that a store one block too far lands in it.
const guardZone = 256

// Guards are quiet NaNs with a payload of their own: a kernel that reads them poisons its result, and one that writes
// them, even with another NaN, is seen in the bits.
const (
	guard32 = 0x7FC5A5A5
	guard64 = 0x7FF85A5AA5A5C3C3
)

// Guarded returns a zeroed slice of n elements between two zones of NaN, and a function that fails the test when
// either zone has been written. A read past the ends shows as NaN in the kernel's result.
func Guarded(n int) (s []float32, check func(t testing.TB)) {
	bits := math.Float32frombits(guard32)
	buf, s := guarded(n, bits)
	return s, func(t testing.TB) {
		t.Helper()
		checkGuards(t, buf, n, func(v float32) bool { return math.Float32bits(v) == guard32 })
	}
}

// Guarded64 is Guarded for float64.
func Guarded64(n int) (s []float64, check func(t testing.TB)) {
	bits := math.Float64frombits(guard64)
	buf, s := guarded(n, bits)
	return s, func(t testing.TB) {
		t.Helper()
		checkGuards(t, buf, n, func(v float64) bool { return math.Float64bits(v) == guard64 })
	}
}

func guarded[T float32 | float64](n int, guard T) (buf, s []T) {
	buf = make([]T, n+2*guardZone)
	for i := 0; i < guardZone; i++ {
		buf[i], buf[guardZone+n+i] = guard, guard
	}
	return buf, buf[guardZone : guardZone+n : guardZone+n]
}

func checkGuards[T float32 | float64](t testing.TB, buf []T, n int, intact func(T) bool) {
	t.Helper()
	for i, v := range buf {
		if (i < guardZone || i >= guardZone+n) && !intact(v) {
			t.Errorf("guard zone overwritten: element %d of a slice of %d now holds %v", i-guardZone, n, v)
			return
		}
	}
}
