package nn

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// random returns standard normal numbers.
func random(dt tensor.Dtype, seed uint64, s ...int) *tensor.Dense {
	rng := rand.New(rand.NewPCG(seed, 1))
	d, err := newDense(dt, s)
	if err != nil {
		panic(err)
	}
	for i := range d.Len() {
		v := rng.NormFloat64()
		switch x := d.Data().(type) {
		case []float32:
			x[i] = float32(v)
		case []float64:
			x[i] = v
		}
	}
	return d
}

func labelsOf(n, classes int) *tensor.Dense {
	x := make([]int, n)
	for i := range x {
		x[i] = (i*7 + 1) % classes
	}
	return tensor.New(tensor.WithShape(n), tensor.WithBacking(x))
}

// float64s copies the elements of a value.
func float64s(t *testing.T, v gorgonia.Value) []float64 {
	a, err := op.AsArray(v)
	require.NoError(t, err)
	out := make([]float64, op.Len(a.Shape))
	require.NoError(t, convert(out, a.Data))
	return out
}

// predict builds the model and runs it on x in a machine of its own.
func predict(t *testing.T, m *Model, x *tensor.Dense, training bool) []float64 {
	g := gorgonia.NewGraph()
	net, err := m.Build(g, BuildConfig{Batch: x.Shape()[0], Training: training})
	require.NoError(t, err)
	run(t, g, func() { bind(t, net, x, 0) })
	return float64s(t, net.Output.Value())
}

func bind(t *testing.T, net *Net, x *tensor.Dense, step int) {
	require.NoError(t, gorgonia.Let(net.Input, x))
	if net.Step != nil {
		require.NoError(t, gorgonia.Let(net.Step, step))
	}
}

func run(t *testing.T, g *gorgonia.ExprGraph, before func()) {
	vm := gorgonia.NewTapeMachine(g)
	defer vm.Close()
	before()
	require.NoError(t, vm.RunAll())
}

// trainer is a model with its loss (and gradients) in a graph.
type trainer struct {
	net   *Net
	loss  *gorgonia.Node
	grads gorgonia.Nodes
	vm    gorgonia.VM
}

func newTrainer(t *testing.T, m *Model, x, y *tensor.Dense, training, differentiate bool) *trainer {
	g := gorgonia.NewGraph()
	net, err := m.Build(g, BuildConfig{Batch: x.Shape()[0], Training: training, Seed: 5})
	require.NoError(t, err)
	labels := gorgonia.NewVector(g, tensor.Int, gorgonia.WithShape(y.Shape()...), gorgonia.WithName("labels"), gorgonia.WithValue(y))
	loss, err := SparseCategoricalCrossentropy(net.Output, labels)
	require.NoError(t, err)
	if net.Penalty != nil {
		loss, err = op.Apply(&op.Add{}, loss, net.Penalty)
		require.NoError(t, err)
	}
	tr := &trainer{net: net, loss: loss}
	if differentiate {
		tr.grads, err = gorgonia.Grad(loss, net.Trainable()...)
		require.NoError(t, err)
	}
	tr.vm = gorgonia.NewTapeMachine(g)
	t.Cleanup(func() { tr.vm.Close() })
	bind(t, net, x, 3)
	return tr
}

func (tr *trainer) run(t *testing.T) float64 {
	tr.vm.Reset()
	require.NoError(t, tr.vm.RunAll())
	return float64s(t, tr.loss.Value())[0]
}

// checkGradients compares the gradient of the loss by every trainable weight with central differences along a random
// direction, in float64.
func checkGradients(t *testing.T, m *Model, x, y *tensor.Dense, training bool) {
	require.NoError(t, m.Initialize(11, tensor.Float64))
	exact := newTrainer(t, m, x, y, training, true)
	exact.run(t)
	plain := newTrainer(t, m, x, y, training, false) // shares the weights
	i := 0
	for _, w := range m.Weights() {
		if !w.Trainable {
			continue
		}
		direction := float64s(t, random(tensor.Float64, uint64(i)+9, w.Shape...))
		want, value := 0.0, w.Value.Data().([]float64)
		for j, g := range float64s(t, exact.grads[i].Value()) {
			want += g * direction[j]
		}
		const h = 1e-6
		move := func(by float64) {
			for j := range value {
				value[j] += by * direction[j]
			}
		}
		saved := append([]float64(nil), value...)
		move(h)
		up := plain.run(t)
		copy(value, saved)
		move(-h)
		down := plain.run(t)
		copy(value, saved)
		require.InDelta(t, (up-down)/(2*h), want, 1e-7*(1+abs(want)), "%s", w.Name)
		i++
	}
	require.Equal(t, len(exact.grads), i)
}

func abs(x float64) float64 {
	if x < 0 {
		return -x
	}
	return x
}
