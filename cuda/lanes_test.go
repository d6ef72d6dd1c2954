//go:build gpu && cgo && linux

package cuda_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// inGroups has updates of a few parameters come together.
type inGroups struct{ *cuda.Engine }

func (inGroups) GroupBytes() int { return 100 << 10 }

// In a CUDA graph some steps run beside others: gradients, penalties, updates of groups of parameters, and the packing of filters that are
// needed later. Whatever order their dependencies allow, which the simulated GPU changes, gives the numbers of a run step by step.
func TestStepsBesideOthersChangeNothing(t *testing.T) {
	cuda.PackLate(t)
	for name, opt := range map[string]train.Optimizer{"momentum": train.SGD{Momentum: 0.9}, "adam": train.Adam{}} {
		weights := func(order, graphs string) ([]float32, *graph.Plan) {
			t.Setenv("STHENO_SIM_ORDER", order)
			t.Setenv("STHENO_CUDA_GRAPH", graphs)
			e := inGroups{open(t, cuda.Config{Precision: "bf16"})}
			a, err := arch.ByName("resnet20-cifar", arch.Config{Input: nn.Shape{8, 8, 3}, Classes: 10})
			require.NoError(t, err)
			m, err := a.Model()
			require.NoError(t, err)
			require.NoError(t, m.Initialize(1, tensor.Float32))
			s, err := train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), 3, 1)
			require.NoError(t, err)
			images, labels := make([]float32, 3*8*8*3), []int{1, 4, 7}
			numtest.FillUnit("images", 1, images)
			var all []float32
			for i := range 4 {
				r, err := s.Run(images, labels, 0.05, i)
				require.NoError(t, err)
				require.NotZero(t, r.Loss)
				all = append(all, float32(r.Loss))
			}
			require.NoError(t, s.Close())
			for _, w := range m.Weights() {
				all = append(all, w.Value.Data().([]float32)...)
			}
			return all, s.Plan()
		}
		want, plan := weights("", "0")
		kinds, groups := map[string]int{}, 0
		for i, s := range plan.Steps {
			if s.Beside == 0 {
				continue
			}
			kinds[s.Instr.Kind()]++
			if i > 0 && strings.HasSuffix(s.Instr.Kind(), "Update") && !strings.HasSuffix(plan.Steps[i-1].Instr.Kind(), "Update") {
				groups++
			}
		}
		require.Equal(t, 1, kinds["L2Penalties"], "%v", kinds)
		require.Greater(t, kinds["Conv2DBackwardFilter"], 8)
		require.Greater(t, kinds["FusedUpdate"], 8)
		require.Less(t, slices.IndexFunc(plan.Steps, func(s *graph.Step) bool { return s.Instr.Kind() == "L2Penalties" }), 3)
		require.InDelta(t, 10, groups, 6, "groups of updates")
		for _, order := range []string{"", "random", "reverse", "first", "other"} {
			got, _ := weights(order, "1")
			require.True(t, slices.Equal(want, got), "%s, order %q", name, order)
		}
	}
}

// The environment says what runs beside other steps.
func TestWhatRunsBesideOthers(t *testing.T) {
	update := &graph.Step{Instr: &graph.MomentumUpdate{}, Out: []*graph.Value{{Dtype: tensor.Float32, Shape: tensor.Shape{3}}}}
	gradient := &graph.Step{Instr: &op.BiasGrad{}, Out: update.Out}
	e := open(t, cuda.Config{})
	for value, want := range map[string][3]bool{"": {true, true, true}, "gradients": {true, false, false}, "0": {}} {
		t.Setenv("STHENO_CUDA_BESIDE", value)
		require.Equal(t, want, [3]bool{e.Beside(gradient) > 0, e.Beside(update) > 0, e.GroupBytes() > 0}, value)
	}
}

var (
	_ graph.Overlapper = (*cuda.Engine)(nil)
	_ graph.Grouper    = (*cuda.Engine)(nil)
	_ graph.Confined   = (*cuda.Engine)(nil)
)
