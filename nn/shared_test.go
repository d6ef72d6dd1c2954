package nn

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// siamese, towers, sharedWords, sharedTower and sharedStack are the models of scripts/golden/make_shared.py.
func siamese(t *testing.T) *Model {
	b := NewBuilder("siamese")
	x, y := b.Add(Input{Shape: Shape{5}, Name: "left"}), b.Add(Input{Shape: Shape{5}, Name: "right"})
	hidden := b.Share(Dense{Units: 6, Activation: Tanh, KernelRegularizer: L2(0.01), Name: "hidden"})
	embed := b.Share(Dense{Units: 4, Name: "embed"})
	one, two := b.Add(embed, b.Add(hidden, x)), b.Add(embed, b.Add(hidden, y))
	cosine := b.Add(Dot{Axes: [2]int{1, 1}, Normalize: true, Name: "cosine"}, one, two)
	m, err := b.Functional([]*Tensor{x, y}, []*Tensor{b.Add(Dense{Units: 1, Activation: Sigmoid, Name: "same"}, cosine)})
	require.NoError(t, err)
	return m
}

func towers(t *testing.T) *Model {
	b := NewBuilder("towers")
	x, y := b.Add(Input{Shape: Shape{6, 6, 2}, Name: "large"}), b.Add(Input{Shape: Shape{4, 4, 2}, Name: "small"})
	conv := b.Share(Conv2D{Filters: 2, Kernel: K(3), Padding: Same, NoBias: true, Name: "conv"})
	norm := b.Share(BatchNormalization{Momentum: 0.75, BiasedMovingVariance: true, Name: "norm"})
	gap := b.Share(GlobalAveragePooling2D{Name: "gap"})
	two := b.Add(norm, b.Add(conv, b.Add(norm, b.Add(conv, x))))
	far := b.Add(gap, two)
	end := b.Add(Concatenate{Name: "end"}, far, b.Add(gap, b.Add(norm, b.Add(conv, y))))
	m, err := b.Functional([]*Tensor{x, y}, []*Tensor{b.Add(Dense{Units: 1, Name: "out"}, end)})
	require.NoError(t, err)
	return m
}

func sharedWords(t *testing.T) *Model {
	b := NewBuilder("words")
	x, y := b.Add(Input{Shape: Shape{3}, Name: "question", Dtype: tensor.Int}), b.Add(Input{Shape: Shape{4}, Name: "answer", Dtype: tensor.Int})
	table, mean := b.Share(Embedding{InputDim: 7, OutputDim: 3, Name: "table"}), b.Share(GlobalAveragePooling1D{Name: "mean"})
	both := b.Add(Multiply{Name: "both"}, b.Add(mean, b.Add(table, x)), b.Add(mean, b.Add(table, y)))
	m, err := b.Functional([]*Tensor{x, y}, []*Tensor{b.Add(Dense{Units: 1, Name: "score"}, both)})
	require.NoError(t, err)
	return m
}

func sharedTower(t *testing.T) *Model {
	b := NewBuilder("tower")
	i := b.Add(Input{Shape: Shape{4}, Name: "i"})
	tower, err := b.Model(i, b.Add(BatchNormalization{Momentum: 0.5, Name: "n"}, b.Add(Dense{Units: 4, Activation: Tanh, Name: "d"}, i)))
	require.NoError(t, err)
	b = NewBuilder("nested")
	x, y := b.Add(Input{Shape: Shape{4}, Name: "x"}), b.Add(Input{Shape: Shape{4}, Name: "y"})
	frozen := b.Share(Dense{Units: 4, Name: "frozen"})
	one := b.Add(tower, x)
	two := b.Add(tower, b.Add(frozen, y))
	all := b.Add(Concatenate{Name: "all"}, b.Add(tower, b.Add(frozen, one)), two, one)
	m, err := b.Functional([]*Tensor{x, y}, []*Tensor{b.Add(Dense{Units: 2, Name: "end"}, all), two})
	require.NoError(t, err)
	require.NoError(t, m.SetTrainable(false, "frozen"))
	return m
}

func sharedStack(t *testing.T) *Model {
	b := NewBuilder("stack")
	x := b.Add(Input{Shape: Shape{4}, Name: "x"})
	d := b.Share(Dense{Units: 4, Activation: Tanh, Name: "d"})
	m, err := b.Model(x, b.Add(Dense{Units: 2, Name: "end"}, b.Add(d, b.Add(d, b.Add(d, x)))))
	require.NoError(t, err)
	return m
}

func sharedModels(t *testing.T) []*Model {
	return []*Model{siamese(t), towers(t), sharedWords(t), sharedTower(t), sharedStack(t)}
}

// TestSharedIsKeras: results, gradients, which sum over all places of a layer, and running averages, which one place takes over from another, are
// Keras's; of clones, too.
func TestSharedIsKeras(t *testing.T) {
	golden := numtest.LoadGolden(t, "testdata/golden/shared.json")
	for _, m := range sharedModels(t) {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			for _, engine := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %v engine %v", m.Name(), dt, engine), func(t *testing.T) {
					m, err := m.Clone(dt)
					require.NoError(t, err)
					checkShared(t, golden.Case(t, m.Name()), m, dt, engine)
				})
			}
		}
	}
}

func checkShared(t *testing.T, c *numtest.Case, m *Model, dt tensor.Dtype, engine bool) {
	require.Equal(t, c.Str("weights"), strings.Join(names(m.Weights(), func(w *Weight) string { return w.Name }), " "))
	require.NoError(t, m.Allocate(dt))
	for _, w := range m.Weights() {
		require.NoError(t, w.Set(c.Tensor("w/"+w.Name).Dense(dt)))
	}
	g := gorgonia.NewGraph()
	net, err := m.Build(g, BuildConfig{Batch: 3, Training: true})
	require.NoError(t, err)
	var by gorgonia.Nodes
	var of []string
	for i, in := range net.Inputs {
		x := c.Tensor(fmt.Sprintf("x%d", i))
		require.NoError(t, gorgonia.Let(in, x.Dense(dtypeOf(in))))
		if dtypeOf(in) == dt {
			by, of = append(by, in), append(of, fmt.Sprintf("dx%d", i))
		}
	}
	for _, p := range net.Params {
		if p.Weight.Trainable {
			by, of = append(by, p.Node), append(of, "dw/"+p.Weight.Name)
		}
	}
	var up gorgonia.Nodes
	for i, y := range net.Outputs {
		dy := c.Tensor(fmt.Sprintf("dy%d", i))
		up = append(up, gorgonia.NewTensor(g, dt, y.Dims(), gorgonia.WithShape(y.Shape()...), gorgonia.WithName(fmt.Sprintf("dy%d", i)), gorgonia.WithValue(dy.Dense(dt))))
	}
	grads, err := gorgonia.Backpropagate(net.Outputs, up, by)
	require.NoError(t, err)
	var vm gorgonia.VM = gorgonia.NewTapeMachine(g)
	if engine {
		e, err := graph.Open(cmp.Or(os.Getenv("STHENO_TEST_DEVICE"), "cpu"), graph.Config{})
		require.NoError(t, err)
		defer e.Close()
		vm, err = graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(append(slices.Clone(net.Outputs), grads...)...), graph.WithUpdates(net.Updates...))
		require.NoError(t, err)
	}
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	value := func(n *gorgonia.Node) gorgonia.Value {
		if !engine {
			return n.Value()
		}
		v, err := vm.(*graph.Machine).Value(n)
		require.NoError(t, err)
		return v
	}
	for i, y := range net.Outputs {
		numtest.AssertClose(t, c.Tensor(fmt.Sprintf("y%d", i)), value(y), numtest.GoldenTol(dt, numtest.Reduction), "y")
	}
	for i, name := range of {
		numtest.AssertClose(t, c.Tensor(name), value(grads[i]), numtest.GoldenTol(dt, numtest.Gradient), name)
	}
	if engine {
		require.NoError(t, vm.(*graph.Machine).Sync())
	} else {
		require.NoError(t, net.ApplyUpdates())
	}
	moved := 0
	for _, w := range m.Weights() {
		if want := "after/" + w.Name; c.Has(want) {
			moved++
			numtest.AssertClose(t, c.Tensor(want), w.Value, numtest.GoldenTol(dt, numtest.Reduction), want)
		}
	}
	require.Len(t, net.Updates, moved)
}

// TestSharedGradients compares with numerical differences.
func TestSharedGradients(t *testing.T) {
	b := NewBuilder("tower")
	i := b.Input(Shape{6})
	tower, err := b.Model(i, b.Add(Dense{Units: 6, Activation: Tanh, KernelRegularizer: L2(0.02), Name: "inner"}, i))
	require.NoError(t, err)
	b = NewBuilder("shared")
	in := b.Input(Shape{4, 3, 2})
	conv := b.Share(Conv2D{Filters: 2, Kernel: K(3), Padding: Same, Activation: Tanh, KernelRegularizer: L2(0.01), BiasInitializer: Constant{0.1}})
	norm, drop := b.Share(BatchNormalization{}), b.Share(Dropout{Rate: 0.25})
	x := b.Add(drop, b.Add(norm, b.Add(conv, in)))
	x = b.Add(drop, b.Add(norm, b.Add(conv, x)))
	x = b.Add(Dense{Units: 6}, b.Add(Flatten{}, x))
	m, err := b.Model(in, b.Add(Dense{Units: 4, Activation: Softmax}, b.Add(Add{}, b.Add(tower, b.Add(tower, x)), x)))
	require.NoError(t, err)
	for _, training := range []bool{true, false} {
		checkGradients(t, m, random(tensor.Float64, 1, 3, 4, 3, 2), labelsOf(3, 4), training)
	}
}

func TestSharedSummaries(t *testing.T) { checkSummaries(t, sharedModels(t)...) }

// TestSharedOrderIsKeras compares the order of layers, and of their places, of random graphs with Keras's.
func TestSharedOrderIsKeras(t *testing.T) {
	raw, err := os.ReadFile("testdata/golden/functional_shared.json")
	require.NoError(t, err)
	var graphs []struct {
		Layers                        [][3]json.RawMessage
		Inputs, Outputs, Order, Calls []string
	}
	require.NoError(t, json.Unmarshal(raw, &graphs))
	require.Len(t, graphs, 60)
	several := 0
	for i, g := range graphs {
		b, tensors, layers := NewBuilder(""), map[string]*Tensor{}, map[string]Layer{}
		calls := map[string]int{}
		for _, l := range g.Layers {
			var name, kind string
			var from []string
			for k, to := range []any{&name, &kind, &from} {
				require.NoError(t, json.Unmarshal(l[k], to))
			}
			if layers[name] == nil {
				switch kind {
				case "input":
					layers[name] = Input{Shape: Shape{3}, Name: name}
				case "identity":
					layers[name] = b.Share(IdentityLayer{Name: name})
				case "add":
					layers[name] = b.Share(Add{Name: name})
				case "model":
					inner := NewBuilder(name)
					j := inner.Input(Shape{3})
					if layers[name], err = inner.Model(j, inner.Add(IdentityLayer{}, j)); err != nil {
						t.Fatal(err)
					}
				}
			}
			y := b.Add(layers[name], pick(tensors, from...)...)
			require.NoError(t, b.Err())
			if n := calls[name]; n > 0 {
				tensors[fmt.Sprintf("%s[%d]", name, n)] = y
			} else {
				tensors[name] = y
			}
			calls[name]++
		}
		m, err := b.Functional(pick(tensors, g.Inputs...), pick(tensors, g.Outputs...))
		require.NoError(t, err)
		require.Equal(t, g.Order, names(m.Layers(), func(l LayerInfo) string { return l.Name }), "graph %d", i)
		if len(m.calls) == len(m.layers) {
			continue // in the order of layers then
		}
		several++
		require.Equal(t, g.Calls, names(m.calls, func(c *call) string { return fmt.Sprintf("%s[%d]", c.name, c.number) }), "graph %d", i)
	}
	require.Greater(t, several, 30)
}

// TestSharedLayers: one layer has one name, the weights of one, a penalty of its own, and places that say where it is.
func TestSharedLayers(t *testing.T) {
	m := siamese(t)
	total, _, _ := m.CountParams()
	require.Equal(t, 6*6+7*4+2, total)
	layers := m.Layers()
	at := slices.IndexFunc(layers, func(l LayerInfo) bool { return l.Name == "embed" })
	require.Equal(t, []Call{{0, []Source{{"hidden", 0, 0}}, []Shape{{4}}}, {1, []Source{{"hidden", 1, 0}}, []Shape{{4}}}}, layers[at].Calls)
	require.Equal(t, []string{"hidden", "hidden"}, layers[at].Inputs)
	require.NoError(t, m.Initialize(1, tensor.Float64))
	net, err := m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 2, Training: true})
	require.NoError(t, err)
	require.Len(t, net.Params, 6)
	vm := gorgonia.NewTapeMachine(net.Graph)
	defer vm.Close()
	for _, in := range net.Inputs {
		require.NoError(t, gorgonia.Let(in, random(tensor.Float64, 3, 2, 5)))
	}
	require.NoError(t, vm.RunAll())
	w, err := m.Weight("hidden/kernel")
	require.NoError(t, err)
	penalty := 0.0
	for _, v := range w.Value.Data().([]float64) {
		penalty += 0.01 * v * v
	}
	require.InDelta(t, penalty, net.Penalty.Value().Data(), 1e-12, "once, wherever the layer is")
	y := net.Output.Value().Data().([]float64)[0]
	w, err = m.Weight("same/kernel")
	require.NoError(t, err)
	require.InDelta(t, w.Value.Data().([]float64)[0], math.Log(y/(1-y)), 1e-9, "the cosine is 1: what is the same is the same on both sides")

	raw, err := m.SummaryJSON()
	require.NoError(t, err)
	var said summaryJSON
	require.NoError(t, json.Unmarshal(raw, &said))
	require.Equal(t, []string{"hidden[0][0]", "hidden[1][0]"}, said.Layers[at].Sources)
	require.Equal(t, []string{"embed[0][0]", "embed[1][0]"}, said.Layers[at+1].Sources)
	require.Nil(t, said.Layers[0].Sources)

	require.NoError(t, m.SetTrainable(false, "hidden"))
	_, trainable, fixed := m.CountParams()
	require.Equal(t, []int{30, 36}, []int{trainable, fixed})
	require.Contains(t, m.Summary(), "embed[1][0]")
}

// TestSharedDraws: dropout draws for each place, and initial values are those of one layer.
func TestSharedDraws(t *testing.T) {
	b := NewBuilder("draws")
	x := b.Input(Shape{64})
	drop := b.Share(Dropout{Rate: 0.5})
	m, err := b.Functional([]*Tensor{x}, []*Tensor{b.Add(drop, x), b.Add(drop, x)})
	require.NoError(t, err)
	net, err := m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 1, Training: true, Seed: 4})
	require.NoError(t, err)
	require.NoError(t, gorgonia.Let(net.Input, random(tensor.Float32, 2, 1, 64)))
	require.NoError(t, gorgonia.Let(net.Step, gorgonia.NewI(1)))
	vm := gorgonia.NewTapeMachine(net.Graph)
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	require.NotEqual(t, net.Outputs[0].Value().Data(), net.Outputs[1].Value().Data())
}

func TestSharedUntil(t *testing.T) {
	m := siamese(t)
	_, err := m.Until("embed")
	require.ErrorIs(t, err, ErrArgument)
	require.ErrorContains(t, err, `layer "embed" is applied 2 times`)
	require.ErrorContains(t, err, "say which, from embed[0] to embed[1]")
	right, err := m.Until("embed[1]")
	require.NoError(t, err)
	require.Equal(t, []Port{{Name: "right", Shape: Shape{5}}}, right.Inputs())
	require.Contains(t, right.Summary(), "hidden (Dense)               (None, 6)                 36", "it is a chain")
	require.Same(t, m.Weights()[0], right.Weights()[0])
	both, err := m.UntilAll("embed[1]", "embed[0]")
	require.NoError(t, err)
	require.Equal(t, []Port{{Name: "embed", Call: 1, Shape: Shape{4}}, {Name: "embed", Shape: Shape{4}}}, both.Outputs())
	_, err = m.Until("embed[2]")
	require.ErrorIs(t, err, ErrArgument)

	// A model that one place is left of counts it as Keras does: among all.
	var text strings.Builder
	require.NoError(t, right.WriteSummary(&text, SummaryOptions{Style: StyleKeras2, LineLength: 120}))
	b := NewBuilder("later")
	x, y := b.Input(Shape{2}), b.Input(Shape{2})
	d := b.Share(Dense{Units: 2})
	require.Equal(t, "dense", d.Name())
	first, second := b.Add(d, x), b.Add(d, y)
	require.NotNil(t, first)
	later, err := b.Model(y, b.Add(Add{}, second, y))
	require.NoError(t, err)
	require.Contains(t, later.Summary(), "dense[1][0]")
}

func TestSharedPlot(t *testing.T) {
	var dot, svg bytes.Buffer
	require.NoError(t, siamese(t).WriteDOT(&dot, PlotOptions{}))
	require.Equal(t, 5, strings.Count(dot.String(), " -> "), "one arrow from each of both inputs, and one between what is shared")
	dot.Reset()
	require.NoError(t, sharedStack(t).WriteDOT(&dot, PlotOptions{}))
	require.Contains(t, dot.String(), "l1 -> l1;")
	require.NoError(t, sharedStack(t).WriteSVG(&svg, PlotOptions{}))
	require.Equal(t, 1, strings.Count(text(t, svg.Bytes()), "(None, 4) → (None, 4)"))
	dot.Reset()
	m := sharedTower(t)
	require.NoError(t, m.WriteDOT(&dot, PlotOptions{ExpandNested: true, HideNames: true}))
	require.Equal(t, 2, strings.Count(dot.String(), "Dense\\n(None, 4) → (None, 4)"), "of the model that is there three times, and the frozen one")
	for _, expand := range []bool{false, true} {
		for _, m := range sharedModels(t) {
			svg.Reset()
			require.NoError(t, m.WriteSVG(&svg, PlotOptions{ExpandNested: expand}))
			require.NotContains(t, svg.String(), "NaN")
			text(t, svg.Bytes()) // it is sound XML
		}
	}

	// A model that returns its input, behind itself.
	b := NewBuilder("same")
	i := b.Input(Shape{2})
	same, err := b.Functional([]*Tensor{i}, []*Tensor{i})
	require.NoError(t, err)
	b = NewBuilder("m")
	x := b.Input(Shape{2})
	m, err = b.Model(x, b.Add(Dense{Units: 1}, b.Add(same, b.Add(same, x))))
	require.NoError(t, err)
	dot.Reset()
	require.NoError(t, m.WriteDOT(&dot, PlotOptions{ExpandNested: true}))
	require.Contains(t, dot.String(), "l0 -> l1;")
}

func TestSharedErrors(t *testing.T) {
	inner := pairModel(t, "pair")
	foreign := NewBuilder("other").Share(Dense{Units: 2, Name: "theirs"})
	for _, c := range []struct {
		kind error
		want string
		add  func(b *Builder, x, y *Tensor)
	}{
		{ErrShape, "is shared, and its weights were made for another input (at nn/shared_test.go:", func(b *Builder, x, y *Tensor) {
			d := b.Share(Dense{Units: 2, Name: "d"})
			b.Add(d, x)
			b.Add(d, y)
		}},
		{ErrShape, `this one wants "kernel" of shape (4, 2), it is of shape (3, 2)` + "\n    input (None, 4) from \"y\"; bring the inputs to one shape, or add a layer of its own for each", func(b *Builder, x, y *Tensor) {
			d := b.Share(Dense{Units: 2, Name: "d"})
			b.Add(d, x)
			b.Add(d, y)
		}},
		{ErrShape, `this one wants a weight "last" of shape (1), which it has not`, func(b *Builder, x, y *Tensor) {
			d := b.Share(fickle{})
			b.Add(d, x)
			b.Add(d, y)
		}},
		{ErrShape, `this one wants no weight "fickle/last"`, func(b *Builder, x, y *Tensor) {
			d := b.Share(fickle{})
			b.Add(d, y)
			b.Add(d, x)
		}},
		{ErrArgument, "an Input is applied to nothing", func(b *Builder, x, y *Tensor) { b.Share(Input{Shape: Shape{2}}) }},
		{ErrNilTensor, "Add got no layer", func(b *Builder, x, y *Tensor) { b.Share(nil) }},
		{ErrNilTensor, "Add got no layer", func(b *Builder, x, y *Tensor) { b.Add((*Shared)(nil), x) }},
		{ErrNilTensor, "Add got a Shared that holds no layer", func(b *Builder, x, y *Tensor) { b.Add(&Shared{}, x) }},
		{ErrForeignTensor, `Dense "theirs": is shared in another builder (model "other")`, func(b *Builder, x, y *Tensor) { b.Add(foreign, x) }},
		{ErrForeignTensor, "make a Model of what both are to share", func(b *Builder, x, y *Tensor) { b.Share(foreign) }},
		{ErrDuplicateName, `Dense "y": the name is taken by the InputLayer added at`, func(b *Builder, x, y *Tensor) { b.Share(Dense{Units: 1, Name: "y"}) }},
		{ErrDuplicateName, "what Builder.Share returns is one layer wherever it is added", func(b *Builder, x, y *Tensor) {
			b.Add(Dense{Units: 1, Name: "d"}, x)
			b.Add(Dense{Units: 1, Name: "d"}, x)
		}},
		{ErrArgument, "has no input", func(b *Builder, x, y *Tensor) { b.Add(b.Share(Dense{Units: 1})) }},
		{ErrArgument, "has 2 outputs, Add returns one", func(b *Builder, x, y *Tensor) { b.Add(b.Share(inner), x, x) }},
		{ErrShape, "the nested model wants samples of shape (None, 3), input 1 has (None, 4)", func(b *Builder, x, y *Tensor) {
			require.Len(t, b.AddAll(inner, x, x), 2)
			require.Len(t, b.AddAll(inner, x, y), 2)
		}},
		{ErrNilTensor, "input 0 is nil", func(b *Builder, x, y *Tensor) { b.Add(b.Share(Dense{Units: 1}), nil) }},
	} {
		b := NewBuilder("m")
		x, y := b.Add(Input{Shape: Shape{3}, Name: "x"}), b.Add(Input{Shape: Shape{4}, Name: "y"})
		c.add(b, x, y)
		require.ErrorIs(t, b.Err(), c.kind, c.want)
		require.ErrorContains(t, b.Err(), c.want)
		require.Contains(t, b.Err().Error(), "at nn/shared_test.go", "where")
		require.Empty(t, b.Share(Dense{Units: 1}).Name(), "after a mistake nothing is made")
		require.Nil(t, b.Add(b.Share(Dense{Units: 1}), x).Shape())
	}
	b := NewBuilder("row")
	b.Sequential = true
	x := b.Input(Shape{2})
	d := b.Share(Dense{Units: 2})
	require.Same(t, d, b.Share(d))
	_, err := b.Model(x, b.Add(d, b.Add(d, x)))
	require.ErrorContains(t, err, "a Sequential model must be a row of layers")

	_, err = (&Shared{}).Infer(&Spec{})
	require.ErrorIs(t, err, ErrNilTensor)
	require.Empty(t, (*Shared)(nil).Name())
	_, err = foreign.Infer(&Spec{Inputs: []Shape{{3}}})
	require.NoError(t, err, "without a builder it is the layer")
}

// TestSharedAcross: what a model and one in it share is a model of its own.
func TestSharedAcross(t *testing.T) {
	b := NewBuilder("both")
	x := b.Input(Shape{3})
	both, err := b.Model(x, b.Add(BatchNormalization{Name: "n"}, b.Add(Dense{Units: 3, Name: "d"}, x)))
	require.NoError(t, err)
	b = NewBuilder("inner")
	x = b.Input(Shape{3})
	inner, err := b.Model(x, b.Add(both, x))
	require.NoError(t, err)
	b = NewBuilder("outer")
	x = b.Input(Shape{3})
	m, err := b.Model(x, b.Add(inner, b.Add(both, b.Add(inner, x))))
	require.NoError(t, err)
	total, _, _ := m.CountParams()
	require.Equal(t, 12+12, total)
	require.NoError(t, m.Initialize(1, tensor.Float64))
	clone, err := m.Clone(tensor.Float64)
	require.NoError(t, err)
	require.Len(t, clone.Weights(), 6)
	net, err := clone.Build(gorgonia.NewGraph(), BuildConfig{Batch: 4, Training: true})
	require.NoError(t, err)
	require.Len(t, net.Updates, 2, "one for each average, in three places")
	checkGradients(t, softmaxBehind(t, m), random(tensor.Float64, 1, 4, 3), labelsOf(4, 3), true)
}

func softmaxBehind(t *testing.T, m *Model) *Model {
	b := NewBuilder("softmax")
	x := b.Input(m.InputShape())
	s, err := b.Model(x, b.Add(Activation{Func: Softmax}, b.Add(m, x)))
	require.NoError(t, err)
	return s
}

// TestSharedBound: what is applied twice in what is applied twice, and so on, grows beyond all bounds.
func TestSharedBound(t *testing.T) {
	b := NewBuilder("m0")
	x := b.Input(Shape{1})
	m, err := b.Model(x, b.Add(Dense{Units: 1}, x))
	require.NoError(t, err)
	for i := 1; i < 80; i++ {
		b = NewBuilder(fmt.Sprintf("m%d", i))
		x = b.Input(Shape{1})
		next, err := b.Model(x, b.Add(m, b.Add(m, x)))
		if err != nil {
			require.ErrorIs(t, err, ErrArgument)
			require.ErrorContains(t, err, "it applies layers 1310717 times in all, those of nested models included; the most is 1048576")
			return
		}
		m = next
	}
	t.Fatal("80 models in each other, each twice, are none too many")
}

// fickle has a weight more for inputs of more elements.
type fickle struct{}

func (fickle) Identity() (class, name string) { return "Fickle", "" }
func (fickle) Infer(s *Spec) (Shape, error) {
	s.Weight(Weight{Name: "first", Shape: tensor.Shape{1}})
	if s.Inputs[0][0] > 3 {
		s.Weight(Weight{Name: "last", Shape: tensor.Shape{1}})
	}
	return Shape{1}, nil
}
func (fickle) Apply(c *Context) *gorgonia.Node { return c.Weight("first") }

// counting is a layer with two weights that its places count up, the second by Step.
type counting struct{ both bool }

func (counting) Identity() (class, name string) { return "Counting", "" }
func (counting) Infer(s *Spec) (Shape, error) {
	for _, name := range []string{"calls", "twice"} {
		s.Weight(Weight{Name: name, Shape: tensor.Shape{1}})
	}
	return s.Inputs[0], nil
}

func (l counting) Apply(c *Context) *gorgonia.Node {
	one := c.Constant("one", 1, 1)
	if c.Err() != nil {
		return nil
	}
	next, err := gorgonia.Add(c.Weight("calls"), one)
	if err != nil {
		return c.Fail(err)
	}
	c.Update(c.Weight("calls"), next)
	if l.both {
		c.Update(c.Weight("twice"), next)
	}
	return c.Inputs[0]
}

// TestSharedUpdates: layers of programs that count do so in each place; where it is not known which weight is meant, they are told.
func TestSharedUpdates(t *testing.T) {
	b := NewBuilder("counts")
	x := b.Input(Shape{1})
	l := b.Share(counting{})
	m, err := b.Model(x, b.Add(Dense{Units: 1}, b.Add(l, b.Add(l, b.Add(l, x)))))
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	net, err := m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 1, Training: true})
	require.NoError(t, err)
	require.Len(t, net.Updates, 1)
	require.NoError(t, gorgonia.Let(net.Input, random(tensor.Float32, 2, 1, 1)))
	vm := gorgonia.NewTapeMachine(net.Graph)
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	require.NoError(t, net.ApplyUpdates())
	w, err := m.Weight("counting/calls")
	require.NoError(t, err)
	require.Equal(t, []float32{3}, w.Value.Data())

	b = NewBuilder("unclear")
	x = b.Input(Shape{1})
	l = b.Share(counting{both: true})
	m, err = b.Model(x, b.Add(l, b.Add(l, x)))
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	_, err = m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 1, Training: true})
	require.ErrorContains(t, err, "which is meant by the next update is not known")
}
