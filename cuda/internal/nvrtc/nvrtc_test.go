//go:build gpu && cgo && linux

package nvrtc

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// A library that asks the dynamic linker for its other half by name, without a hint where that is, as that of CUDA 13.0 in Python's packages, finds
// the one beside it.
func TestBuiltinsBesideTheLibrary(t *testing.T) {
	dir := t.TempDir()
	build := func(name, text string) {
		source := filepath.Join(dir, name+".c")
		require.NoError(t, os.WriteFile(source, []byte(text), 0o644))
		out, err := exec.Command(cmp.Or(os.Getenv("CC"), "cc"), "-shared", "-fPIC", "-o", filepath.Join(dir, name), "-Wl,-soname,"+name, source, "-ldl").CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	build("libnvrtc-builtins.so.13.77", "int builtins;")
	build("libnvrtc.so.13", `
#include <dlfcn.h>
#include <stddef.h>
int nvrtcVersion(int *major, int *minor) { return *major = 13, *minor = 77, 0; }
int nvrtcGetNumSupportedArchs(int *n) { return *n = 1, 0; }
int nvrtcGetSupportedArchs(int *archs) { return *archs = 90, 0; }
static int program;
int nvrtcCreateProgram(void **p) { return *p = &program, 0; }
int nvrtcCompileProgram(void *p) { return dlopen("libnvrtc-builtins.so.13.77", RTLD_NOW) ? 0 : 7; }
int nvrtcDestroyProgram(void **p) { return 0; }
int nvrtcGetPTXSize(void *p, size_t *n) { return *n = 1, 0; }
int nvrtcGetPTX(void *p, char *to) { return *to = 'x', 0; }
int nvrtcGetCUBINSize(void *p, size_t *n) { return *n = 1, 0; }
int nvrtcGetCUBIN(void *p, char *to) { return *to = 'x', 0; }
int nvrtcGetProgramLogSize(void *p, size_t *n) { return *n = 1, 0; }
int nvrtcGetProgramLog(void *p, char *to) { return *to = 0, 0; }
const char *nvrtcGetErrorString(int code) { return code == 7 ? "no builtins" : "?"; }
`)
	l, err := Open(filepath.Join(dir, "libnvrtc.so.13"))
	require.NoError(t, err)
	require.Equal(t, "13.77", l.Version())
	_, _, err = l.Compile("twice.cu", twice, "--gpu-architecture=sm_90")
	require.NoError(t, err)
}
