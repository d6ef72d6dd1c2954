package nn_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/nn"
)

// TestClassifier: every family of architectures has one that can be told, and takes another number of classes, with the names and shapes that it has then.
func TestClassifier(t *testing.T) {
	for _, name := range []string{"simplecnn", "alexnet", "vgg11", "resnet18", "keras-resnet50v2", "resnet20-cifar", "mobilenet", "mobilenetv2", "mobilenetv3-small",
		"densenet121", "efficientnetb0", "efficientnetv2-b0", "convnext-tiny", "xception", "inceptionv3", "nasnet-mobile", "vit-ti4"} {
		model := func(classes int) *nn.Model {
			c := arch.Config{Input: nn.Shape{32, 32, 3}, Classes: classes}
			a, err := arch.ByName(name, c)
			require.NoError(t, err)
			m, err := a.Model()
			if err != nil {
				c.Input = nn.Shape{224, 224, 3}
				a, err = arch.ByName(name, c)
				require.NoError(t, err)
				m, err = a.Model()
			}
			require.NoError(t, err)
			return m
		}
		m, want := model(10), model(7)
		head, err := m.Classifier()
		require.NoError(t, err, name)
		ws, err := m.WeightsOf(head)
		require.NoError(t, err)
		require.LessOrEqual(t, len(ws), 2)
		require.EqualValues(t, 10, ws[0].Shape[len(ws[0].Shape)-1], name)
		got, err := m.WithClasses(7)
		require.NoError(t, err, name)
		require.Equal(t, want.Summary(), got.Summary(), name)
		require.Equal(t, nn.Shape{10}, m.OutputShape())
		require.False(t, got.EndsWithScores(), name)
		for i, w := range got.Weights() {
			require.Equal(t, want.Weights()[i].Name, w.Name)
			require.Equal(t, want.Weights()[i].Shape, w.Shape)
			require.Equal(t, w.Shape.Eq(m.Weights()[i].Shape), w == m.Weights()[i], "%s %s is shared where it is the same", name, w.Name)
		}
	}
}

// head is a model whose output a function makes of features (4, 4, 6).
func withEnd(t *testing.T, end func(b *nn.Builder, x *nn.Tensor) *nn.Tensor) *nn.Model {
	t.Helper()
	b := nn.NewBuilder("net")
	x := b.Input(nn.Shape{4, 4, 3})
	m, err := b.Model(x, end(b, b.Add(nn.Conv2D{Filters: 6, Kernel: nn.K(3), Padding: nn.Same, Name: "c"}, x)))
	require.NoError(t, err)
	return m
}

func TestClassifiersOfSeveralForms(t *testing.T) {
	scores := map[string]bool{"convolution": true, "reshaped": true, "nested": true, "squeezed": true, "logarithms": true}
	for name, end := range map[string]func(b *nn.Builder, x *nn.Tensor) *nn.Tensor{
		"dense": func(b *nn.Builder, x *nn.Tensor) *nn.Tensor {
			return b.Add(nn.Dense{Units: 5, Activation: nn.Softmax, Name: "head"}, b.Add(nn.Flatten{}, x))
		},
		"sigmoid": func(b *nn.Builder, x *nn.Tensor) *nn.Tensor {
			return b.Add(nn.Activation{Func: nn.Sigmoid}, b.Add(nn.Dense{Units: 5, Name: "head"}, b.Add(nn.Flatten{}, x)))
		},
		"squeezed": func(b *nn.Builder, x *nn.Tensor) *nn.Tensor { // SqueezeNet
			x = b.Add(nn.Conv2D{Filters: 5, Kernel: nn.K(1), Name: "head"}, x)
			return b.Add(nn.GlobalAveragePooling2D{}, b.Add(nn.Activation{Func: nn.ReLU}, x))
		},
		"logarithms": func(b *nn.Builder, x *nn.Tensor) *nn.Tensor {
			return b.Add(nn.Dense{Units: 5, Activation: nn.LogSoftmax, Name: "head"}, b.Add(nn.Flatten{}, x))
		},
		"convolution": func(b *nn.Builder, x *nn.Tensor) *nn.Tensor {
			return b.Add(nn.GlobalAveragePooling2D{}, b.Add(nn.Conv2D{Filters: 5, Kernel: nn.K(1), Name: "head"}, x))
		},
		"reshaped": func(b *nn.Builder, x *nn.Tensor) *nn.Tensor {
			x = b.Add(nn.Reshape{Target: nn.Shape{1, 1, 6}}, b.Add(nn.GlobalAveragePooling2D{}, x))
			return b.Add(nn.Reshape{Target: nn.Shape{5}}, b.Add(nn.Conv2D{Filters: 5, Kernel: nn.K(1), Name: "head"}, x))
		},
		"nested": func(b *nn.Builder, x *nn.Tensor) *nn.Tensor {
			inner := nn.NewBuilder("top")
			in := inner.Input(nn.Shape{4, 4, 6})
			m, err := inner.Model(in, inner.Add(nn.Dense{Units: 5, Name: "head"}, inner.Add(nn.Flatten{}, in)))
			require.NoError(t, err)
			return b.Add(nn.Dropout{Rate: 0.5}, b.Add(m, x))
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := withEnd(t, end)
			require.NoError(t, m.Initialize(1, tensor.Float32))
			head, err := m.Classifier()
			require.NoError(t, err)
			require.Equal(t, map[bool]string{true: "top/head", false: "head"}[name == "nested"], head)
			require.NoError(t, m.SetTrainable(false))
			other, err := m.WithClasses(9)
			require.NoError(t, err)
			require.Equal(t, nn.Shape{9}, other.OutputShape())
			require.NoError(t, other.InitializeRest(1, tensor.Float32))
			ws, err := other.WeightsOf(head)
			require.NoError(t, err)
			require.Equal(t, "head/kernel", ws[0].Name)
			require.True(t, ws[0].Trainable, "what is new is not frozen")
			require.False(t, other.Weights()[0].Trainable)
			require.Same(t, m.Weights()[0], other.Weights()[0])
			require.Equal(t, nn.Shape{5}, m.OutputShape(), "the model itself stays")
			require.Equal(t, scores[name], other.EndsWithScores())
			end, err := other.WithSoftmax()
			require.NoError(t, err)
			require.False(t, end.EndsWithScores())
			require.Equal(t, other.Weights(), end.Weights())
			layers := end.Layers()
			require.Equal(t, "softmax", layers[len(layers)-1].Name)
		})
	}
}

func TestNoClassifier(t *testing.T) {
	m := withEnd(t, func(b *nn.Builder, x *nn.Tensor) *nn.Tensor {
		return b.Add(nn.Flatten{}, b.Add(nn.BatchNormalization{Name: "norm"}, x))
	})
	_, err := m.Classifier()
	require.ErrorContains(t, err, `its classifier cannot be told: the BatchNormalization "norm" is behind it, or in its place`)
	_, err = m.WithClasses(3)
	require.ErrorContains(t, err, "cannot be told")
	require.False(t, m.EndsWithScores())
	_, err = m.WeightsOf("nrom")
	require.ErrorContains(t, err, `did you mean "norm"?`)
	for _, f := range []func(*nn.Model) error{
		func(m *nn.Model) error { _, err := m.Classifier(); return err },
		func(m *nn.Model) error { _, err := m.WithClasses(2); return err },
		func(m *nn.Model) error { _, err := m.WithSoftmax(); return err },
		func(m *nn.Model) error { _, err := m.WeightsOf(); return err },
	} {
		require.ErrorContains(t, f(nil), "wants a model")
	}
}

// TestClassifierElsewhereToo: a nested model that has the classifier and is a part of another nested model as well would have its weights twice, under one name.
func TestClassifierElsewhereToo(t *testing.T) {
	nest := func(name string, layers ...nn.Layer) *nn.Model {
		b := nn.NewBuilder(name)
		x := b.Input(nn.Shape{4})
		y := x
		for _, l := range layers {
			y = b.Add(l, y)
		}
		m, err := b.Model(x, y)
		require.NoError(t, err)
		return m
	}
	top := nest("top", nn.Dense{Units: 4, Name: "scores"})
	m := nest("net", nest("base", top), top)
	head, err := m.Classifier()
	require.NoError(t, err)
	require.Equal(t, "top/scores", head)
	_, err = m.WithClasses(3)
	require.ErrorContains(t, err, `two layers have a weight called "scores/kernel"`)
	_, err = m.WithSoftmax()
	require.NoError(t, err)
}
