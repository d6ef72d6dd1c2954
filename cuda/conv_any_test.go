//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/cuda/internal/sim"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// anyConv is a small convolution of any geometry, every other one of an image that is no larger than its window.
func anyConv(r *rand.Rand) (c tinyCase, g op.ConvGeometry) {
	for {
		in, out, groups := 1+r.IntN(12), 1+r.IntN(12), 1
		h, w, kh, kw := 1+r.IntN(2), 1+r.IntN(2), 2+r.IntN(4), 2+r.IntN(4)
		c.a = op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
		if r.IntN(3) == 0 {
			c.a.Padding = shape.Padding{Mode: shape.Explicit, Top: r.IntN(4), Bottom: r.IntN(4), Left: r.IntN(4), Right: r.IntN(4)}
		}
		if r.IntN(2) == 0 {
			h, w, kh, kw, groups = 1+r.IntN(4), 1+r.IntN(4), 1+r.IntN(5), 1+r.IntN(5), 1+r.IntN(6)/4
			c.a.Groups, c.a.Strides, c.a.Dilations = groups, [2]int{1 + r.IntN(2), 1 + r.IntN(2)}, [2]int{1 + r.IntN(4)/3, 1 + r.IntN(4)/3}
		}
		c.x, c.w = tensor.Shape{1 + r.IntN(9), h, w, groups * in}, tensor.Shape{kh, kw, in, groups * out}
		if r.IntN(6) == 0 {
			c.a.Format, c.x = shape.NCHW, tensor.Shape{c.x[0], groups * in, h, w}
		}
		var err error
		if g, err = c.a.Geometry(c.x, c.w); err == nil {
			return c, g
		}
	}
}

// farFromZero is a bias that decides what a ReLU lets through, channel by channel. With one of ordinary size rounding to bfloat16 changes the
// sign of a sum here and there, and the gradients behind it differ by all that it lets through or not.
func farFromZero(g op.ConvGeometry) []float32 {
	bias := make([]float32, g.F)
	for i := range bias {
		bias[i] = float32(8*g.H.Kernel*g.W.Kernel*g.C) * float32(1-i%2*2)
	}
	return bias
}

// Convolutions of any geometry and their gradients, with bias and ReLU or not, in any way, with the libraries or without, of filters that are inputs or computed, between others
// whose images are kept as bfloat16 or alone; and gradients of filters in both orders.
func TestConvolutionsOfAnyGeometry(t *testing.T) {
	needGPU(t)
	seeds := uint64(300)
	if _, simulated := sim.Live(); !simulated {
		seeds = 120 // a minute or two, as kernels are compiled for each
	}
	if testing.Short() {
		seeds = 60
	}
	engines := map[string]*cuda.Engine{}
	pick := func(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 0))
		c, g := anyConv(r)
		way := pick(r, "", "product", "cuDNN", "few channels", tinyProduct, "tiny images by cuDNN", "tiny images as a rounded product")
		precision, computed, bias, relu, alone := pick(r, "fp32", "tf32", "bf16"), r.IntN(3) == 0, r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0
		libs := [][]string{nil, nil, {"cudnn"}, {"cublaslt"}, {"cudnn", "cublaslt"}}[r.IntN(5)]
		key := fmt.Sprint(precision, libs)
		if engines[key] == nil {
			engines[key] = open(t, cuda.Config{Precision: precision, Without: libs})
		}
		e := engines[key]
		cuda.Force(t, way)
		what := fmt.Sprintf("seed %d: %v of %v and %v, %s without %v, way %q, computed %t, bias %t, ReLU %t, alone %t", seed, &op.Conv2D{ConvAttrs: c.a}, c.x, c.w, precision, libs,
			way, computed, bias, relu, alone)
		tol := func(k numtest.Kind) numtest.Tolerance { return numtest.Tol(tensor.Float32, k) }
		norm := 1e-5 // sums in another order
		if precision != "fp32" {
			norm = 0.05 // bfloat16 has 8 bits, and there may be three layers
			tol = func(numtest.Kind) numtest.Tolerance { return numtest.Tolerance{Norm: norm} }
		}
		enginetest.Case{Name: what, Build: func(b *enginetest.B) {
			dot := func(x *gorgonia.Node, name string, from, to int) *gorgonia.Node {
				if alone {
					return x
				}
				return b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Format: c.a.Format}}, x, b.Input(name, 1, 1, from, to))
			}
			w := b.Input("w", c.w...)
			wrt, filter := []*gorgonia.Node{b.Input("x", c.x...), w}, w
			if computed {
				filter = b.Apply(&op.Scale{Factor: 0.5}, w)
			}
			y := b.Apply(&op.Conv2D{ConvAttrs: c.a}, dot(wrt[0], "before", g.C, g.C), filter)
			if bias {
				_, _, channel := c.a.Format.Axes()
				wrt = append(wrt, b.Input("bias", g.F))
				if relu && precision != "fp32" {
					wrt[2] = b.Filled("far bias", farFromZero(g), g.F)
				}
				y = b.Apply(&op.BiasAdd{Axis: channel}, y, wrt[2])
				if relu {
					y = b.Apply(&op.ReLU{}, y)
				}
			}
			b.Grads(b.Want("y", numtest.Reduction, dot(y, "behind", g.F, 4)), wrt...)
		}}.RequireCloseTo(t, e, tol, tensor.Float32)

		grad, update := &op.Conv2DBackwardFilter{ConvAttrs: c.a, FilterShape: []int(c.w)}, graph.Instr(&graph.MomentumUpdate{Momentum: 0.9})
		if r.IntN(2) == 0 {
			update = &graph.FusedUpdate{Update: &graph.AdamUpdate{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}, L2: 0.1}
		}
		var runs [2]gradientRun
		for i, transposed := range []bool{false, true} {
			p, data := gradientPlan(grad, update, c.x, g.Output(), transposed, transposed && precision == "bf16")
			runs[i] = runGradient(t, e, p, data)
		}
		numtest.AssertClose(t, runs[0].gradient, runs[1].gradient, numtest.Tolerance{Norm: norm}, what)
		for k := range runs[0].results {
			numtest.AssertClose(t, runs[0].results[k], runs[1].results[k], numtest.Tolerance{Norm: norm}, what)
		}
	}
}
