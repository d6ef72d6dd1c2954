package cpu_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Random graphs whose axes are mostly as long as there are images, with outputs, views and operands in all places, are as they are step by step, to
// rounding, in memory that is no number before, and the same bits with any number of threads.
func TestRandomGraphsImageByImage(t *testing.T) {
	sliced := 0
	for seed := range uint64(200) {
		build := func(e *spied, poison bool) (all []float64) {
			rng := rand.New(rand.NewPCG(seed, 77))
			n := []int{2, 3, 4, 5}[rng.IntN(4)]
			h := []int{n, 6}[rng.IntN(2)]
			c := []int{n, 8, 5}[rng.IntN(3)]
			b := enginetest.NewB(t, tensor.Float32)
			x := b.Input("x", n, h, h, c)
			pool := []*gorgonia.Node{x}
			k := 0
			name := func(s string) string { k++; return fmt.Sprint(s, k) }
			param := func(dims ...int) *gorgonia.Node {
				switch rng.IntN(3) {
				case 0:
					return b.Input(name("p"), dims...)
				default:
					return b.Weight(name("w"), dims...)
				}
			}
			same := shape.Padding{Mode: shape.Same}
			for range 2 + rng.IntN(14) {
				x := pool[len(pool)-1-rng.IntN(min(3, len(pool)))]
				s := x.Shape()
				var fits []*gorgonia.Node
				for _, p := range pool {
					if p.Shape().Eq(s) {
						fits = append(fits, p)
					}
				}
				other := fits[rng.IntN(len(fits))]
				var y *gorgonia.Node
				c := s[len(s)-1]
				img := len(s) == 4 && s[1] > 1
				switch q := rng.IntN(18); {
				case q == 0:
					y = b.Apply(&op.ReLU{}, x)
				case q == 1:
					y = b.Apply(&op.Add{}, x, other)
				case q == 2:
					y = b.Apply(&op.Binary{Fn: op.FnMul}, x, other)
				case q == 3:
					y = b.Apply(&op.BiasAdd{Axis: -1}, x, param(c))
				case q == 4:
					y = b.Apply(&op.BatchNormInference{Axis: -1, Epsilon: 1e-2}, x, param(c), param(c), param(c), b.Positive(name("var"), c))
				case q == 5 && len(s) == 4:
					d := make([]int, 4)
					for i := range d {
						d[i] = []int{1, s[i]}[rng.IntN(2)]
					}
					y = b.Apply(&op.Binary{Fn: op.FnAdd}, x, param(d...))
				case q == 6:
					y = b.Apply(&op.LayerNorm{Epsilon: 1e-2}, x, param(c), param(c))
				case q <= 9 && img:
					f := []int{s[0], 6, c}[rng.IntN(3)]
					y = b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: same}}, b.Apply(&op.Scale{Factor: 0.3}, x), param(3, 3, c, f))
				case q == 10 && len(s) == 4:
					y = b.Apply(&op.Conv2D{}, b.Apply(&op.Scale{Factor: 0.3}, x), param(1, 1, c, []int{s[0], 7}[rng.IntN(2)]))
				case q == 11 && img:
					y = b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: same, Groups: c}}, x, param(3, 3, 1, c))
				case q == 12 && img:
					y = b.Apply(&op.MaxPool2D{PoolAttrs: op.PoolAttrs{Pool: [2]int{2, 3}, Strides: [2]int{1, 1}, Padding: same}}, x)
				case q == 13 && len(s) == 4:
					y = b.Apply(&op.GlobalAvgPool2D{}, x)
				case q == 14 && len(s) == 4:
					y = b.Apply(&op.Permute{Axes: [][]int{{0, 2, 1, 3}, {0, 3, 1, 2}, {1, 0, 2, 3}}[rng.IntN(3)]}, x)
				case q == 15:
					y = gorgonia.Must(gorgonia.Concat(len(s)-1-rng.IntN(len(s)), x, other))
				case q == 16 && len(s) == 2:
					y = b.Apply(&op.MatMul{}, b.Apply(&op.Scale{Factor: 0.3}, x), param(c, []int{s[0], 6}[rng.IntN(2)]))
				case q == 16:
					f := gorgonia.Must(gorgonia.Reshape(x, tensor.Shape{s[0] * s[1], s[2] * s[3]}))
					y = gorgonia.Must(gorgonia.Reshape(b.Apply(&op.Scale{Factor: 0.5}, f), tensor.Shape{s[0], s[1], s[3], s[2]}))
				default:
					y = b.Apply(&op.Unary{Fn: op.FnTanh}, x)
				}
				if y.Shape().TotalSize() > 20000 {
					continue
				}
				pool = append(pool, y)
			}
			outs := []*gorgonia.Node{b.Want("y", 0, pool[len(pool)-1])}
			for range rng.IntN(3) {
				if o := pool[rng.IntN(len(pool))]; o != x {
					outs = append(outs, b.Want("o", 0, o))
				}
			}
			m := b.Compile(e)
			defer func() { require.NoError(t, m.Close()) }()
			if poison {
				if cpu.Poison(e.prog, true) > 2 {
					sliced++
				}
			}
			for run := range 3 {
				if run == 2 {
					d := x.Value().Data().([]float32)
					for i := range d {
						d[i] = -d[i] * 0.7
					}
				}
				require.NoError(t, m.RunAll())
				if poison {
					cpu.Poison(e.prog, false)
				}
				for _, n := range outs {
					v, err := m.Value(n)
					require.NoError(t, err)
					all = append(all, numbers(v)...)
				}
			}
			return all
		}
		want := build(&spied{Engine: open(t, 2)}, false)
		func() {
			cpu.SliceFrom(t, -1)
			defer cpu.SliceFrom(t, 1<<50)
			var first []float64
			for _, th := range []int{1, 3} {
				got := build(&spied{Engine: open(t, th)}, true)
				if first == nil {
					first = got
				}
				require.Equal(t, len(first), len(got))
				for i := range got {
					if got[i] != first[i] && !(math.IsNaN(got[i]) && math.IsNaN(first[i])) {
						t.Errorf("seed %d threads %d: %d: %g not %g", seed, th, i, got[i], first[i])
						break
					}
					if d := math.Abs(got[i] - want[i]); !(d <= 2e-4*(1+math.Abs(want[i]))) && !math.IsNaN(want[i]) {
						t.Errorf("seed %d threads %d: %d: %g, plain %g", seed, th, i, got[i], want[i])
						break
					}
				}
			}
		}()
	}
	require.Greater(t, sliced, 100)
}
