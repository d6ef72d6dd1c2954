package kernel

import (
	bin "encoding/binary"
	"math"
	"math/bits"

	"gorgonia.org/tensor"
)

// indexes is the numbering of elements that a kernel with index.cuh has: in 32 bits, where divisions are products, or in 64.
type indexes struct{ wide bool }

// indexesFor returns the numbering for tensors of up to n elements.
func indexesFor(n int) indexes { return indexes{n > math.MaxInt32} }

// source is a file of package kernels with index.cuh in front.
func (x indexes) source(name string, dt tensor.Dtype) Source {
	return Text(name, dt, x.header()+read(name))
}

// header is what defines Index and Division.
func (x indexes) header() string {
	if x.wide {
		return read("index64.cuh") + read("index.cuh")
	}
	return read("index32.cuh") + read("index.cuh")
}

// division is the struct Division that divides by d, at least 1.
func (x indexes) division(d int) Bytes {
	if x.wide {
		return bin.LittleEndian.AppendUint64(nil, uint64(d))
	}
	// With 2^s ≥ d, the factor 2^(31+s)/d, rounded up, is too large by less than d/d; times a number below 2³¹ and divided by
	// 2^(31+s), that is less than 1/d, which never carries a quotient over the next integer. The factor has 32 bits.
	s := bits.Len64(uint64(d) - 1)
	factor := uint64(1)<<(31+s)/uint64(d) + 1
	var b Bytes
	for _, v := range []uint64{uint64(d), factor, uint64(31 + s)} {
		b = bin.LittleEndian.AppendUint32(b, uint32(v))
	}
	return b
}

// argument is i as an argument of type Index.
func (x indexes) argument(i int) any {
	if x.wide {
		return int64(i)
	}
	return uint32(i)
}
