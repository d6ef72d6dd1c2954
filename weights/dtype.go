package weights

import (
	"fmt"
	"math"
)

// dtypeSize gives the bytes per element of the dtypes that are read and
// written, by their names in the format. The sub-byte types of newer versions
// of the format (F4, F6_*) are refused by name.
func dtypeSize(dtype string) (size int, ok bool) {
	switch dtype {
	case "BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3":
		return 1, true
	case "U16", "I16", "F16", "BF16":
		return 2, true
	case "U32", "I32", "F32":
		return 4, true
	case "U64", "I64", "F64":
		return 8, true
	}
	return 0, false
}

const knownDTypes = "one of BOOL U8 I8 F8_E5M2 F8_E4M3 U16 I16 F16 BF16 U32 I32 F32 U64 I64 F64"

// newData allocates the Go slice that holds n elements of dtype.
// The dtypes without a Go type stay as bits: F16 and BF16 in []uint16, BOOL and
// the 8-bit floats in []uint8.
func newData(dtype string, n int) any {
	switch dtype {
	case "BOOL", "U8", "F8_E5M2", "F8_E4M3":
		return make([]uint8, n)
	case "I8":
		return make([]int8, n)
	case "U16", "F16", "BF16":
		return make([]uint16, n)
	case "I16":
		return make([]int16, n)
	case "U32":
		return make([]uint32, n)
	case "I32":
		return make([]int32, n)
	case "F32":
		return make([]float32, n)
	case "U64":
		return make([]uint64, n)
	case "I64":
		return make([]int64, n)
	case "F64":
		return make([]float64, n)
	}
	return nil
}

// dataInfo returns the length of a tensor's data and the dtype that its Go type
// stands for by itself.
func dataInfo(data any) (n int, dtype string, ok bool) {
	switch d := data.(type) {
	case []uint8:
		return len(d), "U8", true
	case []int8:
		return len(d), "I8", true
	case []uint16:
		return len(d), "U16", true
	case []int16:
		return len(d), "I16", true
	case []uint32:
		return len(d), "U32", true
	case []int32:
		return len(d), "I32", true
	case []float32:
		return len(d), "F32", true
	case []uint64:
		return len(d), "U64", true
	case []int64:
		return len(d), "I64", true
	case []float64:
		return len(d), "F64", true
	}
	return 0, "", false
}

// fits says whether Go data of the natural dtype natural may be stored as dtype.
func fits(natural, dtype string) bool {
	switch dtype {
	case "BOOL", "F8_E5M2", "F8_E4M3":
		return natural == "U8"
	case "F16", "BF16":
		return natural == "U16"
	}
	return natural == dtype
}

// Float32s returns the tensor's elements as float32. F32 data is returned as it
// is, without a copy; F16 and BF16 are widened, which is exact. Any other dtype
// is an error, because its values need not fit.
func (t *Tensor) Float32s() ([]float32, error) {
	switch d := t.Data.(type) {
	case []float32:
		return d, nil
	case []uint16:
		out := make([]float32, len(d))
		switch t.DType {
		case "BF16": // the upper half of a float32
			for i, b := range d {
				out[i] = math.Float32frombits(uint32(b) << 16)
			}
			return out, nil
		case "F16":
			for i, b := range d {
				out[i] = halfToFloat32(b)
			}
			return out, nil
		}
	}
	return nil, fmt.Errorf("weights: tensor %q is %s: only F32, F16 and BF16 become float32 without loss", t.Name, t.DType)
}

// halfToFloat32 widens an IEEE 754 binary16 number. Every half is exactly a
// float32; the payload of a NaN is kept.
func halfToFloat32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exponent := uint32(h>>10) & 0x1f
	fraction := uint32(h & 0x3ff)
	switch exponent {
	case 0: // zero and subnormals: fraction · 2⁻²⁴
		value := float32(fraction) * 0x1p-24
		return math.Float32frombits(math.Float32bits(value) | sign)
	case 0x1f: // infinity and NaN
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
