package train_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// ticket is the model of several inputs and outputs of make_fit.py, with the weights that are there.
func ticket(t testing.TB) *nn.Model {
	t.Helper()
	b := nn.NewBuilder("inner")
	j := b.Input(nn.Shape{4})
	deep := b.Add(nn.Dense{Units: 3, Activation: nn.Tanh, Name: "deep"}, j)
	inner, err := b.Functional([]*nn.Tensor{j}, []*nn.Tensor{deep, b.Add(nn.Dense{Units: 2, Name: "aux"}, deep)})
	require.NoError(t, err)
	b = nn.NewBuilder("ticket")
	words, table, spare := b.Add(nn.Input{Shape: nn.Shape{5}, Dtype: tensor.Int}), b.Input(nn.Shape{4}), b.Input(nn.Shape{2})
	parts := b.AddAll(inner, table)
	h := b.Add(nn.Concatenate{}, b.Add(nn.GlobalAveragePooling1D{}, b.Add(nn.Embedding{InputDim: 9, OutputDim: 3, Name: "embedding"}, words)), parts[0])
	m, err := b.Functional([]*nn.Tensor{words, table, spare}, []*nn.Tensor{
		b.Add(nn.Dense{Units: 3, Activation: nn.Softmax, Name: "class"}, h), b.Add(nn.Dense{Units: 1, Name: "value", KernelRegularizer: nn.L2(0.01)}, h),
		b.Add(nn.Dense{Units: 2, Name: "free"}, h), parts[1]})
	require.NoError(t, err)
	require.NoError(t, m.Allocate(tensor.Float32))
	for _, w := range m.Weights() {
		numtest.FillUniform("w0/"+w.Name, fitSeed, 0.5, w.Value.Data().([]float32))
	}
	return m
}

// tickets are n samples for it.
func tickets(n int) train.Arrays {
	return train.Arrays{Inputs: dense{classes("words", 9, n, 5), floats("table", n, 4), floats("spare", n, 2)},
		Targets: dense{classes("class", 3, n), floats("value", n, 1), floats("aux", n, 2)}}
}

func ticketFitter(t testing.TB, e graph.Engine) *train.Fitter {
	f := &train.Fitter{Engine: e, Model: ticket(t), Optimizer: train.Adam{}, Batch: 8, Epochs: 3, InOrder: true, Schedule: train.ConstantSchedule{Base: 0.03},
		Losses:      []nn.Loss{nn.SparseCategoricalCrossentropyLoss{}, nn.Huber{}, nil, nn.MeanSquaredError{}},
		LossWeights: []float32{1, 0.5, 1, 2}, Validation: tickets(13)}
	return f
}

// TestFitFunctionalIsKeras: the losses of every epoch, in all and of each output, and the predictions are Keras's; an output without a loss learns nothing.
func TestFitFunctionalIsKeras(t *testing.T) {
	want := numtest.LoadGolden(t, "testdata/golden/fit.json").Case(t, "functional")
	f := ticketFitter(t, engine(t, 2))
	defer func() { require.NoError(t, f.Close()) }()
	before := weightOf(t, f.Model, "free/kernel")
	a := tickets(22)
	a.Weights = sampleWeights("weight", 22)
	epochs, err := f.Fit(t.Context(), a)
	require.NoError(t, err)
	tol := numtest.Tolerance{Rel: 2e-5, Abs: 2e-6} // as in TestFitIsKeras
	var loss, val []float64
	for _, e := range epochs {
		require.Len(t, e.Losses, 3)
		require.Len(t, e.ValLosses, 3)
		loss, val = append(loss, e.Loss), append(val, e.ValLoss)
	}
	numtest.AssertClose(t, want.Tensor("loss").Float32(), narrow(loss), tol, "loss")
	numtest.AssertClose(t, want.Tensor("val_loss").Float32(), narrow(val), tol, "validation loss")
	for i := range 3 {
		loss, val = nil, nil
		for _, e := range epochs {
			loss, val = append(loss, e.Losses[i]), append(val, e.ValLosses[i])
		}
		numtest.AssertClose(t, want.Tensor(fmt.Sprintf("loss/%d", i)).Float32(), narrow(loss), tol, "loss of an output")
		numtest.AssertClose(t, want.Tensor(fmt.Sprintf("val_loss/%d", i)).Float32(), narrow(val), tol, "validation loss of an output")
	}
	a.Weights = nil
	evaluated, parts, err := f.EvaluateLosses(t.Context(), a)
	require.NoError(t, err)
	require.Len(t, parts, 3)
	numtest.AssertClose(t, want.Tensor("evaluated").Float32(), []float32{float32(evaluated)}, tol, "evaluated")
	out, err := f.Predict(t.Context(), a.Inputs...)
	require.NoError(t, err)
	require.Len(t, out, 4)
	for i, o := range out {
		w := want.Tensor(fmt.Sprintf("predicted/%d", i))
		require.Equal(t, []int(w.Shape), []int(o.Shape()))
		numtest.AssertClose(t, w.Float32(), o.Data(), numtest.Tolerance{Rel: 1e-4, Abs: 1e-5}, "predictions")
	}
	require.Equal(t, before, weightOf(t, f.Model, "free/kernel"))

	a.TargetWeights = [][]float32{sampleWeights("weight", 22), nil, sampleWeights("aux_weight", 22)}
	var seen [3][]float32
	f.Observe = func(_ []*tensor.Dense, batch train.Arrays) error {
		require.Nil(t, batch.Weights)
		for i, weights := range batch.TargetWeights {
			seen[i] = append(seen[i], weights...)
		}
		return nil
	}
	evaluated, parts, err = f.EvaluateLosses(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, [3][]float32{a.TargetWeights[0], slices.Repeat([]float32{1}, 22), a.TargetWeights[2]}, seen, "metrics can weigh samples as the losses do")
	want = numtest.LoadGolden(t, "testdata/golden/fit.json").Case(t, "functional_weights")
	numtest.AssertClose(t, want.Tensor("evaluated").Float32(), narrow(append([]float64{evaluated}, parts...)), tol, "evaluated with weights of targets")
}

func weightOf(t testing.TB, m *nn.Model, name string) []float32 {
	t.Helper()
	w, err := m.Weight(name)
	require.NoError(t, err)
	return append([]float32(nil), w.Value.Data().([]float32)...)
}

// TestFitOneLossForAll: without Losses, Loss is that of every output, of inputs and of one tensor twice too; Observe gets what there is, and a fit that is
// interrupted goes on.
func TestFitOneLossForAll(t *testing.T) {
	b := nn.NewBuilder("m")
	x, y := b.Input(nn.Shape{3}), b.Input(nn.Shape{3})
	h := b.Add(nn.Dense{Units: 2, Name: "out"}, x)
	m, err := b.Functional([]*nn.Tensor{x, y}, []*nn.Tensor{h, y, h})
	require.NoError(t, err)
	require.NoError(t, m.Initialize(2, tensor.Float32))
	a := train.Arrays{Inputs: dense{floats("x", 10, 3), floats("i", 10, 3)}, Targets: dense{floats("a", 10, 2), floats("b", 10, 3), floats("c", 10, 2)}}
	f := &train.Fitter{Engine: engine(t, 1), Model: m, Loss: nn.MeanSquaredError{}, Optimizer: train.Adam{}, Batch: 4, Epochs: 1, Schedule: train.ConstantSchedule{Base: 0.1}}
	defer func() { require.NoError(t, f.Close()) }()
	seen := 0
	f.Observe = func(outputs []*tensor.Dense, batch train.Arrays) error {
		seen += len(outputs)*100 + len(batch.Targets)
		require.Equal(t, batch.Inputs[1].Data(), outputs[1].Data())
		require.Equal(t, outputs[0].Data(), outputs[2].Data())
		return nil
	}
	loss, parts, err := f.EvaluateLosses(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, 3*303, seen)
	require.InDelta(t, loss, parts[0]+parts[1]+parts[2], 1e-6)
	sum := 0.0
	for i, v := range a.Targets[1].Data().([]float32) {
		sum += math.Pow(float64(v-a.Inputs[1].Data().([]float32)[i]), 2) / 30
	}
	require.InDelta(t, sum, parts[1], 1e-6)
	f.Observe = nil
	first, err := f.Fit(t.Context(), a)
	require.NoError(t, err)
	require.Nil(t, first[0].ValLosses)
	path := filepath.Join(t.TempDir(), "fit")
	require.NoError(t, f.Save(path))
	f.Epochs = 4
	rest, err := f.Fit(t.Context(), a)
	require.NoError(t, err)
	require.Less(t, rest[2].Losses[0]+rest[2].Losses[2], first[0].Losses[0]+first[0].Losses[2])
	require.InDelta(t, first[0].Losses[1], rest[2].Losses[1], 1e-6, "nothing learns it")
	require.NoError(t, f.Load(path))
	again, err := f.Fit(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(rest), fmt.Sprint(again)) // NaN of validation is not equal to itself
}

// TestFitFunctionalErrors: what several outputs want is said, and what knows one input and one output refuses others.
func TestFitFunctionalErrors(t *testing.T) {
	mse := nn.MeanSquaredError{}
	for text, change := range map[string]func(*train.Fitter, *train.Arrays){
		"Fitter.Losses has 2 losses, the model has 4 outputs":       func(f *train.Fitter, _ *train.Arrays) { f.Losses = []nn.Loss{mse, mse} },
		"Fitter.LossWeights has 1 numbers, the model has 4 outputs": func(f *train.Fitter, _ *train.Arrays) { f.LossWeights = []float32{1} },
		"Fitter.LossWeights has NaN for output 1":                   func(f *train.Fitter, _ *train.Arrays) { f.LossWeights[1] = float32(math.NaN()) },
		"Fitter.Losses are all nil":                                 func(f *train.Fitter, _ *train.Arrays) { f.Losses = make([]nn.Loss, 4) },
		"Fitter.Losses is set beside Loss":                          func(f *train.Fitter, _ *train.Arrays) { f.Loss = mse },
		"Fitter.Losses or LossWeights is set beside Build": func(f *train.Fitter, _ *train.Arrays) {
			two := twoByTwo(t, train.Adam{})
			f.Model, f.Models, f.Build = nil, two.Models, two.Build
		},
		"Arrays.Targets has 2 tensors, the network takes 3":              func(_ *train.Fitter, a *train.Arrays) { a.Targets = a.Targets[:2] },
		"Arrays.Inputs has 2 tensors, the network takes 3":               func(_ *train.Fitter, a *train.Arrays) { a.Inputs = a.Inputs[:2] },
		"Arrays.Targets[1] has samples of float32 [2], \"fit/target_1\"": func(_ *train.Fitter, a *train.Arrays) { a.Targets[1], a.Targets[2] = a.Targets[2], a.Targets[1] },
		"the training set.TargetWeights is set beside Weights": func(_ *train.Fitter, a *train.Arrays) {
			a.Weights, a.TargetWeights = make([]float32, 6), make([][]float32, 3)
		},
		"the training set.TargetWeights has weights of 2 targets": func(_ *train.Fitter, a *train.Arrays) { a.TargetWeights = make([][]float32, 2) },
		"the training set.TargetWeights[1] has -1 for sample 0":   func(_ *train.Fitter, a *train.Arrays) { a.TargetWeights = [][]float32{nil, {-1, 1, 1, 1, 1, 1}, nil} },
		"Arrays.TargetWeights is set, and the network has one loss": func(f *train.Fitter, a *train.Arrays) {
			f.Model, f.Losses, f.LossWeights, f.Loss, f.Validation = regressor(t, 2, nil), nil, nil, mse, train.Arrays{}
			*a = train.Arrays{Inputs: dense{floats("x", 6, 3)}, Targets: dense{floats("y", 6, 2)}, TargetWeights: [][]float32{nil}}
		},
		"Fitter.ClassWeights are set beside Arrays.TargetWeights": func(f *train.Fitter, a *train.Arrays) {
			f.ClassWeights, a.TargetWeights = []float32{1, 1, 2}, make([][]float32, 3)
		},
		"ClassWeights want one target of class numbers": func(f *train.Fitter, _ *train.Arrays) { f.ClassWeights = []float32{1, 1, 2} },
	} {
		f, a := ticketFitter(t, engine(t, 1)), tickets(6)
		change(f, &a)
		_, err := f.Fit(t.Context(), a)
		require.ErrorContains(t, err, text)
		var argument *train.ArgumentError
		require.ErrorAs(t, err, &argument, text)
		require.NoError(t, f.Close())
	}

	e, err := cpu.New(cpu.Config{Threads: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	m := ticket(t)
	for name, try := range map[string]func() error{
		"NewPredictor": func() error { _, err := train.NewPredictor(e, m); return err },
		"NewTrainStep": func() error { _, err := train.NewTrainStep(e, m, train.SGD{}, nil, 4, 1); return err },
		"NewEvalStep":  func() error { _, err := train.NewEvalStep(e, m, 4); return err },
		"StepGraph":    func() error { _, _, err := train.StepGraph(m, train.SGD{}, 4, 1); return err },
		"NewModel": func() error {
			ends := `[["a",0,0],["b",0,0],["c",0,0]]`
			model := `{"class_name":"Functional","config":{"name":"m","layers":[`
			for i, name := range []string{"a", "b", "c"} {
				if i > 0 {
					model += ","
				}
				model += fmt.Sprintf(`{"class_name":"InputLayer","name":%q,"config":{"name":%q,"batch_shape":[null,4,4,3]},"inbound_nodes":[]}`, name, name)
			}
			model += `],"input_layers":` + ends + `,"output_layers":` + strings.Replace(ends, "[[", `[["a",0,0],[`, 1) + `}}`
			_, err := train.NewModel(train.Config{Arch: train.KerasArch, Model: []byte(model), Classes: []string{"x"}, Input: [3]int{4, 4, 3}})
			return err
		},
		"Evaluator": func() error {
			l, err := data.NewLoader(&data.Dataset{Shape: [3]int{1, 1, 4}, Classes: []string{"a"}, Images: make([]byte, 4), Labels: []int32{0}}, data.LoaderConfig{Batch: 1})
			require.NoError(t, err)
			_, err = (&train.Evaluator{Model: m, Engine: e}).Run(context.Background(), l, nil)
			return err
		},
	} {
		err := try()
		var argument *train.ArgumentError
		require.ErrorAs(t, err, &argument, name)
		require.ErrorContains(t, err, "has 3 inputs and 4 outputs, expected one of each\n    use a Fitter", name)
	}
	g, options, err := train.InferenceGraph(m, 2)
	require.NoError(t, err)
	_, err = graph.PlanFor(g, options...)
	require.NoError(t, err)
}
