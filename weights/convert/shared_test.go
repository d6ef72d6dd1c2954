package convert

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// TestShared: weights of layers in several places are there once, vectors of images are found in all of them, and layers behind themselves are in one row.
func TestShared(t *testing.T) {
	b := nn.NewBuilder("m")
	x, y := b.Input(nn.Shape{8, 8, 3}), b.Input(nn.Shape{9, 9, 3})
	conv, flat := b.Share(nn.Conv2D{Filters: 4, Kernel: nn.K(3), Strides: nn.K(3), Padding: nn.Same, Name: "conv"}), b.Share(nn.Flatten{})
	head := b.Share(nn.Dense{Units: 36, Name: "head"})
	far := b.Add(head, b.Add(head, b.Add(flat, b.Add(conv, y))))
	m, err := b.Functional([]*nn.Tensor{x, y}, []*nn.Tensor{b.Add(nn.Add{}, b.Add(head, b.Add(flat, b.Add(conv, x))), far)})
	require.NoError(t, err)
	all, units := slots(m)
	require.Len(t, all, 4)
	require.Equal(t, 2, units)
	require.Equal(t, []int{3, 3, 4}, all[2].flat)
	require.True(t, inOneRow(m))

	src := &Source{Path: "x", Layout: TorchLayout}
	for _, s := range all {
		a := s.arrangement(TorchLayout)
		src.Tensors = append(src.Tensors, weights.Tensor{Name: s.layer.Name + "." + s.leaf(), DType: "F32", Shape: a.shape, Data: make([]float32, elements(a.shape))})
	}
	p, err := Match(m, src, Options{})
	require.NoError(t, err)
	require.Len(t, p.Notes, 1)
	require.Contains(t, p.Notes[0], `in "conv"`, "padding is uneven in one of its places")
	_, err = p.Apply()
	require.NoError(t, err)
}
