package weights

import (
	"fmt"
	"math"
)

// NewTensor makes a tensor out of elements in little-endian order, which fill writes into the memory that the tensor will
// have: for readers of other formats. Memory is taken for what shape and dtype say, so compare them with what the file
// can hold before. The names of dtypes are those of [Tensor].
func NewTensor(name, dtype string, shape []int, fill func(raw []byte) error) (Tensor, error) {
	width, known := dtypeSize(dtype)
	n, sound := elementCount(shape)
	if !known || !sound || n > math.MaxInt/width {
		return Tensor{}, fmt.Errorf("weights: tensor %q of dtype %q and shape %v cannot be: the dtype must be %s, and the bytes few enough to be counted",
			name, dtype, shape, knownDTypes)
	}
	t := Tensor{Name: name, DType: dtype, Shape: append([]int{}, shape...), Data: newData(dtype, n)}
	if err := fill(bytesOf(t.Data)); err != nil {
		return Tensor{}, err
	}
	fromLittleEndian(t.Data, hostLittleEndian)
	return t, nil
}
