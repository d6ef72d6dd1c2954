package enginetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// Plans with batch norms in one step, and with gradients between convolutions and behind poolings that are masked by the step that makes or
// spreads them, are sound, and their results are those of the plan without any fusion, bit by bit.
func TestJoinedStepsAreSoundAndExact(t *testing.T) {
	e := enginetest.Joining{Engine: enginetest.Checker{Probe: true}}
	kinds := map[string]int{}
	joined := func(c enginetest.Case) {
		b := enginetest.NewB(t, tensor.Float64)
		c.Build(b)
		p, err := graph.PlanFor(b.G, b.Options(e)...)
		require.NoError(t, err)
		any := false
		for _, s := range p.Steps {
			switch s.Instr.(type) {
			case *graph.BatchNormForward, *graph.BatchNormBackward:
				kinds[s.Instr.String()]++
				any = true
			case *graph.FusedConv2DBackwardInput, *graph.FusedMaxPool2DGrad:
				kinds[s.Instr.Kind()]++
				any = true
			}
		}
		if any {
			t.Run(c.Name, func(t *testing.T) { c.RequireExact(t, e) })
		}
	}
	for _, c := range enginetest.Cases() {
		joined(c)
	}
	graphs := uint64(200)
	if testing.Short() {
		graphs = 40
	}
	for seed := range graphs {
		joined(enginetest.Random(seed, 30))
	}
	for _, name := range []string{"BatchStats+BatchNorm(axis 2, epsilon 0.001)+add+relu", "BatchNormBackward(axis 2, epsilon 0.001)",
		"ReLUGrad+BatchNormBackward(axis 1, epsilon 0.001)", "BatchNormReLUBackward(axis 2, epsilon 0.001)",
		"Add+ReLUGrad+BatchNormBackward(axis 2, epsilon 0.001)", "BatchNormBackward(axis 2, epsilon 0.001)-dbeta", "FusedConv2DBackwardInput",
		"FusedMaxPool2DGrad"} {
		require.NotZero(t, kinds[name], "%s of %v", name, kinds)
	}
}
