package enginetest_test

import (
	"testing"

	"gorgonia.org/tensor"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// Plans of random graphs are sound, and fusing changes no bit.
func TestRandomPlansAreSound(t *testing.T) {
	kinds := map[string]int{}
	graphs := uint64(400)
	if testing.Short() {
		graphs = 60
	}
	for seed := range graphs {
		c := enginetest.Random(seed, 30)
		t.Run(c.Name, func(t *testing.T) {
			c.RequireExact(t, enginetest.Checker{})
			b := enginetest.NewB(t, tensor.Float64)
			c.Build(b)
			p := b.Plan()
			sum := 0
			for _, v := range p.Values {
				if v.Where == graph.Arena && v.Alias == nil {
					sum += (v.Bytes() + 63) / 64 * 64
				}
			}
			require.LessOrEqual(t, p.ArenaBytes, sum)
			for _, s := range p.Steps {
				kinds[s.Instr.Kind()]++
			}
		})
	}
	// The graphs reach every fusion.
	for _, kind := range []string{"FusedConv2D", "FusedMatMul", "BatchStats", "FusedBatchNorm", "BatchNormSums",
		"BatchNormReLUSums", "BatchNormReLUGradInput", "AddL2Grad", "MomentumUpdate", "AdamUpdate", "Copy"} {
		require.NotZero(t, kinds[kind], kind)
	}
}
