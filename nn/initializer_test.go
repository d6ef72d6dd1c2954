package nn

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

func TestFans(t *testing.T) {
	for _, c := range []struct {
		s       tensor.Shape
		in, out int
	}{
		{tensor.ScalarShape(), 1, 1}, {tensor.Shape{7}, 7, 7}, {tensor.Shape{512, 100}, 512, 100},
		{tensor.Shape{3, 3, 16, 32}, 144, 288}, {tensor.Shape{7, 5, 3, 64}, 105, 35 * 64}, {tensor.Shape{4, 2, 8}, 8, 32},
	} {
		in, out := Fans(c.s)
		require.Equal(t, []int{c.in, c.out}, []int{in, out}, "%v", c.s)
	}
}

// moments fills a weight and checks mean, standard deviation, bounds, and the distribution at its quartiles.
func TestInitializerStatistics(t *testing.T) {
	kernel := tensor.Shape{3, 3, 64, 96} // 55,296 elements
	n := float64(kernel.TotalSize())
	limit := math.Sqrt(6.0 / (9 * (64 + 96)))
	he, glorot := math.Sqrt(2.0/576), math.Sqrt(2.0/(9*(64+96)))
	truncatedQuartile := math.Sqrt2 * math.Erfinv(0.5*math.Erf(math.Sqrt2)) / 0.87962566103423978
	for _, c := range []struct {
		init                            Initializer
		mean, std, bound, upperQuartile float64
	}{
		{GlorotUniform{}, 0, limit / math.Sqrt(3), limit, limit / 2},
		{HeNormal{}, 0, he, 2 * he / 0.87962566103423978, he * truncatedQuartile},
		{GlorotNormal{}, 0, glorot, 2 * glorot / 0.87962566103423978, glorot * truncatedQuartile},
		{RandomNormal{Stddev: 0.01}, 0, 0.01, math.Inf(1), 0.0067449},
		{RandomNormal{Mean: 3}, 3, 0.05, math.Inf(1), 3 + 0.033724},
		{HeUniform{}, 0, math.Sqrt(2.0 / 576), math.Sqrt(6.0 / 576), math.Sqrt(6.0/576) / 2},
		{LecunUniform{}, 0, math.Sqrt(1.0 / 576), math.Sqrt(3.0 / 576), math.Sqrt(3.0/576) / 2},
		{LecunNormal{}, 0, math.Sqrt(1.0 / 576), 2 * math.Sqrt(1.0/576) / 0.87962566103423978, math.Sqrt(1.0/576) * truncatedQuartile},
		{VarianceScaling{Scale: 3, Mode: FanOut, Distribution: UniformDistribution}, 0, math.Sqrt(3.0 / 864), math.Sqrt(9.0 / 864), math.Sqrt(9.0/864) / 2},
		{VarianceScaling{Mode: FanAvg, Distribution: UntruncatedNormalDistribution}, 0, math.Sqrt(1.0 / 720), math.Inf(1), 0.67449 * math.Sqrt(1.0/720)},
		{RandomUniform{}, 0, 0.1 / math.Sqrt(12), 0.05, 0.025},
		{RandomUniform{Min: 1, Max: 4}, 2.5, 3 / math.Sqrt(12), 1.5, 3.25},
		{TruncatedNormal{}, 0, 0.05 * 0.87962566103423978, 0.1, 0.05 * 0.87962566103423978 * truncatedQuartile},
	} {
		t.Run(c.init.String(), func(t *testing.T) {
			x := make([]float64, kernel.TotalSize())
			require.NoError(t, fill(x, kernel, c.init, 7, "conv/kernel"))
			sum, square, far := 0.0, 0.0, 0.0
			for _, v := range x {
				sum += v
				far = max(far, math.Abs(v-c.mean))
			}
			for _, v := range x {
				square += (v - sum/n) * (v - sum/n)
			}
			require.InDelta(t, c.mean, sum/n, 4*c.std/math.Sqrt(n))
			require.InDelta(t, c.std, math.Sqrt(square/n), c.std*4/math.Sqrt(n))
			require.LessOrEqual(t, far, c.bound*(1+1e-12))
			if !math.IsInf(c.bound, 1) {
				require.Greater(t, far, 0.999*c.bound, "the tails reach the bound")
			}
			sort.Float64s(x)
			require.InDelta(t, c.upperQuartile, x[len(x)*3/4], 0.02*c.std)
		})
	}
}

func TestInitialValuesDependOnSeedNameAndIndexOnly(t *testing.T) {
	long := tensor.Shape{1 << 17, 1} // two grains and more, filled by several goroutines
	shape := func(n int) tensor.Shape { return tensor.Shape{n, 1} }
	normal := RandomNormal{Stddev: 1}
	value := func(n int, seed uint64, name string) []float64 {
		x := make([]float64, n)
		require.NoError(t, fill(x, shape(n), normal, seed, name))
		return x
	}
	all := value(long[0]+3, 1, "a/kernel")
	for _, n := range []int{1, 2, 7, 1<<16 + 1} {
		require.Equal(t, all[:n], value(n, 1, "a/kernel"), "length %d", n)
	}
	require.NotEqual(t, all[:8], value(8, 2, "a/kernel"))
	require.NotEqual(t, all[:8], value(8, 1, "b/kernel"))
	seen := map[float64]bool{}
	for _, v := range all {
		seen[v] = true
	}
	require.Len(t, seen, len(all), "no element repeats another")

	half := make([]float32, 8)
	require.NoError(t, fill(half, shape(8), normal, 1, "a/kernel"))
	for i := range half {
		require.Equal(t, float32(all[i]), half[i], "float32 values are the rounded float64 ones")
	}
	// Fixed for ever: a change here changes the initial weights of every run.
	require.Equal(t, "0.22711 0.88429", fmt.Sprintf("%.5f %.5f", all[0], all[1]))
	require.ErrorContains(t, fill([]int{1}, shape(1), normal, 1, "x"), "float32 or float64")
}

func TestConstants(t *testing.T) {
	x := []float32{9, 9, 9}
	for init, want := range map[Initializer]float32{Zeros{}: 0, Ones{}: 1, Constant{-2.5}: -2.5} {
		require.NoError(t, fill(x, tensor.Shape{3}, init, 1, "x"))
		require.Equal(t, []float32{want, want, want}, x, init.String())
	}
}

// The golden file holds Keras's fans, bounds and standard deviations for kernels of many shapes.
func TestInitializersAgreeWithKeras(t *testing.T) {
	text, err := os.ReadFile("testdata/golden/initializers.json")
	require.NoError(t, err)
	var golden struct {
		Cases []struct {
			Name  string
			Attrs struct {
				Shape               []int
				FanIn               int     `json:"fan_in"`
				FanOut              int     `json:"fan_out"`
				GlorotUniformLimit  float64 `json:"glorot_uniform_limit"`
				GlorotUniformStddev float64 `json:"glorot_uniform_stddev"`
				GlorotNormalLimit   float64 `json:"glorot_normal_limit"`
				GlorotNormalStddev  float64 `json:"glorot_normal_stddev"`
				HeNormalLimit       float64 `json:"he_normal_limit"`
				HeNormalStddev      float64 `json:"he_normal_stddev"`
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &golden))
	require.NotEmpty(t, golden.Cases)
	for _, c := range golden.Cases {
		a := c.Attrs
		in, out := Fans(a.Shape)
		require.Equal(t, []int{a.FanIn, a.FanOut}, []int{in, out}, c.Name)
		for _, i := range []struct {
			init       Initializer
			limit, std float64
		}{
			{GlorotUniform{}, a.GlorotUniformLimit, a.GlorotUniformStddev},
			{GlorotNormal{}, a.GlorotNormalLimit, a.GlorotNormalStddev},
			{HeNormal{}, a.HeNormalLimit, a.HeNormalStddev},
		} {
			require.Positive(t, i.limit, c.Name)
			quantile := i.init.Quantile(a.Shape)
			require.InEpsilon(t, i.limit, quantile(1-1e-16), 1e-9, "%s %s", c.Name, i.init)
			require.InEpsilon(t, -i.limit, quantile(1e-16), 1e-9, "%s %s", c.Name, i.init)
			const n = 100_000 // the midpoint rule over the distribution
			square := 0.0
			for j := range n {
				v := quantile((float64(j) + 0.5) / n)
				square += v * v / n
			}
			require.InEpsilon(t, i.std, math.Sqrt(square), 1e-4, "%s %s", c.Name, i.init)
		}
	}
}
