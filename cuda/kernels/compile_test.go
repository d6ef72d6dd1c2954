//go:build gpu && cgo && linux

package kernels_test

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
	"github.com/stheno-ml/stheno/cuda/internal/nvrtc"
	"github.com/stheno-ml/stheno/cuda/kernels"
)

// TestEveryFileCompiles compiles the files for GPUs from Volta to Blackwell.
func TestEveryFileCompiles(t *testing.T) {
	l, err := nvrtc.Load(0)
	if err != nil {
		t.Skip("no NVRTC to compile with: set STHENO_NVRTC_PATH. ", err)
	}
	files, err := fs.Glob(kernels.Files, "*.cu")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	archs := []struct {
		kind   string
		number int
	}{{"compute", 70}, {"sm", 80}, {"sm", 90}, {"sm", 100}, {"sm", 120}}
	for _, file := range files {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			source := kernel.File(file, dt)
			for _, arch := range archs {
				if !slices.Contains(l.Archs(), arch.number) {
					continue
				}
				option := fmt.Sprintf("--gpu-architecture=%s_%d", arch.kind, arch.number)
				_, log, err := l.Compile(source.Name, source.Text, option, "--std=c++17")
				require.NoError(t, err)
				require.Empty(t, regexp.MustCompile(`.*Architectures prior to.*are deprecated.*`).ReplaceAllString(log, ""), "%s for %s_%d has warnings", source.Name, arch.kind, arch.number)
			}
		}
	}
}
