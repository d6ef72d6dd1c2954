package numtest

import "math"

// The counter-based generator behind the golden nets: SplitMix64 (Steele, Lea, Flood 2014) started at a state made of
// the seed and the name. scripts/golden/fill.py is the other implementation; the two agree to the bit because
// everything up to the last two roundings is done in integers or exactly.

// FillUniform fills dst with numbers strictly between -limit and limit, element i depending on (name, seed, i) only:
// float32((((z>>40)+0.5)·2⁻²³ − 1)·limit), the product rounded to float64 first, with z as in fill.py.
func FillUniform(name string, seed uint64, limit float64, dst []float32) {
	key := seed ^ fnv1a64(name)
	for i := range dst {
		// Exact in float64: 24 bits, a half, a power of two. The product is a separate statement so that no compiler
		// may fuse it into anything.
		u := (float64(word(key, i)>>40)+0.5)*0x1p-23 - 1
		v := u * limit
		dst[i] = float32(v)
	}
}

// FillUnit fills dst with multiples of 2⁻²⁴ in [0, 1): the pixels of the golden batches.
func FillUnit(name string, seed uint64, dst []float32) {
	key := seed ^ fnv1a64(name)
	for i := range dst {
		dst[i] = float32(word(key, i)>>40) * 0x1p-24
	}
}

// FillLabels fills dst with class numbers 0 … classes−1. It panics on classes < 1, which only a wrong test can ask for.
func FillLabels(name string, seed uint64, classes int, dst []int) {
	if classes < 1 || int64(classes) > math.MaxUint32 {
		panic("numtest: FillLabels: want at least one class")
	}
	key := seed ^ fnv1a64(name)
	for i := range dst {
		dst[i] = int((word(key, i) >> 32) * uint64(classes) >> 32)
	}
}

// word is z(i) of the generator.
func word(key uint64, i int) uint64 {
	z := key + (uint64(i)+1)*0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// fnv1a64 is the 64-bit FNV-1a digest of the name's bytes.
func fnv1a64(name string) uint64 {
	h := uint64(0xCBF29CE484222325)
	for i := 0; i < len(name); i++ {
		h = (h ^ uint64(name[i])) * 0x100000001B3
	}
	return h
}
