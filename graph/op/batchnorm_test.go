package op

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// network is a small classifier with everything that hangs on a real one's cost: batch norm, dropout, L2 penalties.
type network struct {
	g                                    *gorgonia.ExprGraph
	x, w, gamma, beta, out, labels, step *gorgonia.Node
	moving, movingVariance               *gorgonia.Node
	mean, variance, logits, loss, cost   *gorgonia.Node
}

func newNetwork(t *testing.T, dt tensor.Dtype) *network {
	rng := rand.New(rand.NewPCG(5, 6))
	g := gorgonia.NewGraph()
	in := func(name string, a Array) *gorgonia.Node { return feed(g, name, as(t, dt, a)) }
	n := &network{g: g, x: in("x", normal(rng, 5, 7)), w: in("w", normal(rng, 7, 3)), gamma: in("gamma", normal(rng, 3)),
		beta: in("beta", normal(rng, 3)), out: in("out", normal(rng, 3, 4)), labels: in("labels", classes(rng, 5, 4)),
		step: in("step", integer(3)), moving: in("moving", vector(0, 0, 0)), movingVariance: in("moving variance", vector(1, 1, 1))}
	must := func(o Op, children ...*gorgonia.Node) *gorgonia.Node {
		y, err := Apply(o, children...)
		require.NoError(t, err)
		return y
	}
	h := must(&MatMul{}, n.x, n.w)
	y, mean, variance, err := BatchNormTraining(h, n.gamma, n.beta, -1, 1e-3)
	require.NoError(t, err)
	n.mean, n.variance = mean, variance
	r := must(&ReLU{}, y)
	d := must(&Dropout{Rate: 0.3, Seed: 11, Stream: 1}, r, n.step)
	n.logits = must(&MatMul{}, d, n.out)
	n.loss = must(&Mean{}, must(&SoftmaxCrossEntropy{}, n.logits, n.labels))
	penalty := must(&Add{}, must(&L2Penalty{Lambda: 0.01}, n.w), must(&L2Penalty{Lambda: 0.02}, n.out))
	n.cost = must(&Add{}, n.loss, penalty)
	return n
}

func (n *network) weights() []*gorgonia.Node { return []*gorgonia.Node{n.w, n.gamma, n.beta, n.out} }

// watch hangs running averages and metrics on the network.
func (n *network) watch(t *testing.T) []*gorgonia.Node {
	var out []*gorgonia.Node
	hang := func(o Op, children ...*gorgonia.Node) *gorgonia.Node {
		y, err := Apply(o, children...)
		require.NoError(t, err)
		out = append(out, y)
		return y
	}
	hang(&MovingAverage{Momentum: 0.9, Factor: 1}, n.moving, n.mean)
	hang(&MovingAverage{Momentum: 0.9, Factor: 5. / 4}, n.movingVariance, n.variance)
	hang(&TopKCorrect{K: 1}, n.logits, n.labels)
	hang(&TopKCorrect{K: 2}, n.logits, n.labels)
	hang(&Scale{Factor: 0.2}, hang(&TopKCorrect{K: 3}, n.logits, n.labels)) // a metric on a metric
	p := hang(&Softmax{}, n.logits)                                         // differentiable, but not part of the cost
	hang(&TopKCorrect{K: 4}, p, n.labels)
	hang(&CrossEntropy{}, p, n.labels)
	return out
}

// Running averages, metrics and other uses of the network's nodes change no gradient, whether they are there before
// gorgonia.Grad or come after it, and all gradients are right.
func TestGradWithMetricsAndUpdates(t *testing.T) {
	gradients := func(before, after bool) (values [][]float64, watched [][]float64) {
		n := newNetwork(t, tensor.Float64)
		var seen []*gorgonia.Node
		if before {
			seen = n.watch(t)
		}
		grads, err := gorgonia.Grad(n.cost, n.weights()...)
		require.NoError(t, err)
		if after {
			seen = n.watch(t)
		}
		got := stock(t, n.g, append(append([]*gorgonia.Node{n.cost}, grads...), seen...)...)
		for i, a := range got {
			if i <= len(grads) {
				values = append(values, wide(a))
			} else {
				watched = append(watched, wide(a))
			}
		}
		return values, watched
	}
	plain, _ := gradients(false, false)
	for _, when := range []struct{ before, after bool }{{true, false}, {false, true}, {true, true}} {
		values, watched := gradients(when.before, when.after)
		require.Equal(t, plain, values, "%+v", when)
		require.Len(t, watched, 9)
	}

	n := newNetwork(t, tensor.Float64)
	in := []*gorgonia.Node{n.x, n.labels, n.step, n.w, n.gamma, n.beta, n.out}
	inputs := make([]Array, len(in))
	for i, node := range in {
		a, err := AsArray(node.Value())
		require.NoError(t, err)
		inputs[i] = a
	}
	for i := range n.weights() {
		checkDifferences(t, n.cost, in, inputs, 3+i, plain[1+i])
	}
}

// Updates made of the gradients, as an optimizer makes them, can be built and run beside them.
func TestUpdatesFromGradients(t *testing.T) {
	n := newNetwork(t, tensor.Float32)
	n.watch(t)
	all, err := gorgonia.Grad(n.cost, n.weights()...)
	require.NoError(t, err)
	lr := feed(n.g, "lr", as(t, tensor.Float32, number(0.5)))
	var news []*gorgonia.Node
	for i, w := range n.weights() {
		y, err := Apply(&Descend{}, w, all[i], lr)
		require.NoError(t, err)
		news = append(news, y)
	}
	values := stock(t, n.g, append(append([]*gorgonia.Node{}, all...), news...)...)
	for i, w := range n.weights() {
		old, err := AsArray(w.Value())
		require.NoError(t, err)
		grad, got := wide(values[i]), wide(values[len(all)+i])
		for j, v := range wide(old) {
			require.InDelta(t, v-0.5*grad[j], got[j], 1e-6)
		}
	}
}

// The mean and the variance of the batch may enter the cost besides y: each then has its own path, and nothing counts
// twice.
func TestBatchStatisticsInTheCost(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	inputs := []Array{normal(rng, 4, 3, 5), normal(rng, 5), normal(rng, 5)}
	g := gorgonia.NewGraph()
	in := feedAll(g, inputs)
	y, mean, variance, err := BatchNormTraining(in[0], in[1], in[2], -1, 1e-3)
	require.NoError(t, err)
	sum := costOf(t, y)
	for _, n := range []*gorgonia.Node{mean, variance} {
		p, err := Apply(&L2Penalty{Lambda: 0.5}, n)
		require.NoError(t, err)
		sum, err = Apply(&Add{}, sum, p)
		require.NoError(t, err)
	}
	grads, err := gorgonia.Grad(sum, in...)
	require.NoError(t, err)
	for i, got := range stock(t, g, grads...) {
		checkDifferences(t, sum, in, inputs, i, wide(got))
	}
}

func TestBatchStatistics(t *testing.T) {
	// Channels last: channel 0 is 1, 3, 5, 7, channel 1 is 10, 10, 10, 14.
	x := Array{tensor.Shape{2, 2, 2}, []float64{1, 10, 3, 10, 5, 10, 7, 14}}
	mean := reference(t, &BatchMean{Axis: -1}, x)
	require.Equal(t, []float64{4, 11}, mean.Data)
	require.Equal(t, []float64{5, 3}, reference(t, &BatchVariance{Axis: -1}, x, mean).Data)
	// Axis 1: rows (1, 10, 5, 10) and (3, 10, 7, 14).
	mean = reference(t, &BatchMean{Axis: 1}, x)
	require.Equal(t, []float64{6.5, 8.5}, mean.Data)
	require.Equal(t, reference(t, &BatchMean{Axis: -2}, x).Data, mean.Data)

	// A large offset does not cancel, in float32 too.
	y := Array{tensor.Shape{4, 1}, []float32{16777212, 16777214, 16777214, 16777216}}
	m := reference(t, &BatchMean{Axis: -1}, y)
	require.Equal(t, []float32{16777214}, m.Data)
	require.Equal(t, []float32{2}, reference(t, &BatchVariance{Axis: -1}, y, m).Data)

	// NaN stays in its channel.
	z := Array{tensor.Shape{2, 2}, []float64{math.NaN(), 1, 2, 3}}
	m = reference(t, &BatchMean{Axis: -1}, z)
	require.True(t, math.IsNaN(m.Data.([]float64)[0]))
	require.Equal(t, 2., m.Data.([]float64)[1])
}

// Normalised activations have mean beta and variance gamma²; a batch of one element a channel gives beta.
func TestBatchNormNormalises(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 11))
	x, gamma, beta := normal(rng, 5, 7, 3), vector(2, -1, 0), vector(1, 0, -3)
	mean := reference(t, &BatchMean{Axis: -1}, x)
	variance := reference(t, &BatchVariance{Axis: -1}, x, mean)
	y := reference(t, &BatchNorm{Axis: -1}, x, gamma, beta, mean, variance)
	m := reference(t, &BatchMean{Axis: -1}, y)
	v := reference(t, &BatchVariance{Axis: -1}, y, m)
	require.InDeltaSlice(t, beta.Data, m.Data, 1e-12)
	require.InDeltaSlice(t, []float64{4, 1, 0}, v.Data, 1e-12)
	require.Equal(t, y.Data, reference(t, &BatchNormInference{Axis: -1}, x, gamma, beta, mean, variance).Data)

	one := matrix(1, 3, 5, 6, 7)
	zero := vector(0, 0, 0)
	require.Equal(t, beta.Data, reference(t, &BatchNorm{Axis: -1, Epsilon: 1e-3}, one, gamma, beta, vector(5, 6, 7), zero).Data)
}

// The inference gradient is what remains of the training gradient without the paths through the statistics.
func TestBatchNormInferenceGradient(t *testing.T) {
	gamma, variance := vector(2, 3), vector(3, 8)
	dy := matrix(2, 2, 1, 2, 3, 4)
	require.Equal(t, []float64{1, 2, 3, 4}, reference(t, &BatchNormInferenceGradInput{Axis: 1, Epsilon: 1}, gamma, variance, dy).Data)
}

func TestMovingAverage(t *testing.T) {
	o := &MovingAverage{Momentum: 0.75, Factor: 2}
	require.Equal(t, []float64{0.75*4 + 0.25*2*8, 0}, reference(t, o, vector(4, 0), vector(8, 0)).Data)
}
