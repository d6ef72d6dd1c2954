//go:build gpu && cgo && linux

package cuda_test

import (
	"encoding/binary"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
	"github.com/stheno-ml/stheno/cuda/internal/nvrtc"
	"github.com/stheno-ml/stheno/cuda/kernels"
)

// product gives both warps of a block the same operands, as mma.cuh says that lanes hold them; the second computes in tf32.
const product = `
KERNEL product(float *c, const float *a, const float *b) {
	const int lane = threadIdx.x % WARP, g = lane / 4, t = lane % 4;
	u32 fa[4], fb[2];
	for (int i = 0; i < 4; i++) {
		const float *at = a + (g + i % 2 * 8) * 16 + 2 * t + i / 2 * 8;
		fa[i] = bf16_pair(at[0], at[1]);
	}
	for (int i = 0; i < 2; i++) {
		const float *at = b + (2 * t + i * 8) * 8 + g;
		fb[i] = bf16_pair(at[0], at[8]);
	}
	float sum[4];
	for (int i = 0; i < 4; i++) {
		sum[i] = threadIdx.x / WARP;
	}
	mma_bf16(sum, fa, fb[0], fb[1]);
	// The same in two halves, in tf32, the second warp alone.
	if (threadIdx.x / WARP == 1) {
		for (int i = 0; i < 4; i++) {
			sum[i] = 1;
		}
		for (int half = 0; half < 16; half += 8) {
			for (int i = 0; i < 4; i++) {
				fa[i] = to_tf32(a[(g + i % 2 * 8) * 16 + half + t + i / 2 * 4]);
			}
			for (int i = 0; i < 2; i++) {
				fb[i] = to_tf32(b[(half + t + i * 4) * 8 + g]);
			}
			mma_tf32(sum, fa, fb[0], fb[1]);
		}
	}
	for (int i = 0; i < 4; i++) {
		c[threadIdx.x / WARP * 128 + (g + i / 2 * 8) * 8 + 2 * t + i % 2] = sum[i];
	}
}`

// The product of tensor cores has its operands where mma.cuh says, on a GPU as in the text for machines without: each place has a number
// of its own, and all sums are exact.
func TestTensorCoresHaveTheirOperandsWhereWeSay(t *testing.T) {
	needGPU(t)
	const rows, inner, columns, warps = 16, 16, 8, 2
	var a [rows * inner]float32
	var b [inner * columns]float32
	for i := range a {
		a[i] = float32(i*37%len(a) + 1) // up to 256, which bfloat16 holds
	}
	for i := range b {
		b[i] = float32(i*29%len(b)-len(b)/2) + 0.5
	}
	mma, err := kernels.Files.ReadFile("mma.cuh")
	require.NoError(t, err)
	source := kernel.Text("product", tensor.Float32, string(mma)+product)
	d, err := driver.Open(0, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	if d.Major < 8 {
		t.Skip("this GPU has no tensor cores for bfloat16")
	}
	require.NoError(t, d.Do(func() error {
		lib, err := nvrtc.Load(driver.Version() / 1000)
		require.NoError(t, err)
		arch, _ := nvrtc.ArchFor(d.Major, d.Minor, lib.Archs())
		image, log, err := lib.Compile(source.Name, source.Text, arch, "--std=c++17", "-default-device")
		require.NoError(t, err, log)
		m, err := d.Load(image)
		require.NoError(t, err)
		defer func() { require.NoError(t, m.Close()) }()
		f, err := m.Function("product", 0)
		require.NoError(t, err)
		s, err := driver.NewStream()
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()
		var at []driver.Ptr
		var args [][]byte
		for _, bytes := range []int64{warps * rows * columns * 4, int64(len(a)) * 4, int64(len(b)) * 4} {
			p, err := d.Memory.Alloc(bytes, "operand")
			require.NoError(t, err)
			at, args = append(at, p), append(args, binary.LittleEndian.AppendUint64(nil, uint64(p)))
		}
		defer func() {
			for _, p := range at {
				require.NoError(t, d.Memory.Free(p))
			}
		}()
		host, err := driver.NewPinned(int64(len(a)) * 4)
		require.NoError(t, err)
		defer func() { require.NoError(t, host.Close()) }()
		numbers := unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(host.Bytes()))), len(a))
		for i, operand := range [][]float32{a[:], b[:]} {
			n := copy(numbers, operand)
			require.NoError(t, s.ToDevice(at[i+1], host.Bytes()[:4*n]))
			require.NoError(t, s.Synchronize())
		}
		l := driver.NewLaunch(f, [3]int{1, 1, 1}, [3]int{32 * warps, 1, 1}, 0, args)
		defer l.Close()
		require.NoError(t, l.Run(s))
		require.NoError(t, s.ToHost(host.Bytes()[:4*warps*rows*columns], at[0]))
		require.NoError(t, s.Synchronize())
		for w := range warps {
			for i := range rows {
				for j := range columns {
					want := float32(w)
					for k := range inner {
						want += a[i*inner+k] * b[k*columns+j]
					}
					require.Equal(t, want, numbers[(w*rows+i)*columns+j], "warp %d, row %d, column %d", w, i, j)
				}
			}
		}
		return nil
	}))
}
