//go:build gpu && cgo && linux

package cuda_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// planText is the plan of a case.
func planText(t *testing.T, c enginetest.Case, e graph.Engine) string {
	b := enginetest.NewB(t, tensor.Float32)
	c.Build(b)
	p, err := graph.PlanFor(b.G, b.Options(e)...)
	require.NoError(t, err)
	return p.String()
}

// Batch norms in inference become a part of the filters in front of them, of all kinds of convolutions and products, where that is possible.
func TestFoldedNorms(t *testing.T) {
	needGPU(t)
	cuda.FoldAll(t)
	e := open(t, cuda.Config{})
	for _, c := range enginetest.FusionCases() {
		if c.Pass != "norm" {
			continue
		}
		c.RequireClose(t, e, tensor.Float32, tensor.Float64)
		folds := len(c.Want) > 0
		require.Equal(t, folds, strings.Contains(planText(t, c.Case, e), "FoldNorm"), c.Name)
	}
}

// A residual net in inference is convolutions, of which some add the residual, in all precisions.
func TestFoldedNetInInference(t *testing.T) {
	needGPU(t)
	cases := 0
	for _, c := range enginetest.Cases() {
		if !strings.HasPrefix(c.Name, "residual net in inference") {
			continue
		}
		cases++
		require.NotContains(t, planText(t, c, open(t, cuda.Config{})), "FoldNorm", "what is small is not folded in every run")
		t.Run(c.Name, func(t *testing.T) {
			cuda.FoldAll(t)
			for precision, norm := range map[string]float64{"fp32": 0, "tf32": enginetest.PrecisionError["tf32"], "bf16": enginetest.PrecisionError["bf16"]} {
				e := open(t, cuda.Config{Precision: precision})
				text := planText(t, c, e)
				require.Contains(t, text, "+bias+add+relu", precision)
				require.NotContains(t, text, "BatchNorm", precision)
				c.RequireCloseTo(t, e, func(k numtest.Kind) numtest.Tolerance {
					tol := numtest.Tol(tensor.Float32, k)
					tol.Norm += 4 * norm // of several layers, see PrecisionError for one
					return tol
				}, tensor.Float32)
			}
		})
	}
	require.Equal(t, 2, cases)
}

// What is folded follows weights that change between runs.
func TestFoldedNormsFollowWeights(t *testing.T) {
	needGPU(t)
	cuda.FoldAll(t)
	e := open(t, cuda.Config{})
	enginetest.RunResident(t, e)
}
