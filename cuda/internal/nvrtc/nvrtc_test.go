//go:build gpu && cgo && linux

package nvrtc

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// library is the NVRTC of the machine.
func library(t *testing.T) *Library {
	t.Helper()
	l, err := Load(0)
	if err != nil {
		t.Skip("no NVRTC to test with: set STHENO_NVRTC_PATH. ", err)
	}
	return l
}

const twice = `extern "C" __global__ void twice(float *x, int n) {
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	if (i < n) x[i] *= FACTOR;
}`

// newest is the option for the newest GPU that NVRTC knows.
func newest(l *Library, kind string) string {
	return fmt.Sprintf("--gpu-architecture=%s_%d", kind, l.Archs()[len(l.Archs())-1])
}

func TestCompileWritesMachineCodeAndPTX(t *testing.T) {
	l := library(t)
	require.Regexp(t, `^1\d\.\d+$`, l.Version())
	require.Regexp(t, `^/`, l.Path())
	require.True(t, slices.IsSorted(l.Archs()))
	require.NotEmpty(t, l.Archs())

	cubin, _, err := l.Compile("twice.cu", twice, newest(l, "sm"), "-DFACTOR=2.0f")
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(cubin, []byte("\x7fELF")))

	ptx, _, err := l.Compile("twice.cu", twice, newest(l, "compute"), "-DFACTOR=2.0f")
	require.NoError(t, err)
	require.NotEqual(t, cubin, ptx)
	if !bytes.Contains(ptx, []byte("simulated PTX")) {
		require.True(t, bytes.Contains(ptx, []byte(".entry twice")))
	}
	require.Zero(t, ptx[len(ptx)-1])
}

func TestCompileSaysWhatIsWrong(t *testing.T) {
	l := library(t)
	_, log, err := l.Compile("twice.cu", twice, newest(l, "sm"))
	require.Contains(t, log, "FACTOR")
	var e *CompileError
	require.ErrorAs(t, err, &e)
	require.ErrorContains(t, err, "does not compile twice.cu (--gpu-architecture=sm_")
	require.ErrorContains(t, err, "FACTOR")
}

func TestCompileFromManyGoroutines(t *testing.T) {
	l := library(t)
	images, errs := make([][]byte, 4), make([]error, 4)
	var wg sync.WaitGroup
	for i := range images {
		wg.Go(func() {
			images[i], _, errs[i] = l.Compile("twice.cu", twice, newest(l, "sm"), fmt.Sprintf("-DFACTOR=%d", i/2))
		})
	}
	wg.Wait()
	for i := range images {
		require.NoError(t, errs[i])
	}
	require.NotEqual(t, images[0], images[2])
}
