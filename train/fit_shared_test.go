package train_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// sharing are the models of make_shared.py, which apply layers several times, with the weights that are there.
func sharing(t testing.TB) map[string]*nn.Model {
	t.Helper()
	models := map[string]*nn.Model{}
	in := func(b *nn.Builder, shape ...int) *nn.Tensor { return b.Input(nn.Shape(shape)) }

	b := nn.NewBuilder("siamese")
	x, y := in(b, 5), in(b, 5)
	hidden := b.Share(nn.Dense{Units: 6, Activation: nn.Tanh, KernelRegularizer: nn.L2(0.01), Name: "hidden"})
	embed := b.Share(nn.Dense{Units: 4, Name: "embed"})
	cosine := b.Add(nn.Dot{Axes: [2]int{1, 1}, Normalize: true}, b.Add(embed, b.Add(hidden, x)), b.Add(embed, b.Add(hidden, y)))
	var err error
	models["siamese"], err = b.Functional([]*nn.Tensor{x, y}, []*nn.Tensor{b.Add(nn.Dense{Units: 1, Activation: nn.Sigmoid, Name: "same"}, cosine)})
	require.NoError(t, err)

	b = nn.NewBuilder("towers")
	x, y = in(b, 6, 6, 2), in(b, 4, 4, 2)
	conv := b.Share(nn.Conv2D{Filters: 2, Kernel: nn.K(3), Padding: nn.Same, NoBias: true, Name: "conv"})
	norm := b.Share(nn.BatchNormalization{Momentum: 0.75, BiasedMovingVariance: true, Name: "norm"})
	gap := b.Share(nn.GlobalAveragePooling2D{})
	both := b.Add(nn.Concatenate{}, b.Add(gap, b.Add(norm, b.Add(conv, b.Add(norm, b.Add(conv, x))))), b.Add(gap, b.Add(norm, b.Add(conv, y))))
	models["towers"], err = b.Functional([]*nn.Tensor{x, y}, []*nn.Tensor{b.Add(nn.Dense{Units: 1, Name: "out"}, both)})
	require.NoError(t, err)

	b = nn.NewBuilder("words")
	x, y = b.Add(nn.Input{Shape: nn.Shape{3}, Dtype: tensor.Int}), b.Add(nn.Input{Shape: nn.Shape{4}, Dtype: tensor.Int})
	table, mean := b.Share(nn.Embedding{InputDim: 7, OutputDim: 3, Name: "table"}), b.Share(nn.GlobalAveragePooling1D{})
	both = b.Add(nn.Multiply{}, b.Add(mean, b.Add(table, x)), b.Add(mean, b.Add(table, y)))
	models["words"], err = b.Functional([]*nn.Tensor{x, y}, []*nn.Tensor{b.Add(nn.Dense{Units: 1, Name: "score"}, both)})
	require.NoError(t, err)

	b = nn.NewBuilder("tower")
	x = in(b, 4)
	tower, err := b.Model(x, b.Add(nn.BatchNormalization{Momentum: 0.5, Name: "n"}, b.Add(nn.Dense{Units: 4, Activation: nn.Tanh, Name: "d"}, x)))
	require.NoError(t, err)
	b = nn.NewBuilder("nested")
	x, y = in(b, 4), in(b, 4)
	frozen := b.Share(nn.Dense{Units: 4, Name: "frozen"})
	one := b.Add(tower, x)
	two := b.Add(tower, b.Add(frozen, y))
	all := b.Add(nn.Concatenate{}, b.Add(tower, b.Add(frozen, one)), two, one)
	models["nested"], err = b.Functional([]*nn.Tensor{x, y}, []*nn.Tensor{b.Add(nn.Dense{Units: 2, Name: "end"}, all), two})
	require.NoError(t, err)
	require.NoError(t, models["nested"].SetTrainable(false, "frozen"))

	b = nn.NewBuilder("stack")
	x = in(b, 4)
	d := b.Share(nn.Dense{Units: 4, Activation: nn.Tanh, Name: "d"})
	models["stack"], err = b.Model(x, b.Add(nn.Dense{Units: 2, Name: "end"}, b.Add(d, b.Add(d, b.Add(d, x)))))
	require.NoError(t, err)

	for _, m := range models {
		require.NoError(t, m.Allocate(tensor.Float32))
		for _, w := range m.Weights() {
			v := w.Value.Data().([]float32)
			numtest.FillUniform("w0/"+w.Name, fitSeed, 0.5, v)
			for i := range v {
				if strings.HasSuffix(w.Name, "variance") {
					v[i] = max(v[i], -v[i]) + 0.5
				}
			}
		}
	}
	return models
}

// contrastive has outputs of what is alike be 0, those of what is not 1 or more.
func contrastive(p, t op.Expr) op.Expr {
	apart := op.Number(1).Sub(p).Maximum(op.Number(0))
	return t.Mul(p.Square()).Add(op.Number(1).Sub(t).Mul(apart.Square())).Mean(-1)
}

// pairs are samples of a model of make_shared.py.
func pairs(m *nn.Model, x, y string, n int) train.Arrays {
	var a train.Arrays
	for i, p := range m.Inputs() {
		name, shape := fmt.Sprintf("fit/%s%d", x, i), append([]int{n}, p.Shape...)
		if p.Dtype == tensor.Int {
			a.Inputs = append(a.Inputs, classes(name, 7, shape...))
		} else {
			a.Inputs = append(a.Inputs, floats(name, shape...))
		}
	}
	for i, p := range m.Outputs() {
		a.Targets = append(a.Targets, floats(fmt.Sprintf("fit/%s%d", y, i), append([]int{n}, p.Shape...)...))
	}
	if m.Name() == "siamese" {
		v := a.Targets[0].Data().([]float32)
		for i := range v {
			if v[i] > 0 {
				v[i] = 1
			} else {
				v[i] = 0
			}
		}
	}
	return a
}

// TestFitSharedIsKeras: weights that several places share learn from all of them, once in a step, and averages move in each: the losses and
// predictions are Keras's, and those of a fit that was interrupted.
func TestFitSharedIsKeras(t *testing.T) {
	e := engine(t, 2)
	for name, m := range sharing(t) {
		t.Run(name, func(t *testing.T) { fitShared(t, e, m) })
	}
}

func fitShared(t *testing.T, e graph.Engine, m *nn.Model) {
	want := numtest.LoadGolden(t, "testdata/golden/fit_shared.json").Case(t, m.Name())
	fitter := func(m *nn.Model) *train.Fitter {
		f := &train.Fitter{Engine: e, Model: m, Loss: nn.MeanSquaredError{}, Optimizer: train.Adam{}, Batch: 8, Epochs: 3, InOrder: true,
			Schedule: train.ConstantSchedule{Base: 0.02}, Validation: pairs(m, "v", "t", 8)}
		switch m.Name() {
		case "siamese":
			f.Loss = nn.LossFunc{Func: contrastive}
		case "words": // see make_shared.py
			f.Optimizer, f.Schedule = train.SGD{}, train.ConstantSchedule{Base: 0.1}
		}
		t.Cleanup(func() { require.NoError(t, f.Close()) })
		return f
	}
	twin, err := m.Clone(tensor.Float32)
	require.NoError(t, err)
	f := fitter(m)
	epochs, err := f.Fit(t.Context(), pairs(m, "x", "y", 16))
	require.NoError(t, err)
	var loss, val []float64
	for _, e := range epochs {
		loss, val = append(loss, e.Loss), append(val, e.ValLoss)
	}
	tol := numtest.Tolerance{Rel: 2e-5, Abs: 2e-6} // as in TestFitIsKeras
	numtest.AssertClose(t, want.Tensor("loss").Float32(), narrow(loss), tol, "loss")
	numtest.AssertClose(t, want.Tensor("val_loss").Float32(), narrow(val), tol, "validation loss")
	out, err := f.Predict(t.Context(), f.Validation.Inputs...)
	require.NoError(t, err)
	for i, o := range out {
		numtest.AssertClose(t, want.Tensor(fmt.Sprintf("predicted/%d", i)).Float32(), o.Data(), numtest.Tolerance{Rel: 1e-4, Abs: 1e-5}, "predictions")
	}

	again := fitter(twin)
	again.OnEpoch = func(e train.FitEpoch) error {
		if e.Epoch == 1 {
			return train.ErrStop
		}
		return nil
	}
	_, err = again.Fit(t.Context(), pairs(m, "x", "y", 16))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "fit.ckpt")
	require.NoError(t, again.Save(path))
	fresh, err := twin.Clone(tensor.Float32)
	require.NoError(t, err)
	require.NoError(t, fresh.Initialize(5, tensor.Float32))
	third := fitter(fresh)
	require.NoError(t, third.Load(path))
	_, err = third.Fit(t.Context(), pairs(m, "x", "y", 16))
	require.NoError(t, err)
	for i, w := range m.Weights() {
		require.Equal(t, w.Value.Data(), fresh.Weights()[i].Value.Data(), w.Name)
	}
}
