package nn

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// nestedChain, nestedBranches, severalEnds, mixedBatches and chainOfTwo are the models of scripts/golden/make_summaries_nested.py.
func nestedChain(t *testing.T) *Model {
	b := NewBuilder("base")
	in := b.Add(Input{Shape: Shape{8, 8, 3}, Name: "img"})
	x := b.Add(Conv2D{Filters: 4, Kernel: K(3), Name: "c1"}, in)
	x = b.Add(BatchNormalization{Name: "b1"}, x)
	base, err := b.Model(in, b.Add(GlobalAveragePooling2D{Name: "gap"}, x))
	require.NoError(t, err)
	require.NoError(t, base.SetTrainable(false))
	b = NewBuilder("chain")
	in = b.Add(Input{Shape: Shape{8, 8, 3}, Name: "a"})
	x = b.Add(Dense{Units: 1200, Name: "a_rather_long_name_of_a_layer_that_is_cut"}, b.Add(base, in))
	m, err := b.Model(in, b.Add(Dense{Units: 5, Name: "d"}, x))
	require.NoError(t, err)
	return m
}

func nestedBranches(t *testing.T) *Model {
	b := NewBuilder("inner")
	in := b.Add(Input{Shape: Shape{8, 8, 3}, Name: "jj"})
	x := b.Add(Conv2D{Filters: 3, Kernel: K(3), Padding: Same, Name: "q1"}, in)
	inner, err := b.Model(in, b.Add(Add{Name: "qadd"}, x, in))
	require.NoError(t, err)
	b = NewBuilder("branches")
	in = b.Add(Input{Shape: Shape{8, 8, 3}, Name: "img"})
	x = b.Add(Conv2D{Filters: 3, Kernel: K(3), Padding: Same, Name: "c1"}, in)
	x = b.Add(inner, b.Add(Add{Name: "add"}, x, in))
	x = b.Add(Flatten{Name: "flat"}, x)
	z := b.Add(Dense{Units: 1, Name: "a_rather_long_name_of_a_layer"}, x)
	w := b.Add(Dense{Units: 1, Name: "w"}, x)
	m, err := b.Model(in, b.Add(Add{Name: "end"}, z, w, z))
	require.NoError(t, err)
	require.NoError(t, m.SetTrainable(false, "w"))
	return m
}

func severalEnds(t *testing.T) *Model {
	b := NewBuilder("pair_of_inputs")
	left, right := b.Add(Input{Shape: Shape{6}, Name: "left"}), b.Add(Input{Shape: Shape{3, 2}, Name: "right"})
	h := b.Add(Dense{Units: 4, Name: "hidden"}, left)
	pair, err := b.Functional([]*Tensor{left, right}, []*Tensor{b.Add(Dense{Units: 5, Name: "seen"}, h), h, b.Add(Flatten{Name: "flat"}, right)})
	require.NoError(t, err)
	b = NewBuilder("several")
	table := b.Add(Input{Shape: Shape{6}, Name: "table"})
	spare := b.Add(Input{Shape: Shape{9}, Name: "spare"})
	words := b.Add(Input{Shape: Shape{3}, Name: "words", Dtype: tensor.Int})
	parts := b.AddAll(pair, table, b.Add(Embedding{InputDim: 11, OutputDim: 2, Name: "embedding"}, words))
	require.Len(t, parts, 3)
	x := b.Add(Concatenate{Name: "all"}, parts[2], parts[0], table)
	value := b.Add(Dense{Units: 1, Name: "value_of_a_rather_long_name"}, x)
	m, err := b.Functional([]*Tensor{words, spare, table}, []*Tensor{b.Add(Dense{Units: 3, Name: "class"}, x), value, parts[1], value, table})
	require.NoError(t, err)
	return m
}

// mixedBatches fixes the batch of one of its inputs.
func mixedBatches(t *testing.T) *Model {
	b := NewBuilder("inner")
	j := b.Add(Input{Shape: Shape{3}, Name: "j"})
	inner, err := b.Model(j, b.Add(Dense{Units: 2, Name: "e"}, j))
	require.NoError(t, err)
	b = NewBuilder("mixed")
	fixed, open := b.Add(Input{Shape: Shape{3}, Name: "a", Batch: 4}), b.Add(Input{Shape: Shape{3}, Name: "b"})
	m, err := b.Functional([]*Tensor{open, fixed}, []*Tensor{b.Add(Dense{Units: 2, Name: "d"}, open), b.Add(inner, fixed), b.Add(Add{Name: "s"}, fixed, open)})
	require.NoError(t, err)
	require.Equal(t, 4, m.Batch())
	return m
}

func chainOfTwo(t *testing.T) *Model {
	b := NewBuilder("chained")
	in := b.Add(Input{Shape: Shape{8}, Name: "in"})
	x := b.Add(Dense{Units: 4, Name: "first"}, in)
	m, err := b.Functional([]*Tensor{in}, []*Tensor{b.Add(Dense{Units: 2, Name: "second"}, x), x})
	require.NoError(t, err)
	return m
}

func TestSummariesAreKeras2sAndKeras3s(t *testing.T) {
	checkSummaries(t, nestedChain(t), nestedBranches(t), severalEnds(t), mixedBatches(t), chainOfTwo(t))
}

// checkSummaries compares with the texts of Keras 2 and 3 that are kept.
func checkSummaries(t *testing.T, models ...*Model) {
	forms := map[string]SummaryOptions{"plain": {}, "expanded": {ExpandNested: true}, "trainable": {ShowTrainable: true},
		"all": {ExpandNested: true, ShowTrainable: true}, "narrow": {LineLength: 74}}
	for _, style := range []SummaryStyle{StyleKeras2, StyleKeras3} {
		for _, m := range models {
			text, err := os.ReadFile("testdata/golden/summary-" + string(style) + "-" + m.Name() + ".txt")
			require.NoError(t, err)
			parts := strings.Split(string(text), "### ")[1:]
			require.Len(t, parts, len(forms))
			for _, p := range parts {
				name, want, _ := strings.Cut(p, "\n")
				o, known := forms[name]
				require.True(t, known, name)
				o.Style = style
				var got strings.Builder
				require.NoError(t, m.WriteSummary(&got, o))
				require.Equal(t, want, got.String(), "%s %s %s", style, m.Name(), name)
			}
		}
	}
}

func TestSummaryOptionsThatDoNotFit(t *testing.T) {
	m := nestedChain(t)
	for _, o := range []SummaryOptions{{Style: "keras"}, {ExpandNested: true}, {ShowTrainable: true}, {LineLength: -1}, {LineLength: math.MaxInt}, {Style: StyleKeras3, LineLength: 1 << 30},
		{Style: StyleKeras2, LineLength: 9}, {Style: StyleKeras3, LineLength: 9}} {
		var text strings.Builder
		var wrong *Error
		require.ErrorAs(t, m.WriteSummary(&text, o), &wrong, "%+v", o)
		require.ErrorIs(t, wrong, ErrArgument)
		require.Empty(t, text.String())
	}
	for _, style := range []SummaryStyle{StyleKeras2, StyleKeras3} { // however narrow, it ends
		for n := 10; n < 80; n++ {
			var text strings.Builder
			if m.WriteSummary(&text, SummaryOptions{Style: style, LineLength: n, ExpandNested: true}) == nil {
				require.Contains(t, text.String(), "params")
			}
		}
	}
}

func TestKeras3CallsInputs(t *testing.T) {
	b := NewBuilder("m")
	in := b.Input(Shape{4})
	m, err := b.Model(in, b.Add(Dense{Units: 2}, in))
	require.NoError(t, err)
	var text strings.Builder
	require.NoError(t, m.WriteSummary(&text, SummaryOptions{Style: StyleKeras3}))
	require.Contains(t, text.String(), "│ input_layer (InputLayer) ")
}

// TestNestedModel compares a nested model with the same layers in one model, forward and in its gradients.
func TestNestedModel(t *testing.T) {
	describe := func(nested bool) *Model {
		inner := NewBuilder("base")
		outer := NewBuilder("m")
		in := outer.Input(Shape{5, 4, 2})
		b, x := outer, in
		if nested {
			b = inner
			x = b.Input(Shape{5, 4, 2})
		}
		start := x
		x = b.Add(Conv2D{Filters: 3, Kernel: K(2), Name: "c", Activation: ReLU, KernelRegularizer: L2(0.1)}, x)
		x = b.Add(BatchNormalization{Name: "n"}, x)
		x = b.Add(GlobalAveragePooling2D{Name: "g"}, x)
		if nested {
			base, err := inner.Model(start, x)
			require.NoError(t, err)
			x = outer.Add(base, in)
		}
		m, err := outer.Model(in, outer.Add(Dense{Units: 2, Activation: Softmax, Name: "d"}, x))
		require.NoError(t, err)
		require.NoError(t, m.Initialize(3, tensor.Float64))
		return m
	}
	flat, nested := describe(false), describe(true)
	clone, err := nested.Clone(tensor.Float64)
	require.NoError(t, err)
	x := random(tensor.Float64, 1, 3, 5, 4, 2)
	want := newTrainer(t, flat, x, labelsOf(3, 2), true, false)
	loss := want.run(t)
	for _, m := range []*Model{nested, clone} {
		got := newTrainer(t, m, x, labelsOf(3, 2), true, false)
		require.Equal(t, loss, got.run(t))
		require.Equal(t, len(want.net.Params), len(got.net.Params))
		require.Equal(t, len(want.net.Updates), len(got.net.Updates))
		for i, p := range want.net.Params {
			require.Equal(t, p.Weight.Name, got.net.Params[i].Weight.Name)
		}
	}
	a, _, _ := flat.CountParams()
	n, _, _ := nested.CountParams()
	require.Equal(t, a, n)
	require.NotSame(t, nested.Weights()[0], clone.Weights()[0])
	require.Equal(t, []string{"input_1", "base", "d"}, []string{nested.Layers()[0].Name, nested.Layers()[1].Name, nested.Layers()[2].Name})

	require.NoError(t, nested.SetTrainable(false, "base/c"))
	w, err := nested.Weight("c/kernel")
	require.NoError(t, err)
	require.False(t, w.Trainable)
	require.NoError(t, nested.SetTrainable(false, "base"))
	net, err := nested.Build(gorgonia.NewGraph(), BuildConfig{Batch: 2, Training: true})
	require.NoError(t, err)
	require.Len(t, net.Trainable(), 2)
	require.Empty(t, net.Updates)
}

func TestNestedModelsThatDoNotFit(t *testing.T) {
	base := func() *Model {
		b := NewBuilder("base")
		in := b.Input(Shape{4})
		m, err := b.Model(in, b.Add(Dense{Units: 3, Name: "d"}, in))
		require.NoError(t, err)
		return m
	}
	var wrong *Error
	b := NewBuilder("m")
	b.Add(base(), b.Input(Shape{5}))
	require.ErrorAs(t, b.Err(), &wrong)
	require.ErrorIs(t, wrong, ErrShape)
	require.Contains(t, wrong.Error(), "(None, 4)")

	b = NewBuilder("m")
	in := b.Input(Shape{4})
	x := b.Add(base(), in)
	_, err := b.Model(in, b.Add(Dense{Units: 2, Name: "d"}, x))
	require.ErrorAs(t, err, &wrong)
	require.ErrorIs(t, wrong, ErrDuplicateName)
	require.Contains(t, wrong.Error(), "nested")
}
