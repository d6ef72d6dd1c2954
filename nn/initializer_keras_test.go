package nn

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/numtest"
)

// TestInitializersDrawAsKerasDoes compares statistics of many draws: those of two samples of one distribution differ by a few
// standard errors, here at most five.
func TestInitializersDrawAsKerasDoes(t *testing.T) {
	golden := numtest.LoadGolden(t, "testdata/golden/initializers_keras3.json")
	for name, init := range map[string]Initializer{
		"glorot_uniform": GlorotUniform{}, "glorot_normal": GlorotNormal{}, "he_uniform": HeUniform{}, "he_normal": HeNormal{},
		"lecun_uniform": LecunUniform{}, "lecun_normal": LecunNormal{}, "random_normal": RandomNormal{}, "random_uniform": RandomUniform{},
		"truncated_normal": TruncatedNormal{}, "zeros": Zeros{}, "ones": Ones{}, "constant": Constant{0.3},
		"random_normal_args":      RandomNormal{Mean: 1, Stddev: 2},
		"random_uniform_args":     RandomUniform{Min: -1, Max: 3},
		"truncated_normal_args":   TruncatedNormal{Mean: 1, Stddev: 2},
		"scaling_out_uniform":     VarianceScaling{Scale: 3, Mode: FanOut, Distribution: UniformDistribution},
		"scaling_avg_untruncated": VarianceScaling{Mode: FanAvg, Distribution: UntruncatedNormalDistribution},
		"scaling_in_truncated":    VarianceScaling{Scale: 2},
		"orthogonal":              Orthogonal{}, "orthogonal_gain": Orthogonal{Gain: 0.5}, "identity": Identity{Gain: 2},
	} {
		t.Run(name, func(t *testing.T) {
			c := golden.Case(t, name)
			shape := tensor.Shape(c.Ints("shape"))
			x := make([]float64, shape.TotalSize())
			require.NoError(t, fill(x, shape, init, 3, "w/kernel"))
			n, mean, square := float64(len(x)), 0.0, 0.0
			for _, v := range x {
				mean += v / n
			}
			for _, v := range x {
				square += (v - mean) * (v - mean) / n
			}
			slices.Sort(x)
			std := c.Float("stddev")
			standard := 5 * std * math.Sqrt(2/n) // five standard errors of a difference of means
			require.InDelta(t, c.Float("mean"), mean, standard+1e-7)
			require.InDelta(t, std, math.Sqrt(square), standard+1e-7)
			// A quartile's standard error is √3/4 over the density there, which is at least 0.28/σ in all of these.
			for what, at := range map[string]int{"lower": len(x) / 4, "upper": 3 * len(x) / 4} {
				require.InDelta(t, c.Float(what), x[at], 1.6*standard+1e-7, what)
			}
			if _, normal := init.(RandomNormal); normal || name == "scaling_avg_untruncated" || len(shape) == 2 {
				return // their extremes are chance
			}
			require.InDelta(t, c.Float("low"), x[0], 0.01*std+1e-7)
			require.InDelta(t, c.Float("high"), x[len(x)-1], 0.01*std+1e-7)
		})
	}
}
