//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
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

var _ graph.NormJoiner = (*cuda.Engine)(nil)

// Batch norms in one step, of float32 and of bfloat16 in every mixture: of channels that packs divide and of others, of one row, of rows about
// the number of a block's threads, and of as many as a block takes; over their operands, too. Those of more rows, and with channels that are
// not last, are two launches of one step.
func TestJoinedNorms(t *testing.T) {
	e := open(t, cuda.Config{Precision: "bf16"})
	for _, s := range []struct {
		dims     []int
		axis     int
		launches int // of all of them; 0: of some one, of others two
	}{
		{[]int{1, 1, 1, 16}, 3, 1}, {[]int{1, 17}, 1, 1}, {[]int{2, 3}, 1, 1}, {[]int{31, 10}, 1, 1}, {[]int{64, 24}, 1, 1},
		{[]int{65, 1, 1, 8}, 3, 1}, {[]int{5, 13, 17, 3}, 3, 1}, {[]int{1030, 8}, 1, 1}, {[]int{4096, 8}, 1, 0}, {[]int{4097, 3}, 1, 2},
		{[]int{3, 5, 4, 6}, 1, 2},
	} {
		if testing.Short() && len(s.dims) == 2 && s.dims[0] > 100 {
			continue
		}
		for _, n := range enginetest.JoinedNorms(s.dims, s.axis) {
			t.Run(fmt.Sprintf("%v of %v", n.Instr, s.dims), func(t *testing.T) {
				operands := len(n.In) + len(n.Out)
				sets := []int{0, 1<<operands - 1}
				if slices.Equal(s.dims, []int{64, 24}) && !testing.Short() {
					sets = mixtures(n)
				} else if s.dims[0] == 31 {
					sets = append(sets, 0x5555, 0xaaaa)
				}
				for i, set := range sets {
					kernels := n.Require(t, e, i%2 == 1, func(i int) bool { return set>>i&1 != 0 })
					launches := 1 + strings.Count(strings.Join(kernels, ", "), " + ")
					require.True(t, s.launches == 0 || s.launches == launches, "%v", kernels)
				}
			})
		}
	}
}

// mixtures are the sets of the images of a step, results counted behind inputs; of many images, every third one: each is a text to compile.
func mixtures(n enginetest.NarrowStep) (sets []int) {
	var images []int
	for i, s := range append(slices.Clone(n.In), n.Out...) {
		if len(s) > 1 {
			images = append(images, i)
		}
	}
	hop := 1
	if len(images) > 4 {
		hop = 3
	}
	for m := 0; m < 1<<len(images); m += hop {
		set := 0
		for k, i := range images {
			set |= m >> k & 1 << i
		}
		sets = append(sets, set)
	}
	return sets
}

// joinedNet is a batch norm with a residual and a ReLU in training, and one behind it, of as many rows and channels. It returns gradients.
func joinedNet(b *enginetest.B, rows, channels int) []*gorgonia.Node {
	x, z := b.Input("x", rows, channels), b.Input("z", rows, channels)
	norm := func(name string, x *gorgonia.Node) (y, gamma, beta *gorgonia.Node) {
		gamma, beta = b.Input(name+"/gamma", channels), b.Input(name+"/beta", channels)
		y, mean, variance, err := op.BatchNormTraining(x, gamma, beta, -1, 1e-3)
		require.NoError(b.T, err)
		b.Want(name+"/mean", numtest.Reduction, mean)
		b.Want(name+"/variance", numtest.Reduction, variance)
		return y, gamma, beta
	}
	y, gamma, beta := norm("first", x)
	h := b.Apply(&op.ReLU{}, b.Apply(&op.Add{}, y, z))
	y2, gamma2, beta2 := norm("second", h)
	return b.Grads(b.Apply(&op.ReLU{}, y2), x, z, gamma, beta, gamma2, beta2)
}

// Forward and backward in both element types, and as without the environment variable, but for rounding; whatever the order in which
// blocks and threads get their turn, the bits are the same.
func TestJoinedNormsOfANet(t *testing.T) {
	e := open(t, cuda.Config{})
	shapes := [][2]int{{1, 5}, {2, 17}, {40, 10}, {64, 64}, {100, 3}, {1025, 8}}
	if testing.Short() {
		shapes = shapes[1:4]
	}
	for _, s := range shapes {
		c := enginetest.Case{Name: fmt.Sprint(s), Runs: 3, Build: func(b *enginetest.B) { joinedNet(b, s[0], s[1]) }}
		t.Run(c.Name, func(t *testing.T) {
			for want, env := range map[int]string{2: "1", 0: "0"} {
				t.Setenv("STHENO_CUDA_JOIN_NORMS", env)
				b := enginetest.NewB(t, tensor.Float32)
				c.Build(b)
				p, err := graph.PlanFor(b.G, b.Options(e)...)
				require.NoError(t, err)
				joined := map[string]int{}
				for _, s := range p.Steps {
					joined[s.Instr.Kind()]++
				}
				require.Equal(t, want, joined["BatchNormForward"])
				require.Equal(t, want, joined["BatchNormBackward"])
				c.RequireClose(t, e, floatTypes...)
			}
		})
	}
	t.Setenv("STHENO_CUDA_JOIN_NORMS", "1")
	run := func(order string) (all [][]float32) {
		t.Setenv("STHENO_SIM_ORDER", order)
		b := enginetest.NewB(t, tensor.Float32)
		wanted := joinedNet(b, 300, 24)
		m := b.Compile(e)
		for range 3 {
			require.NoError(t, m.RunAll())
		}
		for _, n := range wanted {
			v, err := m.Value(n)
			require.NoError(t, err)
			all = append(all, slices.Clone(v.Data().([]float32)))
		}
		require.NoError(t, m.Close())
		return all
	}
	require.Equal(t, run(""), run("reverse"))
	require.Equal(t, run(""), run("random"))
}

// A small variance beside a large mean keeps its digits, a constant channel has none, and NaN and infinity stay in their channel.
func TestJoinedNormsOfDifficultNumbers(t *testing.T) {
	e := open(t, cuda.Config{})
	const rows, channels = 700, 8
	x := numtest.Normal(1, tensor.Float32, rows, channels).Data().([]float32)
	for r := range rows {
		row := x[r*channels:][:channels]
		row[0] = 1000 + row[0]/16
		row[1] = -3e5 + float32(r%2)
		row[2] = 0.1
		row[3] *= 1e-18
		row[4] = 2e8 // constant
	}
	x[333*channels+5], x[17*channels+6], x[channels+7] = float32(math.NaN()), float32(math.Inf(1)), 5e4 // the last: an outlier
	wide := make([]float64, len(x))
	for i, v := range x {
		wide[i] = float64(v)
	}
	results := func(e graph.Engine, x any, dt tensor.Dtype, opts ...graph.Option) (all [][]float64) {
		g := gorgonia.NewGraph()
		in := gorgonia.NewMatrix(g, dt, gorgonia.WithShape(rows, channels), gorgonia.WithName("x"),
			gorgonia.WithValue(tensor.New(tensor.WithShape(rows, channels), tensor.WithBacking(x))))
		ones := gorgonia.NewVector(g, dt, gorgonia.WithShape(channels), gorgonia.WithName("gamma"), gorgonia.WithInit(gorgonia.Ones()))
		zeros := gorgonia.NewVector(g, dt, gorgonia.WithShape(channels), gorgonia.WithName("beta"), gorgonia.WithInit(gorgonia.Zeroes()))
		y, mean, variance, err := op.BatchNormTraining(in, ones, zeros, -1, 1e-12)
		require.NoError(t, err)
		y, err = op.Apply(&op.ReLU{}, y)
		require.NoError(t, err)
		m, err := graph.Compile(g, append(opts, graph.WithEngine(e), graph.WithOutputs(mean, variance, y))...)
		require.NoError(t, err)
		require.NoError(t, m.RunAll())
		for _, n := range []*gorgonia.Node{mean, variance, y} {
			v, err := m.Value(n)
			require.NoError(t, err)
			var list []float64
			switch x := v.Data().(type) {
			case []float64:
				list = slices.Clone(x)
			case []float32:
				for _, f := range x {
					list = append(list, float64(f))
				}
			}
			all = append(all, list)
		}
		require.NoError(t, m.Close())
		return all
	}
	want, got := results(enginetest.Reference{}, wide, tensor.Float64, graph.WithoutPasses()), results(e, x, tensor.Float32)
	for _, c := range []int{0, 1, 2, 3, 4, 7} {
		require.InEpsilon(t, want[0][c]+1e-30, got[0][c]+1e-30, 1e-6, "mean of channel %d", c)
		if c == 2 || c == 4 {
			require.Zero(t, got[1][c], "variance of channel %d", c)
			continue
		}
		require.InEpsilon(t, want[1][c]+1e-45, got[1][c]+1e-45, 1e-5, "variance of channel %d", c)
	}
	require.True(t, math.IsNaN(got[0][5]) && math.IsNaN(got[1][5]))
	require.True(t, math.IsInf(got[0][6], 1) && math.IsNaN(got[1][6]))
	for r := range rows {
		for c, v := range got[2][r*channels:][:channels] {
			require.Equal(t, c == 5 || c == 6, math.IsNaN(v), "row %d, channel %d: %v", r, c, v)
		}
		// The mean of float32 is off by up to half a unit in its last place, which is a share of the deviation.
		require.InDelta(t, want[2][r*channels], got[2][r*channels], 1e-3)
	}
}
