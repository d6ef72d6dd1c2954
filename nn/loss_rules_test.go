package nn

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/numtest"
)

// lossNode makes an input.
func lossNode(g *gorgonia.ExprGraph, name string, x *tensor.Dense) *gorgonia.Node {
	return gorgonia.NewTensor(g, x.Dtype(), x.Dims(), gorgonia.WithShape(x.Shape()...), gorgonia.WithName(name), gorgonia.WithValue(x))
}

// TestLossesAreDerived compares gradients with differences, by predictions alone and with weights.
func TestLossesAreDerived(t *testing.T) {
	positive := numtest.Uniform(3, tensor.Float64, 0.1, 0.9, 3, 4)
	away := numtest.AwayFromZero(4, tensor.Float64, 0.2, 3, 4)
	oneHot := tensor.New(tensor.WithShape(3, 4), tensor.WithBacking([]float64{0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0}))
	for _, c := range []struct {
		l       Loss
		x, want *tensor.Dense
	}{
		{CategoricalCrossentropy{FromLogits: true, LabelSmoothing: 0.1}, away, oneHot},
		{CategoricalCrossentropy{}, positive, oneHot},
		{SparseCategoricalCrossentropyLoss{FromLogits: true, LabelSmoothing: 0.2}, away, tensor.New(tensor.WithShape(3), tensor.WithBacking([]int{1, 3, 0}))},
		{SparseCategoricalCrossentropyLoss{LabelSmoothing: 0.2}, positive, tensor.New(tensor.WithShape(3), tensor.WithBacking([]int{1, 3, 0}))},
		{SparseCategoricalFocalCrossentropy{FromLogits: true, LabelSmoothing: 0.2}, away, tensor.New(tensor.WithShape(3), tensor.WithBacking([]int{1, 3, 0}))},
		{BinaryCrossentropy{FromLogits: true}, away, oneHot},
		{BinaryCrossentropy{LabelSmoothing: 0.1}, positive, oneHot},
		{BinaryFocalCrossentropy{FromLogits: true, ApplyClassBalancing: true}, away, oneHot},
		{BinaryFocalCrossentropy{Gamma: 2.5}, positive, oneHot},
		{CategoricalFocalCrossentropy{FromLogits: true}, away, oneHot},
		{CategoricalFocalCrossentropy{Gamma: 0.5, LabelSmoothing: 0.1}, positive, oneHot},
		{MeanSquaredError{}, away, oneHot}, {MeanAbsoluteError{}, positive, oneHot}, {MeanAbsolutePercentageError{}, positive, away},
		{MeanSquaredLogarithmicError{}, positive, oneHot}, {Huber{Delta: 0.35}, away, oneHot}, {LogCosh{}, away, oneHot},
		{Poisson{}, positive, oneHot}, {KLDivergence{}, positive, oneHot}, {CosineSimilarity{}, away, positive}, {CosineSimilarity{Axis: -1}, away, positive},
		{Hinge{}, away, away}, {SquaredHinge{}, away, oneHot}, {CategoricalHinge{}, positive, oneHot},
	} {
		class, _ := c.l.Identity()
		t.Run(class, func(t *testing.T) {
			w := numtest.Uniform(9, tensor.Float64, 0.5, 2, 3)
			numtest.CheckGrad(t, func(g *gorgonia.ExprGraph, ins []*gorgonia.Node) (*gorgonia.Node, error) {
				return c.l.Values(ins[0], lossNode(g, "target", c.want))
			}, []*tensor.Dense{c.x}, numtest.GradOptions{})
			numtest.CheckGrad(t, func(g *gorgonia.ExprGraph, ins []*gorgonia.Node) (*gorgonia.Node, error) {
				return c.l.Reduced(ins[0], lossNode(g, "target", c.want), ins[1])
			}, []*tensor.Dense{c.x, w}, numtest.GradOptions{})
		})
	}
}

// TestLossesOfActivations: from the outputs of softmax and sigmoid the losses are those of the scores, exact where probabilities
// are 0 and 1 in float32.
func TestLossesOfActivations(t *testing.T) {
	large := tensor.New(tensor.WithShape(2, 2, 3), tensor.WithBacking([]float32{200, -200, 3, -90, 4, 60, 0, 100, -7, 1, 2, 300}))
	target := tensor.New(tensor.WithShape(2, 2, 3), tensor.WithBacking([]float32{0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}))
	for _, c := range []struct {
		f                Nonlinearity
		logits, activate Loss
	}{
		{Softmax, CategoricalCrossentropy{FromLogits: true}, CategoricalCrossentropy{}},
		{Softmax, CategoricalCrossentropy{FromLogits: true}, CategoricalCrossentropy{FromLogits: true}},
		{Softmax, CategoricalFocalCrossentropy{FromLogits: true, LabelSmoothing: 0.1}, CategoricalFocalCrossentropy{LabelSmoothing: 0.1}},
		{Sigmoid, BinaryCrossentropy{FromLogits: true}, BinaryCrossentropy{}},
		{Sigmoid, BinaryFocalCrossentropy{FromLogits: true}, BinaryFocalCrossentropy{}},
	} {
		for _, shape := range []tensor.Shape{{2, 2, 3}, {4, 3}} {
			b := NewBuilder("m")
			in := b.Input(Shape(shape[1:]))
			m, err := b.Model(in, b.Add(Activation{Func: c.f}, in))
			require.NoError(t, err)
			g := gorgonia.NewGraph()
			x, y := large.Clone().(*tensor.Dense), target.Clone().(*tensor.Dense)
			require.NoError(t, x.Reshape(shape...))
			require.NoError(t, y.Reshape(shape...))
			input, want := lossNode(g, "x", x), lossNode(g, "target", y)
			net, err := m.Build(g, BuildConfig{Input: input})
			require.NoError(t, err)
			a, err := c.logits.Values(input, want)
			require.NoError(t, err)
			d, err := c.activate.Values(net.Output, want)
			require.NoError(t, err)
			grad, err := c.activate.Reduced(net.Output, want, nil)
			require.NoError(t, err)
			grads, err := gorgonia.Grad(grad, input)
			require.NoError(t, err)
			v := valuesOf(t, g, gorgonia.Nodes{a, d, grads[0]}, true)
			require.Equal(t, v[a].Data(), v[d].Data())
			for _, x := range append(v[d].Data().([]float32), v[grads[0]].Data().([]float32)...) {
				require.False(t, math.IsNaN(float64(x)) || math.IsInf(float64(x), 0))
			}
		}
	}
}

// TestSparseIsCategorical: labels are one-hot vectors, with smoothing too, and the plain mean is the function's, bit by bit.
func TestSparseIsCategorical(t *testing.T) {
	x := numtest.Normal(5, tensor.Float32, 4, 6)
	labels := []int{2, 0, 5, 2}
	hot := make([]float32, 4*6)
	for i, l := range labels {
		hot[6*i+l] = 1
	}
	for _, s := range []float64{0, 0.1, 1} {
		g := gorgonia.NewGraph()
		in := lossNode(g, "x", x)
		y := lossNode(g, "labels", tensor.New(tensor.WithShape(4), tensor.WithBacking(labels)))
		h := lossNode(g, "hot", tensor.New(tensor.WithShape(4, 6), tensor.WithBacking(hot)))
		a, err := SparseCategoricalCrossentropyLoss{FromLogits: true, LabelSmoothing: s}.Reduced(in, y, nil)
		require.NoError(t, err)
		b, err := CategoricalCrossentropy{FromLogits: true, LabelSmoothing: s}.Reduced(in, h, nil)
		require.NoError(t, err)
		c, err := SparseCategoricalCrossentropyFromLogits(in, y)
		require.NoError(t, err)
		v := valuesOf(t, g, gorgonia.Nodes{a, b, c}, true)
		if s == 0 {
			require.Equal(t, v[c].Data(), v[a].Data())
		}
		numtest.AssertClose(t, v[b], v[a], numtest.Tol(tensor.Float32, numtest.Loss), fmt.Sprint("smoothing ", s))

		a, err = SparseCategoricalFocalCrossentropy{FromLogits: true, LabelSmoothing: s, Gamma: 1.5}.Values(in, y)
		require.NoError(t, err)
		b, err = CategoricalFocalCrossentropy{FromLogits: true, LabelSmoothing: s, Gamma: 1.5}.Values(in, h)
		require.NoError(t, err)
		v = valuesOf(t, g, gorgonia.Nodes{a, b}, true)
		numtest.AssertClose(t, v[b], v[a], numtest.Tol(tensor.Float32, numtest.Loss), fmt.Sprint("focal, smoothing ", s))
	}
}

func TestReductionNone(t *testing.T) {
	g := gorgonia.NewGraph()
	x, y := lossNode(g, "x", numtest.Normal(1, tensor.Float32, 2, 3, 4)), lossNode(g, "y", numtest.Normal(2, tensor.Float32, 2, 3, 4))
	w := lossNode(g, "w", tensor.New(tensor.WithShape(2), tensor.WithBacking([]float32{0, 2})))
	plain, err := MeanSquaredError{}.Values(x, y)
	require.NoError(t, err)
	none, err := MeanSquaredError{ReductionNone}.Reduced(x, y, w)
	require.NoError(t, err)
	zero, err := MeanSquaredError{ReductionMeanWithSampleWeight}.Reduced(x, y, lossNode(g, "w0", tensor.New(tensor.WithShape(2, 1), tensor.WithBacking([]float32{0, 0}))))
	require.NoError(t, err)
	v := valuesOf(t, g, gorgonia.Nodes{plain, none, zero}, true)
	a, b := v[plain].Data().([]float32), v[none].Data().([]float32)
	require.Equal(t, []float32{0, 0, 0, 2 * a[3], 2 * a[4], 2 * a[5]}, b)
	require.Equal(t, float32(0), v[zero].Data())
}

func TestLossMistakes(t *testing.T) {
	g := gorgonia.NewGraph()
	node := func(dt tensor.Dtype, shape ...int) *gorgonia.Node {
		if len(shape) == 0 {
			return gorgonia.NewScalar(g, dt, gorgonia.WithName(fmt.Sprint(len(g.AllNodes()))))
		}
		return gorgonia.NewTensor(g, dt, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(fmt.Sprint(len(g.AllNodes()))))
	}
	x := node(tensor.Float32, 4, 5)
	same := node(tensor.Float32, 4, 5)
	for _, c := range []struct {
		l       Loss
		p, t, w *gorgonia.Node
		kind    error
		text    string
	}{
		{Huber{}, nil, same, nil, ErrNilTensor, `nn: Huber: a loss compares two tensors`},
		{Huber{}, x, node(tensor.Float32, 4, 1), nil, ErrShape, "predicted is (4, 5), target is (4, 1)"},
		{Huber{}, x, node(tensor.Float64, 4, 5), nil, ErrArgument, "predicted is Matrix float32, target is Matrix float64"},
		{Huber{}, node(tensor.Float32), node(tensor.Float32), nil, ErrShape, "predicted is a scalar"},
		{Huber{}, node(tensor.Int, 4, 5), node(tensor.Int, 4, 5), nil, ErrArgument, "must be float32 or float64"},
		{Huber{Delta: -1}, x, same, nil, ErrArgument, "Delta must be above 0, is -1"},
		{Huber{Reduction: "average"}, x, same, nil, ErrArgument, `there is no reduction "average"`},
		{Huber{}, x, same, node(tensor.Float32, 5), ErrShape, "the losses are (4,), the sample weights are (5,)"},
		{Huber{}, x, same, node(tensor.Float32, 4, 5), ErrShape, "the sample weights are (4, 5)"},
		{CategoricalCrossentropy{LabelSmoothing: 1.5}, x, same, nil, ErrArgument, "LabelSmoothing must be from 0 to 1, is 1.5"},
		{CategoricalCrossentropy{LabelSmoothing: math.NaN()}, x, same, nil, ErrArgument, "is NaN"},
		{CategoricalCrossentropy{Axis: 2}, x, same, nil, ErrShape, "there is no Axis 2"},
		{CosineSimilarity{Axis: -2}, x, same, nil, ErrShape, "there is no Axis -2"},
		{BinaryFocalCrossentropy{Alpha: 2}, x, same, nil, ErrArgument, "Alpha must be above 0"},
		{CategoricalFocalCrossentropy{Gamma: -1}, x, same, nil, ErrArgument, "Gamma must be above 0"},
		{SparseCategoricalCrossentropyLoss{}, x, same, nil, ErrShape, "predicted is (4, 5), so labels must be (4,), are (4, 5)"},
		{SparseCategoricalCrossentropyLoss{}, x, node(tensor.Float32, 4), nil, ErrArgument, "labels must be int"},
	} {
		_, err := c.l.Reduced(c.p, c.t, c.w)
		require.ErrorIs(t, err, c.kind)
		require.ErrorContains(t, err, c.text)
		class, _ := c.l.Identity()
		require.ErrorContains(t, err, "nn: "+class+": ")
	}
}

// TestFocalLossOfCertainty: where a probability is 1 to the last digit, the gradient is a number for every gamma.
func TestFocalLossOfCertainty(t *testing.T) {
	for _, gamma := range []float64{0.01, 0.5, 1, 1.5, 2, 3} {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			for _, l := range []Loss{SparseCategoricalFocalCrossentropy{Gamma: gamma, FromLogits: true}, CategoricalFocalCrossentropy{Gamma: gamma, FromLogits: true},
				BinaryFocalCrossentropy{Gamma: gamma, FromLogits: true}} {
				g := gorgonia.NewGraph()
				x := tensor.New(tensor.WithShape(1, 2), tensor.Of(dt))
				require.NoError(t, convert(x.Data(), []float64{1000, -1000}))
				want := tensor.New(tensor.WithShape(1, 2), tensor.Of(dt))
				require.NoError(t, convert(want.Data(), []float64{1, 0}))
				if _, sparse := l.(SparseCategoricalFocalCrossentropy); sparse {
					want = tensor.New(tensor.WithShape(1), tensor.WithBacking([]int{0}))
				}
				in := lossNode(g, "x", x)
				v, err := l.Reduced(in, lossNode(g, "target", want), nil)
				require.NoError(t, err)
				ds, err := gorgonia.Grad(v, in)
				require.NoError(t, err)
				for _, value := range valuesOf(t, g, append(ds, v), true) {
					for _, n := range float64s(t, value) {
						require.False(t, math.IsNaN(n) || math.IsInf(n, 0), "%T with gamma %v of %v", l, gamma, dt)
					}
				}
			}
		}
	}
}
