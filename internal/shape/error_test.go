package shape

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

func TestEqualButOnes(t *testing.T) {
	for _, s := range []tensor.Shape{nil, {1}, {1, 1}} {
		require.True(t, EqualButOnes(s, tensor.Shape{1}))
		require.False(t, EqualButOnes(s, tensor.Shape{2}))
	}
	s := tensor.Shape{1, 2, 1, 3}
	require.True(t, EqualButOnes(s, tensor.Shape{2, 3, 1}))
	require.False(t, EqualButOnes(s, tensor.Shape{3, 2}))
	require.Equal(t, tensor.Shape{1, 2, 1, 3}, s, "left as it was")
}
