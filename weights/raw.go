package weights

import (
	"fmt"
	"io"
	"math"
	"math/bits"
)

// DTypeSize is the number of bytes of an element of a dtype; ok is false for one that is not known.
func DTypeSize(dtype string) (size int, ok bool) { return dtypeSize(dtype) }

// Elements is the number of elements of a shape; ok is false where a dim is negative or the product too large.
func Elements(shape []int) (n int, ok bool) { return elementCount(shape) }

// ReadTensor reads the elements of a tensor, row-major and little-endian, from r, for readers of other formats. It takes
// the memory for them at once: the caller has checked that r can be expected to have so many bytes. Where it has
// fewer, the error wraps io.ErrUnexpectedEOF.
func ReadTensor(r io.Reader, name, dtype string, shape []int) (Tensor, error) {
	n, ok := elementCount(shape)
	size, known := dtypeSize(dtype)
	switch {
	case !known:
		return Tensor{}, fmt.Errorf("weights: tensor %q has dtype %q, not %s", name, dtype, knownDTypes)
	case !ok || n > math.MaxInt/size:
		return Tensor{}, fmt.Errorf("weights: tensor %q has the impossible shape %v", name, shape)
	}
	t := Tensor{Name: name, DType: dtype, Shape: shape, Data: newData(dtype, n)}
	raw := bytesOf(t.Data)
	if got, err := io.ReadFull(r, raw); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Tensor{}, fmt.Errorf("weights: tensor %q: %d of %d bytes: %w", name, got, len(raw), err)
	}
	fromLittleEndian(t.Data, hostLittleEndian)
	return t, nil
}

// WriteData writes the elements of a tensor, row-major and little-endian: what ReadTensor reads.
func (t *Tensor) WriteData(w io.Writer) error {
	if _, _, err := t.check(); err != nil {
		return err
	}
	return writeData(w, t.Data, hostLittleEndian)
}

// View returns the tensor whose element (i, j, …) is element offset + i·strides[0] + j·strides[1] + … of t, under
// another name: slices, transposes and permutations of axes, as other programs store them. Where its elements lie in
// t in order, the data is shared with t; else it is copied. Every element must lie in t.
func (t *Tensor) View(name string, offset int, shape, strides []int) (Tensor, error) {
	length, _, ok := dataInfo(t.Data)
	n, sound := elementCount(shape)
	switch {
	case !ok:
		return Tensor{}, fmt.Errorf("weights: tensor %q holds %T", t.Name, t.Data)
	case !sound || len(shape) != len(strides) || offset < 0:
		return Tensor{}, fmt.Errorf("weights: %q cannot be a view of shape %v, strides %v, offset %d", name, shape, strides, offset)
	}
	v := Tensor{Name: name, DType: t.dtype(), Shape: shape}
	if n == 0 {
		v.Data = newData(v.DType, 0)
		return v, nil
	}
	last, inOrder := uint64(offset), true
	for i, next := len(shape)-1, 1; i >= 0; i-- {
		hi, far := bits.Mul64(uint64(shape[i]-1), uint64(strides[i]))
		if strides[i] < 0 || hi != 0 || far > math.MaxInt64 || last+far > math.MaxInt64 {
			return Tensor{}, fmt.Errorf("weights: %q cannot be a view of shape %v, strides %v, offset %d", name, shape, strides, offset)
		}
		last += far
		inOrder = inOrder && (shape[i] == 1 || strides[i] == next)
		next *= shape[i]
	}
	if last >= uint64(length) {
		return Tensor{}, fmt.Errorf("weights: %q of shape %v, strides %v, offset %d reaches to element %d of the %d that are stored",
			name, shape, strides, offset, last, length)
	}
	switch d := t.Data.(type) {
	case []uint8:
		v.Data = gather(d, offset, n, shape, strides, inOrder)
	case []int8:
		v.Data = gather(d, offset, n, shape, strides, inOrder)
	case []uint16:
		v.Data = gather(d, offset, n, shape, strides, inOrder)
	case []int16:
		v.Data = gather(d, offset, n, shape, strides, inOrder)
	case []uint32:
		v.Data = gather(d, offset, n, shape, strides, inOrder)
	case []int32:
		v.Data = gather(d, offset, n, shape, strides, inOrder)
	case []float32:
		v.Data = gather(d, offset, n, shape, strides, inOrder)
	case []uint64:
		v.Data = gather(d, offset, n, shape, strides, inOrder)
	case []int64:
		v.Data = gather(d, offset, n, shape, strides, inOrder)
	case []float64:
		v.Data = gather(d, offset, n, shape, strides, inOrder)
	}
	return v, nil
}

// gather returns the n elements of a view whose sizes View has checked.
func gather[T any](from []T, offset, n int, shape, strides []int, inOrder bool) []T {
	if inOrder {
		return from[offset : offset+n : offset+n]
	}
	out := make([]T, 0, n)
	index := make([]int, len(shape))
	inner, step := shape[len(shape)-1], strides[len(shape)-1]
	for at := offset; ; {
		for i, p := 0, at; i < inner; i, p = i+1, p+step {
			out = append(out, from[p])
		}
		axis := len(shape) - 2
		for ; axis >= 0; axis-- {
			index[axis]++
			at += strides[axis]
			if index[axis] < shape[axis] {
				break
			}
			at -= index[axis] * strides[axis]
			index[axis] = 0
		}
		if axis < 0 {
			return out
		}
	}
}

// TypeName is the tensor's dtype: DType, or what the data's Go type stands for where that is empty.
func (t *Tensor) TypeName() string { return t.dtype() }
