package cudnn

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

func TestPose(t *testing.T) {
	c := &kernel.Convolution{
		Dtype: tensor.Float32, N: 2, H: 9, W: 8, C: 6, K: 4, R: 3, S: 2, OH: 5, OW: 4, Stride: [2]int{2, 3}, Dilation: [2]int{1, 2},
		Top: 1, Bottom: 2, Left: 3, Right: 4, Groups: 2, Bias: &kernel.Pointer{Offset: 24}, ReLU: true,
	}
	p, err := pose(c)
	require.NoError(t, err)
	require.Equal(t, operand{uid: uidX, dims: []int64{2, 6, 9, 8}, strides: []int64{432, 1, 48, 6}, alignment: 64}, p.x)
	require.Equal(t, operand{uid: uidW, dims: []int64{4, 3, 3, 2}, strides: []int64{18, 1, 6, 3}, alignment: 64}, p.w, "a filter has the channels of its group")
	require.Equal(t, operand{uid: uidY, dims: []int64{2, 4, 5, 4}, strides: []int64{80, 1, 16, 4}, alignment: 64}, p.y)
	require.Equal(t, &operand{uid: uidBias, dims: []int64{1, 4, 1, 1}, strides: []int64{4, 1, 4, 4}, alignment: 8}, p.bias)
	require.Nil(t, p.residual)
	c.Residual = &kernel.Pointer{Offset: 32}
	with, err := pose(c)
	require.NoError(t, err)
	require.Equal(t, &operand{uid: uidResidual, dims: p.y.dims, strides: p.y.strides, alignment: 32}, with.residual)
	require.Equal(t, p.posed, with.posed)
	c.Residual, c.Bias, c.ReLU, c.Pass, c.Mask = nil, nil, false, kernel.BackwardInput, &kernel.Pointer{Offset: 48}
	masked, err := pose(c)
	require.NoError(t, err)
	require.Equal(t, &operand{uid: uidMask, dims: p.x.dims, strides: p.x.strides, alignment: 16}, masked.mask)
	c.Select = true
	selected, err := pose(c)
	require.NoError(t, err)
	require.Equal(t, masked.mask, selected.mask)
	require.Equal(t, masked.String()+" that selects", selected.String())
	require.Equal(t, operand{uid: uidAbove, dtype: dataBoolean, dims: p.x.dims, strides: p.x.strides, alignment: 64}, selected.above())
	require.Equal(t, operand{uid: uidZero, dims: []int64{1, 1, 1, 1}, strides: []int64{1, 1, 1, 1}, alignment: 4}, selected.zero())
	c.Sums = &kernel.Pointer{Offset: 4}
	summed, err := pose(c)
	require.NoError(t, err)
	require.Equal(t, []operand{{uid: uidSums, dims: []int64{1, 6, 1, 1}, strides: []int64{6, 1, 6, 6}, alignment: 4}}, summed.sums, "one of each channel of x")
	require.True(t, summed.repeats)
	require.Contains(t, summed.String(), "the same in every run")
	c.Mask, c.Select, c.Sums = nil, false, nil
	plain, err := pose(c)
	require.NoError(t, err)
	require.Equal(t, plain.posed, masked.posed)
	require.Contains(t, masked.String(), plain.String()+" mask ", "what is kept of measurements without a mask stays valid")
	require.Equal(t, []int64{1, 3}, p.pre)
	require.Equal(t, []int64{2, 4}, p.post)
	require.Equal(t, []int64{2, 3}, p.strides)
	require.Equal(t, []int64{1, 2}, p.dilations)
}

func TestPoseFollowsThePrecision(t *testing.T) {
	for _, c := range []struct {
		dt                    tensor.Dtype
		precision             kernel.Precision
		rounded               bool
		images, bias, compute int32
		units                 bool // tensor cores are allowed
	}{
		{tensor.Float32, kernel.FP32, false, dataFloat, dataFloat, dataFloat, false},
		{tensor.Float32, kernel.TF32, false, dataFloat, dataFloat, dataFloat, true},
		{tensor.Float32, kernel.BF16, false, dataFloat, dataFloat, dataFloat, true},
		{tensor.Float32, kernel.BF16, true, dataBFloat16, dataFloat, dataFloat, true},
		{tensor.Float64, kernel.BF16, false, dataDouble, dataDouble, dataDouble, true},
	} {
		p, err := pose(&kernel.Convolution{Dtype: c.dt, Precision: c.precision, Rounded: c.rounded, Bias: &kernel.Pointer{}, N: 1, H: 1, W: 1, C: 1, K: 1, R: 1, S: 1, OH: 1, OW: 1})
		require.NoError(t, err)
		require.Equal(t, []int32{c.images, c.images, c.images, c.bias, c.compute}, []int32{p.x.dtype, p.w.dtype, p.y.dtype, p.bias.dtype, p.compute})
		require.Contains(t, p.excluded, int32(noteNondeterministic))
		require.Equal(t, c.units, p.excludes([]int32{noteTensorCore}) == "")
	}
	require.NotContains(t, excluded, int32(noteTensorCore), "the list of all precisions is not changed")
}

func TestPoseRefuses(t *testing.T) {
	for _, c := range []kernel.Convolution{
		{Dtype: tensor.Int, N: 1, H: 1, W: 1, C: 1, K: 1, R: 1, S: 1, OH: 1, OW: 1},
		{Dtype: tensor.Float32, N: 0, H: 1, W: 1, C: 1, K: 1, R: 1, S: 1, OH: 1, OW: 1},
		{Dtype: tensor.Float32, Pass: kernel.BackwardInput, Residual: &kernel.Pointer{}, N: 1, H: 1, W: 1, C: 1, K: 1, R: 1, S: 1, OH: 1, OW: 1},
		{Dtype: tensor.Float32, Precision: kernel.TF32, Residual: &kernel.Pointer{}, Sums: &kernel.Pointer{}, N: 1, H: 1, W: 1, C: 1, K: 1, R: 1, S: 1, OH: 1, OW: 1},
		{Dtype: tensor.Float32, Mask: &kernel.Pointer{}, N: 1, H: 1, W: 1, C: 1, K: 1, R: 1, S: 1, OH: 1, OW: 1},
		{Dtype: tensor.Float64, Pass: kernel.BackwardInput, Mask: &kernel.Pointer{}, N: 1, H: 1, W: 1, C: 1, K: 1, R: 1, S: 1, OH: 1, OW: 1},
		{Dtype: tensor.Float32, Pass: kernel.BackwardInput, Select: true, N: 1, H: 1, W: 1, C: 1, K: 1, R: 1, S: 1, OH: 1, OW: 1},
		{Dtype: tensor.Float32, Pass: kernel.BackwardInput, Sums: &kernel.Pointer{}, N: 1, H: 1, W: 1, C: 1, K: 1, R: 1, S: 1, OH: 1, OW: 1},
		{Dtype: tensor.Float32, Pass: kernel.BackwardInput, ReLU: true, N: 1, H: 1, W: 1, C: 1, K: 1, R: 1, S: 1, OH: 1, OW: 1},
	} {
		_, err := pose(&c)
		require.ErrorIs(t, err, ErrUnsupported)
	}
}
