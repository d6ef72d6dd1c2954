package nn

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// lossAndGradient of (4, 3) predictions.
func lossAndGradient(t *testing.T, l Loss, target tensor.Tensor, weights []float32) (float32, []float32) {
	g := gorgonia.NewGraph()
	p := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithName("p"), gorgonia.WithShape(4, 3), gorgonia.WithValue(tensor.New(tensor.WithShape(4, 3),
		tensor.WithBacking([]float32{0.7, 0.2, 0.1, 0.3, 0.3, 0.4, 0.05, 0.9, 0.05, 0.25, 0.25, 0.5}))))
	y := gorgonia.NewTensor(g, target.Dtype(), target.Dims(), gorgonia.WithName("y"), gorgonia.WithShape(target.Shape()...), gorgonia.WithValue(target))
	var w *gorgonia.Node
	if weights != nil {
		w = gorgonia.NewVector(g, tensor.Float32, gorgonia.WithName("w"), gorgonia.WithShape(4), gorgonia.WithValue(tensor.New(tensor.WithShape(4), tensor.WithBacking(weights))))
	}
	cost, err := l.Reduced(p, y, w)
	require.NoError(t, err)
	grads, err := gorgonia.Grad(cost, p)
	require.NoError(t, err)
	m, err := graph.Compile(g, graph.WithOutputs(cost, grads[0]))
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	require.NoError(t, m.RunAll())
	return float32(*cost.Value().(*gorgonia.F32)), append([]float32(nil), grads[0].Value().Data().([]float32)...)
}

// TestLossFunc: written as a function, a loss of this package is the same, with every reduction and with weights.
func TestLossFunc(t *testing.T) {
	squares := func(p, y op.Expr) op.Expr { return y.Sub(p).Square().Mean(-1) }
	target := tensor.New(tensor.WithShape(4, 3), tensor.WithBacking([]float32{1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1}))
	for _, r := range []Reduction{"", ReductionSum, ReductionMeanWithSampleWeight} {
		for _, weights := range [][]float32{nil, {1, 0, 2.5, 0.5}} {
			want, wantGrad := lossAndGradient(t, MeanSquaredError{Reduction: r}, target, weights)
			got, grad := lossAndGradient(t, LossFunc{Func: squares, Reduction: r}, target, weights)
			require.Equal(t, want, got)
			require.Equal(t, wantGrad, grad)
		}
	}
	// Of class numbers: the focal loss by its formula, of probabilities.
	labels := tensor.New(tensor.WithShape(4), tensor.WithBacking([]int{0, 2, 1, 0}))
	focal := LossFunc{Sparse: true, Func: func(p, y op.Expr) op.Expr {
		ce := p.Apply(&op.CrossEntropy{}, y) // −log of the label's probability
		return ce.Neg().Expm1().Square().Mul(ce)
	}}
	want, wantGrad := lossAndGradient(t, SparseCategoricalFocalCrossentropy{Alpha: 1}, labels, []float32{1, 2, 3, 4})
	got, grad := lossAndGradient(t, focal, labels, []float32{1, 2, 3, 4})
	require.InEpsilon(t, want, got, 1e-5)
	for row, label := range []int{0, 2, 1, 0} { // the class of this package divides by the sum of the probabilities first
		require.InDelta(t, wantGrad[3*row+label]-wantGrad[3*row+(label+1)%3], grad[3*row+label]-grad[3*row+(label+1)%3], 1e-5)
	}
}

// TestLossFuncErrors: what a function gets wrong is said when the graph is made.
func TestLossFuncErrors(t *testing.T) {
	g := gorgonia.NewGraph()
	p := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithName("p"), gorgonia.WithShape(4, 3))
	y := gorgonia.NewVector(g, tensor.Int, gorgonia.WithName("y"), gorgonia.WithShape(4))
	for text, c := range map[string]struct {
		l Loss
		y *gorgonia.Node
	}{
		"LossFunc: Func is nil": {LossFunc{}, p},
		"LossFunc: Func returned losses of shape (), wants one or more for each of 4 samples": {LossFunc{Func: func(p, y op.Expr) op.Expr { return p.Sub(y).Sum() }}, p},
		"LossFunc: predicted is (4, 3), target is (4,)":                                       {LossFunc{Func: func(p, y op.Expr) op.Expr { return p }}, y},
		"LossFunc: predicted is (4, 3), so labels must be (4,), are (4, 3)":                   {LossFunc{Sparse: true, Func: func(p, y op.Expr) op.Expr { return p }}, p},
		"LossFunc: a loss compares two tensors, got a nil node":                               {LossFunc{}, nil},
	} {
		_, err := c.l.Reduced(p, c.y, nil)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.ErrorContains(t, err, text)
	}
	class, name := LossFunc{Name: "mine"}.Identity()
	require.Equal(t, [2]string{"LossFunc", "mine"}, [2]string{class, name})
}
