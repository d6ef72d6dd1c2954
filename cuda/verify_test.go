//go:build gpu && cgo && linux

package cuda_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
)

// What is told of an element that differs is its index in the value, however that lies in memory.
func TestIndexOfAnElement(t *testing.T) {
	v := &graph.Value{Shape: tensor.Shape{2, 3, 5}}
	require.Equal(t, tensor.Shape{1, 0, 3}, cuda.IndexOf(v, 1*15+0*5+3))
	require.Equal(t, tensor.Shape{}, cuda.IndexOf(&graph.Value{}, 0))
	v.Transposed = true
	require.Equal(t, tensor.Shape{1, 0, 3}, cuda.IndexOf(v, 3*6+1*3+0))
}
