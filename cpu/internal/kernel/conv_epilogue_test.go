package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// What a convolution does to its sums, with filters as they are and frozen ones.
func TestConv2DEpilogue(t *testing.T) {
	products(t, testConv2DEpilogue[float32], testConv2DEpilogue[float64])
}

func testConv2DEpilogue[T Float](t *testing.T) {
	options := []ConvOptions{{Bias: true, ReLU: true}, {Add: true}, {Frozen: true}, {Bias: true, Add: true, ReLU: true},
		{Bias: true, Add: true, ReLU: true, Frozen: true}}
	for i, c := range convCases() {
		if !inShare[T](i) {
			continue
		}
		force(t, c)
		t.Run(c.String(), func(t *testing.T) {
			g := c.geometry(t)
			in := inputs[T]{convInput[T](c, 1), convFilter[T](c, 2), normal[T](3, c.f), normal[T](4, g.Output()...)}
			y := reference(t, &op.Conv2D{ConvAttrs: c.a}, in[:2])
			for j, o := range options {
				if last := j == len(options)-1; !last && (testing.Short() || !inTurn[T](i+j)) { // the last does all of it
					continue
				}
				want := finished(g, o, y, in.f(2), in.f(3))
				verify(t, in, []result{{want, numtest.Reduction}}, func(e Env[T]) (prepared[T], error) { return frozen[T](t, e, g, o, false) })
				if o.Add {
					verify(t, in, []result{{want, numtest.Reduction}}, func(e Env[T]) (prepared[T], error) { return frozen[T](t, e, g, o, true) })
				}
			}
		})
	}
}

// finished is what becomes of sums.
func finished[T Float](g op.ConvGeometry, o ConvOptions, sums []float64, bias, residual []T) []float64 {
	inner := 1
	if g.Format == shape.NCHW {
		inner = g.H.Out * g.W.Out
	}
	want := append([]float64(nil), sums...)
	for i := range want {
		if o.Bias {
			want[i] += float64(bias[i/inner%g.F])
		}
		if o.Add {
			want[i] += float64(residual[i])
		}
		if o.ReLU {
			want[i] = max(want[i], 0)
		}
	}
	return want
}

// frozen prepares a convolution of x, w, bias, residual. A frozen filter is taken over in the first run; then the kernel must not
// look at it again. over says that the residual lies where the result goes.
func frozen[T Float](t *testing.T, e Env[T], g op.ConvGeometry, o ConvOptions, over bool) (prepared[T], error) {
	k, err := NewConv2D[T](e, g, o)
	if err != nil {
		return prepared[T]{}, err
	}
	kept, fine := guarded[T](k.KeptLen())
	k.SetKept(kept)
	packed := false
	return prepared[T]{k, func(out [][]T, in inputs[T]) {
		w, residual := in.f(1), in.f(3)
		if o.Frozen {
			if !packed {
				k.Pack(w)
				fine(t)
				packed = true
			}
			w = nil
		}
		if over {
			copy(out[0], residual)
			residual = out[0]
		}
		k.Run(out[0], in.f(0), w, in.f(2), residual)
	}}, nil
}

// One image, where positions that follow each other are rows of one product, many, whose rows are laid out anew where they would
// collide, and the way that is chosen.
func TestByTap(t *testing.T) { products(t, testByTap[float32], testByTap[float64]) }

func testByTap[T Float](t *testing.T) {
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	strided := same
	strided.Strides = [2]int{2, 2}
	for _, c := range []convCase{
		{1, 1, 1, 40, 3, 3, 70, same, byTaps}, {5, 1, 1, 32, 3, 3, 33, same, byTaps}, {6, 2, 2, 32, 3, 3, 64, same, byTaps},
		{5, 2, 2, 128, 3, 3, 40, same, byTaps}, {12, 4, 4, 32, 3, 3, 32, same, byTaps}, {7, 4, 4, 32, 3, 3, 32, strided, byTaps},
		{1, 4, 4, 33, 3, 3, 35, same, byTaps}, {1, 3, 2, 8, 3, 3, 6, strided, byTaps}, {6, 2, 2, 512, 1, 1, 40, strided, byTaps},
	} {
		t.Run(c.String(), func(t *testing.T) {
			force(t, c)
			g := c.geometry(t)
			o := ConvOptions{Bias: true, Add: true, ReLU: true, Frozen: true}
			in := inputs[T]{convInput[T](c, 1), convFilter[T](c, 2), normal[T](3, c.f), normal[T](4, g.Output()...)}
			want := finished(g, o, reference(t, &op.Conv2D{ConvAttrs: c.a}, in[:2]), in.f(2), in.f(3))
			verify(t, in, []result{{want, numtest.Reduction}}, func(e Env[T]) (prepared[T], error) {
				k, err := NewConv2D[T](e, g, o)
				require.NoError(t, err)
				require.Equal(t, byTaps+packed, k.Way(), c)
				return frozen[T](t, e, g, o, false)
			})
		})
	}
}
