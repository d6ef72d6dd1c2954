//go:build gpu && cgo && linux

package cuda_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

var floatTypes = []tensor.Dtype{tensor.Float32, tensor.Float64}

// ways are the ways in which an engine can compute: with the libraries that there are, and on its own kernels alone.
var ways = []struct {
	name   string
	config cuda.Config
}{
	{"libraries", cuda.Config{}},
	{"own kernels", cuda.Config{Without: []string{"cudnn", "cublaslt"}}},
}

func TestConformance(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			enginetest.Run(t, func(t *testing.T) graph.Engine { return open(t, w.config) }, floatTypes...)
		})
	}
}

func TestConformanceWithoutPasses(t *testing.T) {
	enginetest.RunWithoutPasses(t, func(t *testing.T) graph.Engine { return open(t, cuda.Config{}) }, floatTypes...)
}

func TestOps(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) { enginetest.RunOps(t, open(t, w.config), floatTypes...) })
	}
}

// Random graphs: fused kernels in reused memory against single reference loops in float64.
func TestRandomGraphs(t *testing.T) {
	e := open(t, cuda.Config{})
	graphs := uint64(60)
	if testing.Short() {
		graphs = 10
	}
	for seed := range graphs {
		c := enginetest.Random(seed, 12)
		c.Runs = 3 // the second and third as a CUDA graph
		t.Run(c.Name, func(t *testing.T) { c.RequireClose(t, e, floatTypes...) })
	}
}

// All runs give the same bits, whatever the order in which blocks and threads get their turn, which the simulated GPU changes.
func TestRunsRepeatThemselves(t *testing.T) {
	e := open(t, cuda.Config{})
	orders := []string{"reverse", "random"}
	if testing.Short() {
		orders = orders[:1]
	}
	for _, dt := range floatTypes {
		for _, c := range enginetest.OpCases(dt) {
			first := c.Run(t, e, dt, nil)
			for _, order := range orders {
				t.Setenv("STHENO_SIM_ORDER", order)
				require.True(t, enginetest.SameBits(first, c.Run(t, e, dt, nil)), "%v %s, %s", dt, c.Name, order)
			}
			t.Setenv("STHENO_SIM_ORDER", "")
		}
	}
}

// Every precision keeps its tolerance, and none but fp32 computes as fp32 does everywhere.
func TestPrecisions(t *testing.T) {
	for _, w := range ways {
		for precision, norm := range enginetest.PrecisionError {
			t.Run(w.name+" "+precision, func(t *testing.T) {
				config := w.config
				config.Precision = precision
				e := open(t, config)
				enginetest.RunPrecision(t, e, norm)
			})
		}
	}
}

func TestPrecisionHasAnEffect(t *testing.T) {
	for _, w := range ways {
		config := w.config
		config.Precision = "bf16"
		e := open(t, config)
		g := gorgonia.NewGraph()
		input := func(name string, dims ...int) *gorgonia.Node {
			return gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(dims...), gorgonia.WithName(name),
				gorgonia.WithValue(numtest.Normal(1, tensor.Float32, dims...)))
		}
		// A convolution: of a product with bf16 cuBLASLt only says that it may round.
		y, err := op.Apply(&op.Conv2D{}, input("x", 1, 8, 8, 16), input("w", 3, 3, 16, 16))
		require.NoError(t, err)
		result := func(e graph.Engine) []float32 {
			m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(y))
			require.NoError(t, err)
			require.NoError(t, m.RunAll())
			v, err := m.Value(y)
			require.NoError(t, err)
			require.NoError(t, m.Close())
			return v.Data().([]float32)
		}
		require.NotEqual(t, result(open(t, w.config)), result(e), w.name)
	}
}
