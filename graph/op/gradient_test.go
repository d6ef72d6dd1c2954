package op

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/numtest"
)

// Every derivative of these operations agrees with central differences in float64.
func TestGradients(t *testing.T) {
	for _, p := range differentiable() {
		t.Run(p.name, func(t *testing.T) {
			inputs, fixed := make([]*tensor.Dense, len(p.inputs)), []int(nil)
			for i, a := range p.inputs {
				if inputs[i] = tensor.New(tensor.WithShape(a.Shape...), tensor.WithBacking(a.Data)); len(a.Shape) == 0 {
					inputs[i] = tensor.New(tensor.FromScalar(firstOf(a)))
				}
				if !slices.Contains(p.wrt, i) {
					fixed = append(fixed, i)
				}
			}
			numtest.CheckGrad(t, func(_ *gorgonia.ExprGraph, in []*gorgonia.Node) (*gorgonia.Node, error) {
				return p.build(in)
			}, inputs, numtest.GradOptions{Fixed: fixed})
		})
	}
}

func firstOf(a Array) any {
	if x, ok := a.Data.([]int); ok {
		return x[0]
	}
	return a.Data.([]float64)[0]
}

// checkDifferences compares the gradient of cost with respect to input w with central differences.
func checkDifferences(t *testing.T, cost *gorgonia.Node, in []*gorgonia.Node, inputs []Array, w int, gradient []float64) {
	const h = 1e-5
	x := inputs[w].Data.([]float64)
	for i, v := range x {
		at := func(value float64) float64 {
			x[i] = value
			defer func() { x[i] = v }()
			known := map[*gorgonia.Node]Array{}
			for j, n := range in {
				known[n] = inputs[j]
			}
			for _, n := range cost.Graph().AllNodes() { // costOf's direction
				if n.Op() == nil && n.Value() != nil {
					if _, ok := known[n]; !ok {
						a, err := AsArray(n.Value())
						require.NoError(t, err)
						known[n] = a
					}
				}
			}
			return evaluate(t, cost, known).Data.([]float64)[0]
		}
		want := (at(v+h) - at(v-h)) / (2 * h)
		require.InDelta(t, want, gradient[i], 1e-7*(1+math.Abs(want)), "input %d, element %d", w, i)
	}
}

// A gradient without a derivative of its own stops gorgonia.Grad with a clear error where the alternatives would be a
// wrong second derivative or a panic.
func TestSecondDerivativesStop(t *testing.T) {
	for _, p := range differentiable() {
		switch p.name {
		case "Softmax", "LogSoftmax", "SoftmaxCrossEntropy", "CrossEntropy", "BatchNormTraining NHWC", "mean·variance NHWC":
		default:
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			g := gorgonia.NewGraph()
			in := feedAll(g, p.inputs)
			y, err := p.build(in)
			require.NoError(t, err)
			grads, err := gorgonia.Grad(costOf(t, y), in[0])
			require.NoError(t, err)
			second, err := Apply(&L2Penalty{Lambda: 1}, grads[0])
			require.NoError(t, err)
			_, err = gorgonia.Grad(second, in[0])
			require.ErrorContains(t, err, "second derivatives through this operation are not implemented")
		})
	}
}

// Metrics, updates and running averages have no derivative: a cost made of one is an error of gorgonia.Grad, not a panic
// nor a gradient of zero. The rest, gradients of first order, say so when they are asked.
func TestNoDerivative(t *testing.T) {
	for _, p := range others() {
		g := gorgonia.NewGraph()
		in := feedAll(g, p.inputs)
		y, err := p.build(in)
		require.NoError(t, err)
		o := y.Op().(Op)
		if p.name == "BatchNorm" || p.name == "BatchVariance" {
			continue // differentiable as part of BatchNormTraining
		}
		_, err = o.SymDiff(in, y, y)
		require.ErrorContains(t, err, p.name)
		_, err = gorgonia.Grad(costOf(t, y), in[0])
		require.Error(t, err, p.name)
	}
}
