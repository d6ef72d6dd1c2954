package nn

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

func TestGoldenAttention(t *testing.T) {
	goldenLayers(t, "attention", map[string]Layer{
		"attention":           Attention{},
		"attention with keys": Attention{},
		"attention of one":    Attention{},
		"attention causal":    Attention{Causal: true},
		"additive":            AdditiveAttention{},
		"additive with keys":  AdditiveAttention{NoScale: true},
		"additive causal":     AdditiveAttention{Causal: true},
		"heads":               MultiHeadAttention{Heads: 2, KeyDim: 4},
		"heads with keys":     MultiHeadAttention{Heads: 3, KeyDim: 4, ValueDim: 2, OutputDim: 5, NoBias: true},
		"heads causal":        MultiHeadAttention{Heads: 2, KeyDim: 4, Causal: true},
		"one head":            MultiHeadAttention{Heads: 1, KeyDim: 1},
	})
}

func TestAttentionErrors(t *testing.T) {
	for _, c := range []struct {
		layer Layer
		in    []Shape
		kind  error
		want  string
	}{
		{Attention{}, []Shape{{3, 4}}, ErrArgument, "takes at least 2 inputs, got 1"},
		{Attention{}, []Shape{{3, 4}, {3, 4}, {3, 4}, {3, 4}}, ErrArgument, "takes 3 inputs, got 4"},
		{Attention{}, []Shape{{3, 4}, {5, 6}}, ErrShape, "queries have 4, keys 6"},
		{AdditiveAttention{}, []Shape{{3, 4}, {5, 4}, {5, 6}}, ErrShape, "queries have 4, keys 6"},
		{Attention{}, []Shape{{3, 4}, {5, 4}, {6, 4}}, ErrShape, "got 6 keys and 5 values"},
		{Attention{}, []Shape{{3, 4}, {4}}, ErrShape, "input 1 is (None, 4)"},
		{MultiHeadAttention{Heads: 2, KeyDim: 2}, []Shape{{8, 8, 3}, {64, 3}}, ErrShape, "input 0 is (None, 8, 8, 3)"},
		{Attention{Dropout: 1}, []Shape{{3, 4}, {3, 4}}, ErrArgument, "Dropout must be at least 0 and less than 1, is 1"},
		{AdditiveAttention{Dropout: -1}, []Shape{{3, 4}, {3, 4}}, ErrArgument, "Dropout must be"},
		{MultiHeadAttention{Heads: 2, KeyDim: 2, Dropout: 2}, []Shape{{3, 4}, {3, 4}}, ErrArgument, "Dropout must be"},
		{MultiHeadAttention{KeyDim: 2}, []Shape{{3, 4}, {3, 4}}, ErrArgument, "Heads must be at least 1, is 0"},
		{MultiHeadAttention{Heads: 2}, []Shape{{3, 4}, {3, 4}}, ErrArgument, "KeyDim must be at least 1, is 0"},
		{MultiHeadAttention{Heads: 2, KeyDim: 2, ValueDim: -1}, []Shape{{3, 4}, {3, 4}}, ErrArgument, "ValueDim must be at least 0, is -1"},
		{MultiHeadAttention{Heads: 2, KeyDim: 2, OutputDim: -1}, []Shape{{3, 4}, {3, 4}}, ErrArgument, "OutputDim must be at least 0"},
		{MultiHeadAttention{Heads: 1 << 20, KeyDim: 2}, []Shape{{1 << 10, 4}, {1 << 10, 4}}, ErrShape, "more than 2³⁴ elements"},
		{Attention{}, []Shape{{1 << 18, 4}, {1 << 18, 4}}, ErrShape, "more than 2³⁴ elements"},
		{AdditiveAttention{}, []Shape{{1 << 16, 4}, {1 << 17, 4}}, ErrShape, "more than 2³⁴ elements"},
		{Attention{Causal: true}, []Shape{{1, 1}, {1<<24 + 1, 1}}, ErrShape, "at most 2²⁴ queries and keys, got 1 and 16777217"},
		{AdditiveAttention{Causal: true}, []Shape{{1<<24 + 1, 1}, {1, 1}}, ErrShape, "at most 2²⁴ queries and keys, got 16777217 and 1"},
		{MultiHeadAttention{Heads: 1, KeyDim: 1, Causal: true}, []Shape{{1, 1}, {1 << 25, 1}}, ErrShape, "at most 2²⁴ queries and keys"},
	} {
		b := NewBuilder("m")
		var in []*Tensor
		for _, s := range c.in {
			in = append(in, b.Input(s))
		}
		b.Add(c.layer, in...)
		require.ErrorIs(t, b.Err(), c.kind, "%#v", c.layer)
		require.ErrorContains(t, b.Err(), c.want)
	}
}

// A description of long sequences takes no memory for their pairs: a small file may hold one.
func TestCausalMasksAreNotKept(t *testing.T) {
	for _, l := range []Layer{Attention{Causal: true}, AdditiveAttention{Causal: true}, MultiHeadAttention{Heads: 1, KeyDim: 1, Causal: true}} {
		b := NewBuilder("m")
		in := b.Input(Shape{1 << 13, 1})
		m, err := b.Model(in, b.Add(l, in, in))
		require.NoError(t, err)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 1, ShapesOnly: true})
		require.NoError(t, err)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20), "%T", l) // the pairs are 256 MiB
	}
}

// transformer is an encoder's block, with dropout of the attention.
func transformer(t testing.TB, dropout float64) *Model {
	b := NewBuilder("transformer")
	in := b.Input(Shape{6, 4})
	x := b.Add(LayerNormalization{}, in)
	x = b.Add(Add{}, in, b.Add(MultiHeadAttention{Heads: 2, KeyDim: 3, Dropout: dropout}, x, x))
	y := b.Add(Dense{Units: 8, Activation: GELU}, b.Add(LayerNormalization{}, x))
	x = b.Add(Add{}, x, b.Add(Dense{Units: 4}, y))
	x = b.Add(Dense{Units: 3, Activation: Softmax}, b.Add(GlobalAveragePooling1D{}, x))
	m, err := b.Model(in, x)
	require.NoError(t, err)
	return m
}

func TestGradientsOfAttention(t *testing.T) {
	for _, batch := range []int{1, 3} {
		for _, dropout := range []float64{0, 0.3} {
			checkGradients(t, transformer(t, dropout), random(tensor.Float64, 2, batch, 6, 4), labelsOf(batch, 3), true)
		}
	}
}

// Positions behind a query change nothing, and dropout works in training alone.
func TestAttentionSeesWhatItMay(t *testing.T) {
	run := func(l Layer, training bool, x *tensor.Dense, seed uint64) []float64 {
		b := NewBuilder("m")
		in := b.Input(Shape{5, 4})
		m, err := b.Model(in, b.Add(l, in, in))
		require.NoError(t, err)
		require.NoError(t, m.Initialize(3, tensor.Float64))
		g := gorgonia.NewGraph()
		net, err := m.Build(g, BuildConfig{Batch: 2, Training: training, Dtype: tensor.Float64, Seed: seed})
		require.NoError(t, err)
		require.NoError(t, gorgonia.Let(net.Input, x))
		if net.Step != nil {
			require.NoError(t, gorgonia.Let(net.Step, gorgonia.NewI(1)))
		}
		vm, err := graph.Compile(g, graph.WithOutputs(net.Output))
		require.NoError(t, err)
		defer vm.Close()
		require.NoError(t, vm.RunAll())
		v, err := vm.Value(net.Output)
		require.NoError(t, err)
		return append([]float64(nil), v.Data().([]float64)...)
	}
	for _, l := range []Layer{Attention{Causal: true}, AdditiveAttention{Causal: true}, MultiHeadAttention{Heads: 2, KeyDim: 3, Causal: true}} {
		x := random(tensor.Float64, 1, 2, 5, 4)
		before := run(l, false, x, 1)
		x.Data().([]float64)[4*4] += 100 // of the first sample's last position
		after := run(l, false, x, 1)
		require.Equal(t, before[:4*4], after[:4*4], "%T", l)
		require.NotEqual(t, before[4*4:5*4], after[4*4:5*4], "%T", l)
		require.Equal(t, before[5*4:], after[5*4:], "%T", l)
	}
	for _, l := range [][2]Layer{{Attention{}, Attention{Dropout: 0.5}}, {AdditiveAttention{}, AdditiveAttention{Dropout: 0.5}},
		{MultiHeadAttention{Heads: 2, KeyDim: 3}, MultiHeadAttention{Heads: 2, KeyDim: 3, Dropout: 0.5}}} {
		x := random(tensor.Float64, 1, 2, 5, 4)
		require.Equal(t, run(l[0], true, x, 1), run(l[1], false, x, 1), "%T in inference", l[0])
		require.NotEqual(t, run(l[0], true, x, 1), run(l[1], true, x, 1), "%T in training", l[0])
		require.Equal(t, run(l[1], true, x, 1), run(l[1], true, x, 1), "%T again", l[0])
		require.NotEqual(t, run(l[1], true, x, 1), run(l[1], true, x, 2), "%T with another seed", l[0])
	}
}
