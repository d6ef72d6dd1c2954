package op

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

var (
	nan = math.NaN()
	inf = math.Inf(1)
)

// Logits of any size, in both types: the loss, its gradient, the probabilities and their logarithms are exact.
func TestSoftmaxExtremes(t *testing.T) {
	third := math.Log(3)
	for _, c := range []struct {
		name                      string
		logits                    []float64
		label                     int
		probs, logProbs, gradient []float64
		loss                      float64
	}{
		{"large", []float64{1e4, 0, -1e4}, 0, []float64{1, 0, 0}, []float64{0, -1e4, -2e4}, []float64{0, 0, 0}, 0},
		{"large and wrong", []float64{1e4, 0, -1e4}, 2, []float64{1, 0, 0}, []float64{0, -1e4, -2e4}, []float64{1, 0, -1}, 2e4},
		{"all equal", []float64{1e4, 1e4, 1e4}, 1, []float64{1. / 3, 1. / 3, 1. / 3}, []float64{-third, -third, -third}, []float64{1. / 3, -2. / 3, 1. / 3}, third},
		{"all very negative", []float64{-1e4, -1e4, -1e4}, 1, []float64{1. / 3, 1. / 3, 1. / 3}, []float64{-third, -third, -third}, []float64{1. / 3, -2. / 3, 1. / 3}, third},
		{"largest numbers", []float64{math.MaxFloat32, -math.MaxFloat32, 0}, 0, []float64{1, 0, 0}, []float64{0, math.Inf(-1), -math.MaxFloat32}, []float64{0, 0, 0}, 0},
		{"one −Inf", []float64{-inf, 0, 0}, 1, []float64{0, .5, .5}, []float64{-inf, -math.Ln2, -math.Ln2}, []float64{0, -.5, .5}, math.Ln2},
		{"−Inf at the label", []float64{-inf, 0, 0}, 0, []float64{0, .5, .5}, []float64{-inf, -math.Ln2, -math.Ln2}, []float64{-1, .5, .5}, inf},
		{"only −Inf", []float64{-inf, -inf, -inf}, 0, []float64{nan, nan, nan}, []float64{nan, nan, nan}, []float64{nan, nan, nan}, nan},
		{"+Inf", []float64{inf, 0, 0}, 1, []float64{nan, nan, nan}, []float64{nan, nan, nan}, []float64{nan, nan, nan}, nan},
		{"NaN first", []float64{nan, 0, 1}, 1, []float64{nan, nan, nan}, []float64{nan, nan, nan}, []float64{nan, nan, nan}, nan},
		{"NaN last", []float64{0, 1, nan}, 1, []float64{nan, nan, nan}, []float64{nan, nan, nan}, []float64{nan, nan, nan}, nan},
	} {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			t.Run(c.name+" "+dt.String(), func(t *testing.T) {
				// A second, ordinary row must not notice.
				x := as(t, dt, matrix(2, 3, append(append([]float64{}, c.logits...), 0, 0, 0)...))
				row := func(o Op, in ...Array) []float64 {
					out := wide(reference(t, o, in...))
					for _, v := range out[3:] {
						require.False(t, math.IsNaN(v))
					}
					return out[:3]
				}
				l := labels(c.label, 0)
				similar(t, c.probs, row(&Softmax{}, x))
				if dt == tensor.Float64 && c.name == "largest numbers" {
					c.logProbs[1] = -2 * math.MaxFloat32
				}
				similar(t, c.logProbs, row(&LogSoftmax{}, x))
				similar(t, c.gradient, row(&SoftmaxCrossEntropyGrad{}, x, l, as(t, dt, vector(1, 1))))
				loss := wide(reference(t, &SoftmaxCrossEntropy{}, x, l))
				similar(t, []float64{c.loss, third}, loss)
			})
		}
	}
}

// similar compares to float32's accuracy; NaN is like NaN.
func similar(t *testing.T, want, got []float64) {
	t.Helper()
	require.Len(t, got, len(want))
	for i, w := range want {
		if math.IsNaN(w) || math.IsInf(w, 0) {
			require.Equal(t, math.IsNaN(w), math.IsNaN(got[i]), "element %d is %v", i, got[i])
			require.Equal(t, math.IsInf(w, 1), math.IsInf(got[i], 1), "element %d is %v", i, got[i])
			continue
		}
		require.InDelta(t, w, got[i], 1e-6*(1+math.Abs(w)), "element %d", i)
	}
}

// A tiny loss keeps its digits: log1p territory, where a naive −log(softmax) gives 0 or rubbish.
func TestSmallLoss(t *testing.T) {
	loss := reference(t, &SoftmaxCrossEntropy{}, matrix(1, 2, 20, 0), labels(0)).Data.([]float64)[0]
	require.InEpsilon(t, math.Log1p(math.Exp(-20)), loss, 1e-6)
}

func TestCrossEntropyClips(t *testing.T) {
	p := Array{tensor.Shape{4, 2}, []float64{0, 1, 1, 0, nan, 0.5, 0.25, 0.75}}
	l := labels(0, 0, 0, 0)
	similar(t, []float64{-math.Log(1e-7), 1e-7, nan, math.Log(4)}, reference(t, &CrossEntropy{}, p, l).Data.([]float64))
	got := reference(t, &CrossEntropyGrad{}, p, l, vector(1, 1, 1, 0.5)).Data.([]float64)
	similar(t, []float64{0, 0, 0, 0, nan, 0, -2, 0}, got)
}

// The loss on the softmax equals the fused loss where nothing is clipped.
func TestCrossEntropyOfSoftmaxIsFused(t *testing.T) {
	x, l := matrix(2, 3, 1, 2, 3, -1, 0, 4), labels(0, 2)
	p := reference(t, &Softmax{}, x)
	require.InDeltaSlice(t, reference(t, &SoftmaxCrossEntropy{}, x, l).Data, reference(t, &CrossEntropy{}, p, l).Data, 1e-12)
}

func TestLabelsOutOfRangeNameTheRow(t *testing.T) {
	x, one := matrix(3, 2, 1, 2, 3, 4, 5, 6), vector(1, 1, 1)
	for _, bad := range []int{-1, 2, math.MaxInt} {
		l := labels(0, 1, bad)
		for _, c := range []struct {
			op Op
			in []Array
		}{
			{&SoftmaxCrossEntropy{}, []Array{x, l}}, {&SoftmaxCrossEntropyGrad{}, []Array{x, l, one}},
			{&CrossEntropy{}, []Array{x, l}}, {&CrossEntropyGrad{}, []Array{x, l, one}}, {&TopKCorrect{K: 1}, []Array{x, l}},
		} {
			_, err := tryReference(t, c.op, c.in...)
			require.ErrorContains(t, err, c.op.Kind())
			require.ErrorContains(t, err, "label of row 2 is")
			require.ErrorContains(t, err, "want 0 to 1")
		}
	}
}
