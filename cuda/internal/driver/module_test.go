//go:build gpu && cgo && linux

package driver

import (
	"encoding/binary"
	"errors"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cuda/internal/nvrtc"
)

// add is a kernel that adds k to n numbers, and uses dynamic shared memory on the way.
const add = `
extern "C" __global__ void add(int *x, int k, int n) {
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	if (i < n) x[i] += k;
}`

func loadAdd(t *testing.T, d *Device) *Module {
	lib, err := nvrtc.Load(Version() / 1000)
	require.NoError(t, err)
	arch, _ := nvrtc.ArchFor(d.Major, d.Minor, lib.Archs())
	image, _, err := lib.Compile("add.cu", add, arch)
	require.NoError(t, err)
	m, err := d.Load(image)
	require.NoError(t, err)
	return m
}

func number(x any) []byte {
	switch x := x.(type) {
	case Ptr:
		return binary.LittleEndian.AppendUint64(nil, uint64(x))
	case int32:
		return binary.LittleEndian.AppendUint32(nil, uint32(x))
	}
	panic(x)
}

// Kernels run with their arguments of the moment; a recorded graph keeps those of when it was recorded.
func TestModulesLaunchesAndGraphs(t *testing.T) {
	d := openDevice(t, 0)
	on(t, d, func() error {
		m := loadAdd(t, d)
		_, err := m.Function("subtract", 0)
		require.ErrorContains(t, err, "cuModuleGetFunction subtract: CUDA_ERROR_NOT_FOUND")
		f, err := m.Function("add", 0)
		require.NoError(t, err)
		_, err = m.Function("add", 64<<10)
		require.NoError(t, err)
		_, err = m.Function("add", 1<<30)
		require.ErrorContains(t, err, "cuFuncSetAttribute add: CUDA_ERROR_INVALID_VALUE")

		const n = 1000
		s, err := NewStream()
		require.NoError(t, err)
		host, err := NewPinned(4 * n)
		require.NoError(t, err)
		a, err := d.Memory.Alloc(4*n, "a")
		require.NoError(t, err)
		b, err := d.Memory.Alloc(4*n, "b")
		require.NoError(t, err)
		require.NoError(t, s.Fill(a, 0, 4*n))
		require.NoError(t, s.Fill(b, 0, 4*n))
		sums := func(at Ptr, want int32) {
			t.Helper()
			require.NoError(t, s.ToHost(host.Bytes(), at))
			require.NoError(t, s.Synchronize())
			for _, v := range unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(host.Bytes()))), n) {
				require.Equal(t, want, v)
			}
		}
		l := NewLaunch(f, [3]int{4, 1, 1}, [3]int{256, 1, 1}, 0, [][]byte{number(a), number(int32(5)), number(int32(n))})
		require.NoError(t, l.Run(s))
		require.NoError(t, l.Run(s))
		sums(a, 10)
		*l.Arg(0) = uint64(b)
		require.NoError(t, l.Run(s))
		sums(b, 5)

		g, err := s.Capture(func() error { return errors.Join(l.Run(s), l.Run(s)) })
		require.NoError(t, err)
		sums(b, 5) // recorded, not run
		*l.Arg(0) = uint64(a)
		require.NoError(t, g.Launch(s))
		require.NoError(t, g.Launch(s))
		sums(b, 25)
		require.NoError(t, g.Close())
		require.NoError(t, g.Close())

		no := errors.New("no")
		_, err = s.Capture(func() error { return errors.Join(l.Run(s), no) })
		require.ErrorIs(t, err, no)
		_, err = s.Capture(func() error { _ = s.Synchronize(); return nil })
		require.ErrorContains(t, err, "cuStreamEndCapture: CUDA_ERROR_STREAM_CAPTURE_INVALIDATED")
		require.Panics(t, func() { _, _ = s.Capture(func() error { panic("oh") }) })
		sums(a, 10) // and the stream goes on

		tooLarge := NewLaunch(f, [3]int{1, 1, 1}, [3]int{2048, 1, 1}, 0, [][]byte{number(a), number(int32(5)), number(int32(n))})
		require.ErrorContains(t, tooLarge.Run(s), "cuLaunchKernel: CUDA_ERROR_INVALID_VALUE")
		sums(a, 10)
		l.Close()
		l.Close()
		tooLarge.Close()
		require.NoError(t, m.Close())
		require.NoError(t, m.Close())
		return errors.Join(host.Close(), s.Close(), d.Memory.Free(a), d.Memory.Free(b))
	})
}
