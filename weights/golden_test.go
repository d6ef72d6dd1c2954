package weights

import (
	"bytes"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

const goldenPath = "testdata/golden.safetensors" // by testdata/make_golden.py

func TestGoldenRead(t *testing.T) {
	f, err := ReadSafetensors(goldenPath)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"note": "quotes \" \\ tab\t newline\n <html> & é 例"}, f.Metadata)
	require.Len(t, f.Tensors, 15)

	kernel := make([]float32, 3*3*3*2)
	for i := range kernel {
		kernel[i] = float32(i)
	}
	for _, want := range []Tensor{
		{"f64", "F64", []int{3}, []float64{0.1, -1e300, 5e-324}},
		{"f16", "F16", []int{7}, []uint16{0x3c00, 0xc100, 0x7bff, 0x0001, 0x7c00, 0x8000, 0x03ff}},
		{"i64", "I64", []int{2, 1}, []int64{math.MinInt64, math.MaxInt64}},
		{"i32", "I32", []int{3}, []int32{math.MinInt32, 7, math.MaxInt32}},
		{"i16", "I16", []int{2}, []int16{-32768, 32767}},
		{"i8", "I8", []int{1, 1, 3}, []int8{-128, 0, 127}},
		{"u64", "U64", []int{1}, []uint64{math.MaxUint64}},
		{"u32", "U32", []int{1}, []uint32{math.MaxUint32}},
		{"u16", "U16", []int{2}, []uint16{65535, 1}},
		{"u8", "U8", []int{5}, []uint8{0, 1, 2, 3, 4}},
		{"bool", "BOOL", []int{3}, []uint8{1, 0, 1}},
		{"scalar", "F32", []int{}, []float32{42}},
		{"empty", "F32", []int{0, 3}, []float32{}},
		{"model/block1_conv1/kernel", "F32", []int{3, 3, 3, 2}, kernel},
	} {
		got := f.Lookup(want.Name)
		require.NotNil(t, got, want.Name)
		require.Equal(t, want, *got)
	}
	require.Nil(t, f.Lookup("f3"))

	f32 := f.Lookup("f32").Data.([]float32)
	require.Equal(t, []int{2, 3}, f.Lookup("f32").Shape)
	require.True(t, math.IsNaN(float64(f32[3])))
	f32[3] = 0
	require.Equal(t, []float32{1.5, float32(math.Copysign(0, -1)), float32(math.Inf(1)), 0, 1e-45, math.MaxFloat32}, f32)
	require.True(t, math.Signbit(float64(f32[1])))

	half, err := f.Lookup("f16").Float32s()
	require.NoError(t, err)
	require.Equal(t, []float32{1, -2.5, 65504, 0x1p-24, float32(math.Inf(1)), 0, 1023 * 0x1p-24}, half)
}

// The golden file's order written again must be the reference's file, byte for byte.
func TestGoldenWrite(t *testing.T) {
	want, err := os.ReadFile(goldenPath)
	require.NoError(t, err)
	f, err := ReadSafetensors(goldenPath)
	require.NoError(t, err)
	var got bytes.Buffer
	require.NoError(t, EncodeSafetensors(&got, f))
	require.True(t, bytes.Equal(want, got.Bytes()), "got\n%q\nwant\n%q", got.Bytes(), want)
}

// Another order of the tensors, which leaves some unaligned, survives as well;
// with STHENO_SAFETENSORS_OUT set the file stays for make_golden.py --check.
func TestGoldenRoundTrip(t *testing.T) {
	f, err := ReadSafetensors(goldenPath)
	require.NoError(t, err)
	slices.Reverse(f.Tensors)
	path := os.Getenv("STHENO_SAFETENSORS_OUT")
	if path == "" {
		path = t.TempDir() + "/ours.safetensors"
	}
	require.NoError(t, WriteSafetensors(path, f))
	again, err := ReadSafetensors(path)
	require.NoError(t, err)
	require.Equal(t, f.Metadata, again.Metadata)
	require.Len(t, again.Tensors, len(f.Tensors))
	for i, want := range f.Tensors {
		got := again.Tensors[i]
		// As bytes, because NaN does not equal itself.
		require.Equal(t, bytesOf(want.Data), bytesOf(got.Data), want.Name)
		want.Data, got.Data = nil, nil
		require.Equal(t, want, got)
	}
}
