//go:build gpu && cgo && linux

package cudnn

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cuda/internal/cublaslt"
	"github.com/stheno-ml/stheno/cuda/internal/dl"
	"github.com/stheno-ml/stheno/cuda/internal/nvrtc"
)

// properties are those of a GPU that need not be there, in the JSON that cuDNN reads. The numbers are in NVIDIA's data sheets
// and in the table of compute capabilities of the CUDA programming guide.
func properties(name string, capability, multiprocessors, shared, l2, bus, clock int, memory int64) string {
	b, err := json.Marshal(map[string]any{
		"deviceName": name, "deviceVer": capability, "driverVer": 12090, "cudaDeviceId": 0, "pciDeviceId": 0,
		"multiProcessorCount": multiprocessors, "smCountOrigin": 0, "warpSize": 32,
		"maxGridSize": []int{1<<31 - 1, 65535, 65535}, "maxBlockSize": []int{1024, 1024, 64},
		"maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "maxCtasPerSM": 32, "regsPerBlock": 65536, "maxRegistersPerSM": 65536,
		"maxSharedMemoryPerBlock": 48 << 10, "maxSharedMemoryPerBlockOptin": shared, "reservedSharedMemoryPerBlock": 1 << 10, "oversizedSharedMemoryPerBlock": 0,
		"totalGlobalMem": memory, "memoryBusWidth": bus, "l2CacheSize": l2, "smClockRateKHz": clock, "memClockRateKHz": 2619000,
		"isTccDriver": 0, "supportCoopLaunch": 1,
	})
	if err != nil {
		panic(err)
	}
	return string(b)
}

var devices = map[string]string{
	"A100": properties("NVIDIA A100-SXM4-80GB", 800, 108, 163<<10, 40<<20, 5120, 1410000, 80<<30),
	"H100": properties("NVIDIA H100 80GB HBM3", 900, 132, 227<<10, 50<<20, 5120, 1980000, 80<<30),
	"H200": properties("NVIDIA H200", 900, 132, 227<<10, 50<<20, 6144, 1980000, 141<<30),
}

// libcuda makes sure that there is a libcuda.so.1 to load: the one of the machine or, where there is none, one without a device.
var libcuda = sync.OnceValue(func() error {
	if _, err := dl.Open("libcuda.so.1", true); err == nil {
		return nil
	}
	folder, err := os.MkdirTemp("", "stheno-driver")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "libcuda.so.1")
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", file, "testdata/driver.c").CombinedOutput(); err != nil {
		return fmt.Errorf("cc: %w: %s", err, out)
	}
	_, err = dl.Open(file, true)
	return err
})

// library is the cuDNN of the machine.
func library(t *testing.T) *Library {
	t.Helper()
	require.NoError(t, libcuda())
	// Some of its engines want these; they are missed where they are wanted.
	if _, err := nvrtc.Load(0); err != nil {
		t.Log(err)
	}
	if _, err := cublaslt.Load(0); err != nil {
		t.Log(err)
	}
	l, err := Load()
	if err != nil {
		t.Skip("no cuDNN to test with: set STHENO_CUDNN_PATH. ", err)
	}
	return l
}

// simulated says whether l is the simulated cuDNN.
func simulated(t *testing.T, l *Library) bool {
	t.Helper()
	so, err := dl.Open(l.Path(), false)
	require.NoError(t, err)
	return so.Symbol("stheno_sim_cudnn") != nil
}
