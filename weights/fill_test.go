package weights

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNewTensor(t *testing.T) {
	x, err := NewTensor("x", "I16", []int{2}, func(raw []byte) error {
		copy(raw, []byte{1, 2, 3, 4})
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, Tensor{Name: "x", DType: "I16", Shape: []int{2}, Data: []int16{0x201, 0x403}}, x)
	stop := errors.New("stop")
	_, err = NewTensor("x", "F32", nil, func([]byte) error { return stop })
	require.ErrorIs(t, err, stop)
	for _, shape := range [][]int{{-1}, {math.MaxInt, 2}, {math.MaxInt / 2}} {
		_, err = NewTensor("x", "F64", shape, nil)
		require.ErrorContains(t, err, "cannot be")
	}
	_, err = NewTensor("x", "F99", nil, nil)
	require.ErrorContains(t, err, "F99")
}
