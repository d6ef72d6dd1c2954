package nn

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

// TestFunctionalOrderIsKeras compares the order of layers of random graphs with Keras's.
func TestFunctionalOrderIsKeras(t *testing.T) {
	raw, err := os.ReadFile("testdata/golden/functional.json")
	require.NoError(t, err)
	var graphs []struct {
		Layers                 [][3]json.RawMessage
		Inputs, Outputs, Order []string
	}
	require.NoError(t, json.Unmarshal(raw, &graphs))
	require.Len(t, graphs, 60)
	unused := 0
	for i, g := range graphs {
		b, tensors := NewBuilder(""), map[string]*Tensor{}
		for _, l := range g.Layers {
			var name, kind string
			var from []string
			for k, to := range []any{&name, &kind, &from} {
				require.NoError(t, json.Unmarshal(l[k], to))
			}
			x := pick(tensors, from...)
			switch kind {
			case "input":
				tensors[name] = b.Add(Input{Shape: Shape{3}, Name: name})
			case "identity":
				tensors[name] = b.Add(IdentityLayer{Name: name}, x...)
			case "add":
				tensors[name] = b.Add(Add{Name: name}, x...)
			case "model":
				both := b.AddAll(pairModel(t, name), x...)
				tensors[name], tensors[name+":1"] = both[0], both[1]
			}
		}
		m, err := b.Functional(pick(tensors, g.Inputs...), pick(tensors, g.Outputs...))
		require.NoError(t, err)
		require.Equal(t, g.Order, names(m.Layers(), func(l LayerInfo) string { return l.Name }), "graph %d", i)
		require.Equal(t, g.Inputs, names(m.Inputs(), func(p Port) string { return p.Name }))
		require.Equal(t, g.Outputs, names(m.Outputs(), func(p Port) string {
			if p.Index > 0 {
				return p.Name + ":1"
			}
			return p.Name
		}))
		part, err := m.UntilAll(m.Layers()[len(g.Order)-1].Name)
		if err != nil { // the last layer is an input
			require.ErrorIs(t, err, ErrArgument)
		} else if unused++; len(part.Inputs()) == len(g.Inputs) {
			unused--
		}
	}
	require.Positive(t, unused, "some parts leave inputs out")
}

func pick(tensors map[string]*Tensor, names ...string) []*Tensor {
	var out []*Tensor
	for _, n := range names {
		out = append(out, tensors[n])
	}
	return out
}

// pairModel has two inputs, and as outputs the first and the sum of both.
func pairModel(t *testing.T, name string) *Model {
	b := NewBuilder(name)
	x, y := b.Add(Input{Shape: Shape{3}, Name: name + "_a"}), b.Add(Input{Shape: Shape{3}, Name: name + "_b"})
	s := b.Add(Add{Name: name + "_sum"}, y, x)
	m, err := b.Functional([]*Tensor{x, y}, []*Tensor{b.Add(IdentityLayer{Name: name + "_y"}, x), s})
	require.NoError(t, err)
	return m
}

// outputs runs a model's inference; inputs are in the model's order, of as many samples as batch.
func outputs(t *testing.T, m *Model, batch int, inputs ...any) [][]float32 {
	net, err := m.Build(gorgonia.NewGraph(), BuildConfig{Batch: batch})
	require.NoError(t, err)
	require.Len(t, net.Inputs, len(inputs))
	for i, x := range inputs {
		require.NoError(t, gorgonia.Let(net.Inputs[i], tensor.New(tensor.WithShape(net.Inputs[i].Shape()...), tensor.WithBacking(x))))
	}
	machine, err := graph.Compile(net.Graph, graph.WithOutputs(net.Outputs...))
	require.NoError(t, err)
	defer func() { require.NoError(t, machine.Close()) }()
	require.NoError(t, machine.RunAll())
	var out [][]float32
	for _, y := range net.Outputs {
		v, err := machine.Value(y)
		require.NoError(t, err)
		out = append(out, slices.Clone(v.Data().([]float32)))
	}
	return out
}

var (
	someTable = []float32{0.5, -1, 0.25, 2, 1, -0.5, 1, 0, -2, 0.75, 0.5, 1}
	someSpare = make([]float32, 18)
	someWords = []int{1, 10, 4, 0, 3, 3}
)

// TestFunctionalComputes: a model in another one computes what its layers compute without it, all outputs, in inference and as a clone.
func TestFunctionalComputes(t *testing.T) {
	m := severalEnds(t)
	require.NoError(t, m.Initialize(3, tensor.Float32))
	got := outputs(t, m, 2, someWords, slices.Clone(someSpare), slices.Clone(someTable))
	require.Len(t, got, 5)
	require.Equal(t, got[1], got[3], "one tensor is two outputs")
	require.Equal(t, someTable, got[4], "an input is an output")

	b := NewBuilder("flat")
	words := b.Add(Input{Shape: Shape{3}, Name: "words", Dtype: tensor.Int})
	table := b.Add(Input{Shape: Shape{6}, Name: "table"})
	hidden := b.Add(Dense{Units: 4, Name: "hidden"}, table)
	x := b.Add(Concatenate{}, b.Add(Flatten{}, b.Add(Embedding{InputDim: 11, OutputDim: 2, Name: "embedding"}, words)), b.Add(Dense{Units: 5, Name: "seen"}, hidden), table)
	flat, err := b.Functional([]*Tensor{words, table}, []*Tensor{b.Add(Dense{Units: 3, Name: "class"}, x), b.Add(Dense{Units: 1, Name: "value_of_a_rather_long_name"}, x), hidden})
	require.NoError(t, err)
	require.NoError(t, flat.Initialize(3, tensor.Float32)) // values depend on names and shapes only
	want := outputs(t, flat, 2, someWords, slices.Clone(someTable))
	for i := range want {
		require.InDeltaSlice(t, want[i], got[i], 1e-6)
		require.NotZero(t, want[i][0])
	}

	twin, err := m.Clone(tensor.Float32)
	require.NoError(t, err)
	require.Equal(t, got, outputs(t, twin, 2, someWords, slices.Clone(someSpare), slices.Clone(someTable)))
	require.NotSame(t, m.Weights()[0].Value, twin.Weights()[0].Value)
	require.Equal(t, m.Summary(), twin.Summary())
	require.Equal(t, m.Inputs(), twin.Inputs())
	require.Equal(t, m.Outputs(), twin.Outputs())
	require.NoError(t, m.SetTrainable(false, "pair_of_inputs"))
	total, trainable, _ := m.CountParams()
	require.Equal(t, []int{147, 147 - 53}, []int{total, trainable})
}

func TestFunctionalEnds(t *testing.T) {
	m := severalEnds(t)
	require.Equal(t, []Port{{Name: "words", Shape: Shape{3}, Dtype: tensor.Int}, {Name: "spare", Shape: Shape{9}}, {Name: "table", Shape: Shape{6}}}, m.Inputs())
	require.Equal(t, []Port{{Name: "class", Shape: Shape{3}}, {Name: "value_of_a_rather_long_name", Shape: Shape{1}}, {Name: "pair_of_inputs", Index: 1, Shape: Shape{4}},
		{Name: "value_of_a_rather_long_name", Shape: Shape{1}}, {Name: "table", Shape: Shape{6}}}, m.Outputs())
	require.Equal(t, Shape{3}, m.InputShape())
	require.Equal(t, Shape{3}, m.OutputShape())
	layers := m.Layers()
	at := slices.IndexFunc(layers, func(l LayerInfo) bool { return l.Name == "all" })
	require.Equal(t, []string{"pair_of_inputs", "pair_of_inputs", "table"}, layers[at].Inputs)
	require.Equal(t, []int{2, 0, 0}, layers[at].InputIndices)
	require.Equal(t, []Shape{{5}, {4}, {6}}, layers[at-1].OutputShapes)
	require.Equal(t, Shape{5}, layers[at-1].OutputShape)
	require.Nil(t, (*Model)(nil).Inputs())
	require.Nil(t, (*Model)(nil).Outputs())
}

// TestFunctionalBuild: nodes of the program's own for some inputs, logits of every output, and names in a graph that has them already.
func TestFunctionalBuild(t *testing.T) {
	b := NewBuilder("two")
	x, y := b.Add(Input{Shape: Shape{3}, Name: "x"}), b.Add(Input{Shape: Shape{2}, Name: "i", Dtype: tensor.Int})
	h := b.Add(Concatenate{}, x, b.Add(Flatten{}, b.Add(Embedding{InputDim: 5, OutputDim: 2}, y)))
	m, err := b.Functional([]*Tensor{y, x}, []*Tensor{b.Add(Dense{Units: 2, Name: "score"}, h), b.Add(Dense{Units: 4, Activation: Softmax, Name: "class"}, h)})
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	g := gorgonia.NewGraph()
	own := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(6, 3), gorgonia.WithName("own"))
	net, err := m.Build(nil, BuildConfig{Inputs: gorgonia.Nodes{nil, own}})
	require.NoError(t, err)
	require.Same(t, own, net.Inputs[1])
	require.Equal(t, tensor.Shape{6, 2}, net.Input.Shape(), "the batch is the node's")
	require.Equal(t, "i", net.Input.Name())
	require.Same(t, net.Inputs[0], net.Input)
	require.Same(t, net.Outputs[0], net.Output)
	require.Same(t, net.Output, net.AllLogits[0])
	require.Same(t, net.Logits, net.AllLogits[0])
	require.NotSame(t, net.Outputs[1], net.AllLogits[1])
	require.Equal(t, tensor.Shape{6, 4}, net.AllLogits[1].Shape())
	again, err := m.Build(g, BuildConfig{Batch: 6})
	require.NoError(t, err)
	require.Equal(t, "two/i", again.Inputs[0].Name())
	require.Same(t, net.Params[0].Node, again.Params[0].Node)

	for _, c := range []struct {
		cfg  BuildConfig
		kind error
		want string
	}{
		{BuildConfig{Inputs: gorgonia.Nodes{own}}, ErrArgument, "BuildConfig.Inputs has 1 nodes, the model has 2 inputs"},
		{BuildConfig{Inputs: gorgonia.Nodes{again.Inputs[0], own}, Input: net.Input}, ErrArgument, `BuildConfig.Input is "i" and the first of BuildConfig.Inputs "two/i"`},
		{BuildConfig{Inputs: gorgonia.Nodes{own, nil}}, ErrShape, `wants input 0, "i", of shape (6, 2), got (6, 3)`},
		{BuildConfig{Inputs: gorgonia.Nodes{nil, again.Inputs[0]}}, ErrShape, `wants input 1, "x", of shape (6, 3), got (6, 2)`},
		{BuildConfig{Inputs: gorgonia.Nodes{gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(6, 2), gorgonia.WithName("f")), own}}, ErrArgument, `wants input 0, "i", of int, "f" is`},
		{BuildConfig{Inputs: gorgonia.Nodes{nil, own}, Batch: 7}, ErrShape, `wants input 1, "x", of shape (7, 3), got (6, 3)`},
		{BuildConfig{Inputs: gorgonia.Nodes{gorgonia.NewMatrix(gorgonia.NewGraph(), tensor.Int, gorgonia.WithShape(6, 2), gorgonia.WithName("f")), own}}, ErrForeignTensor, "in another graph"},
	} {
		_, err := m.Build(g, c.cfg)
		require.ErrorIs(t, err, c.kind, c.want)
		require.ErrorContains(t, err, c.want)
	}
}

func TestFunctionalErrors(t *testing.T) {
	pair := pairModel(t, "pair")
	for _, c := range []struct {
		kind error
		want string
		make func(b *Builder, x, y, z *Tensor) (*Model, error)
	}{
		{ErrNilTensor, "has no inputs", func(b *Builder, x, y, z *Tensor) (*Model, error) { return b.Functional(nil, []*Tensor{z}) }},
		{ErrNilTensor, "has no outputs", func(b *Builder, x, y, z *Tensor) (*Model, error) { return b.Functional([]*Tensor{x, y}, nil) }},
		{ErrNilTensor, "input 1 is nil", func(b *Builder, x, y, z *Tensor) (*Model, error) {
			return b.Functional([]*Tensor{x, nil}, []*Tensor{z})
		}},
		{ErrForeignTensor, `output 1, "input_1", belongs to another builder (model "other")`, func(b *Builder, x, y, z *Tensor) (*Model, error) {
			return b.Functional([]*Tensor{x, y}, []*Tensor{z, NewBuilder("other").Input(Shape{3})})
		}},
		{ErrUnconnected, `input 1 must come from an Input layer, comes from the Add "sum"`, func(b *Builder, x, y, z *Tensor) (*Model, error) {
			return b.Functional([]*Tensor{x, z}, []*Tensor{z})
		}},
		{ErrArgument, `the input "x" is listed twice`, func(b *Builder, x, y, z *Tensor) (*Model, error) {
			return b.Functional([]*Tensor{x, y, x}, []*Tensor{z})
		}},
		{ErrUnconnected, `the output "sum" depends on "y", which is not one of the model's inputs`, func(b *Builder, x, y, z *Tensor) (*Model, error) {
			return b.Functional([]*Tensor{x}, []*Tensor{x, z})
		}},
		{ErrUnconnected, "or list all inputs with Builder.Functional", func(b *Builder, x, y, z *Tensor) (*Model, error) { return b.Model(x, z) }},
		{ErrArgument, "its inputs fix batches of 2 and of 3 samples", func(b *Builder, x, y, z *Tensor) (*Model, error) {
			return b.Functional([]*Tensor{b.Add(Input{Shape: Shape{1}, Batch: 2}), x, b.Add(Input{Shape: Shape{1}, Batch: 3}), y}, []*Tensor{z})
		}},
		{ErrArgument, "has 2 outputs, Add returns one\n    inputs (None, 3) from \"x\", (None, 3) from \"y\"; call AddAll", func(b *Builder, x, y, z *Tensor) (*Model, error) {
			return b.Model(x, b.Add(pair, x, y))
		}},
		{ErrArgument, "takes at least 2 inputs, got 1", func(b *Builder, x, y, z *Tensor) (*Model, error) {
			return b.Functional([]*Tensor{x}, b.AddAll(pair, x))
		}},
		{ErrShape, "the nested model wants samples of shape (None, 3), input 1 has (None, 4)", func(b *Builder, x, y, z *Tensor) (*Model, error) {
			out := b.AddAll(pair, x, b.Add(Dense{Units: 4}, y))
			require.Len(t, out, 2)
			require.Nil(t, out[1].Shape())
			return b.Functional([]*Tensor{x, y}, out)
		}},
		{ErrNilTensor, "Add got no layer", func(b *Builder, x, y, z *Tensor) (*Model, error) { return b.Functional([]*Tensor{x}, b.AddAll(nil, x)) }},
		{ErrNilTensor, "the nested model has no layers", func(b *Builder, x, y, z *Tensor) (*Model, error) {
			return b.Functional([]*Tensor{x}, b.AddAll(&Model{}, x))
		}},
		{ErrDuplicateName, "the name is taken by the Functional", func(b *Builder, x, y, z *Tensor) (*Model, error) {
			b.AddAll(pair, x, y)
			twin, err := pair.Clone(tensor.Float32)
			require.NoError(t, err)
			return b.Functional([]*Tensor{x}, b.AddAll(twin, y, x))
		}},
	} {
		b := NewBuilder("m")
		x, y := b.Add(Input{Shape: Shape{3}, Name: "x"}), b.Add(Input{Shape: Shape{3}, Name: "y"})
		_, err := c.make(b, x, y, b.Add(Add{Name: "sum"}, x, y))
		require.ErrorIs(t, err, c.kind, c.want)
		require.ErrorContains(t, err, c.want)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Contains(t, e.Site, "functional_test.go")
		require.Equal(t, err, b.Err())
	}
}

// TestUntilOfSeveral: inputs that the layers don't need are left out, and all results of a nested model are outputs.
func TestUntilOfSeveral(t *testing.T) {
	m := severalEnds(t)
	require.NoError(t, m.Initialize(3, tensor.Float32))
	whole := outputs(t, m, 2, someWords, slices.Clone(someSpare), slices.Clone(someTable))
	part, err := m.UntilAll("value_of_a_rather_long_name", "pair_of_inputs")
	require.NoError(t, err)
	require.Equal(t, []string{"words", "table"}, names(part.Inputs(), func(p Port) string { return p.Name }))
	require.Equal(t, []int{0, 0, 1, 2}, []int{part.Outputs()[0].Index, part.Outputs()[1].Index, part.Outputs()[2].Index, part.Outputs()[3].Index})
	got := outputs(t, part, 2, someWords, slices.Clone(someTable))
	require.InDeltaSlice(t, whole[1], got[0], 1e-6)
	require.InDeltaSlice(t, whole[2], got[2], 1e-6)
	words, err := m.Until("embedding")
	require.NoError(t, err)
	require.Equal(t, Shape{3, 2}, words.OutputShape())
	require.Len(t, words.Inputs(), 1)
	_, err = m.UntilAll()
	require.ErrorIs(t, err, ErrArgument)
	_, err = m.UntilAll("embedding", "spare")
	require.ErrorContains(t, err, `a model of the input "spare" alone computes nothing`)
}

// TestFunctionalDropout: every part that is random draws from a stream of its own, through nested models too.
func TestFunctionalDropout(t *testing.T) {
	inner := NewBuilder("inner")
	x := inner.Input(Shape{50})
	two, err := inner.Functional([]*Tensor{x}, []*Tensor{inner.Add(Dropout{Rate: 0.5}, x), inner.Add(Dropout{Rate: 0.5}, x)})
	require.NoError(t, err)
	b := NewBuilder("m")
	in := b.Input(Shape{50})
	m, err := b.Functional([]*Tensor{in}, b.AddAll(two, in))
	require.NoError(t, err)
	net, err := m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 1, Training: true, Seed: 1})
	require.NoError(t, err)
	require.NoError(t, gorgonia.Let(net.Step, gorgonia.NewI(1)))
	ones := make([]float32, 50)
	for i := range ones {
		ones[i] = 1
	}
	require.NoError(t, gorgonia.Let(net.Input, tensor.New(tensor.WithShape(1, 50), tensor.WithBacking(ones))))
	machine, err := graph.Compile(net.Graph, graph.WithOutputs(net.Outputs...))
	require.NoError(t, err)
	defer func() { require.NoError(t, machine.Close()) }()
	require.NoError(t, machine.RunAll())
	require.NotEqual(t, net.Outputs[0].Value().Data(), net.Outputs[1].Value().Data())
}

// TestFunctionalSummaries: TensorFlow 2.4's form, JSON, and pictures.
func TestFunctionalSummaries(t *testing.T) {
	m := severalEnds(t)
	require.Contains(t, m.Summary(), `
pair_of_inputs (Functional)     [(None, 5), (None, 4 53          table[0][0]                      
                                                                 embedding[0][0]                  
__________________________________________________________________________________________________
all (Concatenate)               (None, 17)           0           pair_of_inputs[0][2]             
                                                                 pair_of_inputs[0][0]             
                                                                 table[0][0]                      
__________________________________________________________________________________________________
spare (InputLayer)              [(None, 9)]          0                                            
`)
	raw, err := m.SummaryJSON()
	require.NoError(t, err)
	var s struct {
		Inputs, Outputs []string
		Layers          []struct {
			Layer   string
			Outputs [][]*int `json:"output_shapes"`
		}
	}
	require.NoError(t, json.Unmarshal(raw, &s))
	require.Equal(t, []string{"words", "spare", "table"}, s.Inputs)
	require.Equal(t, []string{"class", "value_of_a_rather_long_name", "pair_of_inputs", "value_of_a_rather_long_name", "table"}, s.Outputs)
	require.Equal(t, "pair_of_inputs", s.Layers[3].Layer)
	require.Len(t, s.Layers[3].Outputs, 3)
	require.Equal(t, 4, *s.Layers[3].Outputs[1][1])
	raw, err = nestedChain(t).SummaryJSON()
	require.NoError(t, err)
	require.NotContains(t, string(raw), `"outputs"`)

	for expanded, said := range map[bool][]string{
		false: {"pair_of_inputs\nFunctional\n(None, 6), (None, 3, 2) → (None, 5), (None, 4), (None, 6)\n53 parameters", "all\nConcatenate\n(None, 6), (None, 5), (None, 6) → (None, 17)"},
		true:  {"seen\npair_of_inputs\nDense", "flat\npair_of_inputs\nFlatten"},
	} {
		var svg, dot bytes.Buffer
		require.NoError(t, m.WriteSVG(&svg, PlotOptions{ExpandNested: expanded}))
		for _, part := range said {
			require.Contains(t, text(t, svg.Bytes()), part)
		}
		require.NoError(t, m.WriteDOT(&dot, PlotOptions{ExpandNested: expanded}))
		arrows := 1 + 2 + 2 + 1 + 1 // into embedding, pair, all, which takes two results of pair, class and value
		if expanded {
			arrows = 1 + 3 + 3 + 1 + 1 // the first three into the layers of pair
		}
		require.Equal(t, arrows, strings.Count(dot.String(), " -> "))
	}
}

// TestNestedSharesLayers: a model among layers that it shares computes its results, and leaves those of the layers around it as they are.
func TestNestedSharesLayers(t *testing.T) {
	b := NewBuilder("around")
	in, other := b.Input(Shape{2}), b.Input(Shape{2})
	h := b.Add(Dense{Units: 2}, in)
	inner, err := b.Model(in, h)
	require.NoError(t, err)
	y := b.Add(inner, other)
	m, err := b.Functional([]*Tensor{in, other}, []*Tensor{h, y, b.Add(Subtract{}, h, y), in})
	require.NoError(t, err)
	require.Len(t, m.Weights(), 2)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	twin, err := m.Clone(tensor.Float32)
	require.NoError(t, err)
	require.Len(t, twin.Weights(), 2, "clones share what the models share")
	for _, m := range []*Model{m, twin} {
		got := outputs(t, m, 1, []float32{1, 2}, []float32{5, 7})
		require.Equal(t, outputs(t, inner, 1, []float32{1, 2})[0], got[0])
		require.Equal(t, outputs(t, inner, 1, []float32{5, 7})[0], got[1])
		require.NotEqual(t, got[0], got[1])
		require.Equal(t, []float32{got[0][0] - got[1][0], got[0][1] - got[1][1]}, got[2])
		require.Equal(t, []float32{1, 2}, got[3])
	}
	var dot bytes.Buffer
	require.NoError(t, m.WriteDOT(&dot, PlotOptions{ExpandNested: true}))
	var arrows []string
	for _, line := range strings.Split(dot.String(), "\n") {
		if strings.Contains(line, " -> ") {
			arrows = append(arrows, strings.Trim(line, " \t;"))
		}
	}
	require.ElementsMatch(t, []string{"l0 -> l2", "l1 -> l3", "l2 -> l4", "l3 -> l4"}, arrows)
}

// TestNestedNamesAlike: layers of nested models may be called like others; the numbers of each, which are no weights, are its own.
func TestNestedNamesAlike(t *testing.T) {
	model := func(columns int, mean float64, around func(b *Builder) ([]*Tensor, []*Tensor)) *Model {
		b := NewBuilder("model")
		var in, out []*Tensor
		if around != nil {
			in, out = around(b)
		}
		x := b.Input(Shape{1, columns, 1})
		y := b.Add(Normalization{Mean: []float64{mean}, Variance: []float64{1}, Name: "norm"}, b.Add(Resizing{Height: 1, Width: 4, Interpolation: Nearest, Name: "resizing"}, x))
		z := b.Add(Resizing{Height: 1, Width: 4, Name: "linear"}, x)
		m, err := b.Functional(append(in, x), append(out, y, z))
		require.NoError(t, err)
		require.NoError(t, m.Initialize(1, tensor.Float32))
		return m
	}
	inner := model(8, 10, nil)
	m := model(6, 20, func(b *Builder) (in, out []*Tensor) {
		x := b.Input(Shape{1, 8, 1})
		return []*Tensor{x}, b.AddAll(inner, x)
	})
	a, b := []float32{0, 1, 2, 3, 4, 5, 6, 7}, []float32{0, 1, 2, 3, 4, 5}
	got := outputs(t, m, 1, a, b)
	require.Equal(t, slices.Concat(outputs(t, inner, 1, a), outputs(t, model(6, 20, nil), 1, b)), got)
	require.Equal(t, []float32{-9, -7, -5, -3}, got[0])
	require.Equal(t, []float32{-20, -18, -17, -15}, got[2])
}
