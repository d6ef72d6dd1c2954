//go:build gpu && cgo && linux

package cuda_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// In a CUDA graph some steps run beside others. Whatever order their dependencies allow, which the simulated GPU changes, gives the
// numbers of a run step by step.
func TestStepsBesideOthersChangeNothing(t *testing.T) {
	weights := func(order, graphs string) ([]float64, int) {
		t.Setenv("STHENO_SIM_ORDER", order)
		t.Setenv("STHENO_CUDA_GRAPH", graphs)
		e := open(t, cuda.Config{Precision: "bf16"})
		a, err := arch.ByName("resnet20-cifar", arch.Config{Input: nn.Shape{8, 8, 3}, Classes: 10})
		require.NoError(t, err)
		m, err := a.Model()
		require.NoError(t, err)
		require.NoError(t, m.Initialize(1, tensor.Float32))
		opt := train.SGD{Momentum: 0.9}
		s, err := train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), 3, 1)
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()
		images, labels := make([]float32, 3*8*8*3), []int{1, 4, 7}
		numtest.FillUnit("images", 1, images)
		var losses []float64
		for i := range 4 {
			r, err := s.Run(images, labels, 0.05, i)
			require.NoError(t, err)
			losses = append(losses, r.Loss)
		}
		beside := 0
		for _, step := range s.Plan().Steps {
			if step.Beside > 0 {
				beside++
			}
		}
		return losses, beside
	}
	want, beside := weights("", "0")
	require.Greater(t, beside, 8)
	require.Len(t, want, 4)
	require.False(t, slices.Contains(want, 0))
	for _, order := range []string{"", "random", "reverse"} {
		got, _ := weights(order, "1")
		require.Equal(t, want, got, order)
	}
}

var _ graph.Overlapper = (*cuda.Engine)(nil)
