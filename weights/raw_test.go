package weights

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestView(t *testing.T) {
	data := make([]float32, 24)
	for i := range data {
		data[i] = float32(i)
	}
	x := Tensor{Name: "x", Shape: []int{2, 3, 4}, Data: data}
	for name, c := range map[string]struct {
		offset         int
		shape, strides []int
		want           []float32
		shared         bool
	}{
		"all":           {0, []int{2, 3, 4}, []int{12, 4, 1}, data, true},
		"scalar":        {5, []int{}, []int{}, []float32{5}, true},
		"slice":         {6, []int{3}, []int{1}, []float32{6, 7, 8}, true},
		"any stride":    {6, []int{1, 3, 1}, []int{99, 1, 77}, []float32{6, 7, 8}, true},
		"transposed":    {0, []int{4, 2}, []int{1, 4}, []float32{0, 4, 1, 5, 2, 6, 3, 7}, false},
		"every second":  {1, []int{2, 3}, []int{12, 2}, []float32{1, 3, 5, 13, 15, 17}, false},
		"axes reversed": {0, []int{4, 3, 2}, []int{1, 4, 12}, []float32{0, 12, 4, 16, 8, 20, 1, 13, 5, 17, 9, 21, 2, 14, 6, 18, 10, 22, 3, 15, 7, 19, 11, 23}, false},
		"expanded":      {2, []int{3}, []int{0}, []float32{2, 2, 2}, false},
		"empty":         {99, []int{0, 3}, []int{1, 1}, []float32{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := x.View("v", c.offset, c.shape, c.strides)
			require.NoError(t, err)
			require.Equal(t, Tensor{Name: "v", DType: "F32", Shape: c.shape, Data: c.want}, v)
			if got := v.Data.([]float32); len(got) > 0 {
				require.Equal(t, c.shared, &got[0] == &data[c.offset])
			}
		})
	}
	const huge = int(^uint(0) >> 1)
	for _, c := range []struct {
		offset         int
		shape, strides []int
	}{{24, []int{}, []int{}}, {-1, []int{1}, []int{1}}, {0, []int{25}, []int{1}}, {0, []int{3}, []int{12}}, {0, []int{2}, []int{-1}},
		{0, []int{2}, []int{1, 1}}, {0, []int{-2}, []int{1}}, {huge, []int{3}, []int{huge}}, {0, []int{3, 3}, []int{huge, huge}}, {0, []int{huge, huge}, []int{0, 0}}} {
		_, err := x.View("v", c.offset, c.shape, c.strides)
		require.Error(t, err, "%v", c)
	}
}

func TestReadTensorReadsWhatWriteDataWrites(t *testing.T) {
	for _, dtype := range []string{"BOOL", "U8", "I8", "F16", "BF16", "U16", "I16", "U32", "I32", "F32", "U64", "I64", "F64"} {
		size, ok := DTypeSize(dtype)
		require.True(t, ok)
		raw := make([]byte, 6*size)
		for i := range raw {
			raw[i] = byte(i + 1)
		}
		x, err := ReadTensor(bytes.NewReader(raw), "x", dtype, []int{2, 3})
		require.NoError(t, err)
		var out bytes.Buffer
		require.NoError(t, x.WriteData(&out))
		require.Equal(t, raw, out.Bytes())
		_, err = ReadTensor(bytes.NewReader(raw[1:]), "x", dtype, []int{2, 3})
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	}
	_, err := ReadTensor(nil, "x", "F99", nil)
	require.ErrorContains(t, err, "F99")
	_, err = ReadTensor(nil, "x", "F64", []int{1 << 62})
	require.ErrorContains(t, err, "impossible")
}
