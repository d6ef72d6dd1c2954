package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
)

// Whatever their arguments and inputs, layers give an error that says what to do, or nodes of the shape that they promised.
func TestRandomArguments(t *testing.T) {
	layers := []Layer{Conv1D{}, Conv2D{}, Conv3D{}, DepthwiseConv1D{}, DepthwiseConv2D{}, SeparableConv1D{}, SeparableConv2D{},
		Conv1DTranspose{}, Conv2DTranspose{}, MaxPooling1D{}, MaxPooling2D{}, AveragePooling1D{}, AveragePooling2D{},
		GlobalMaxPooling1D{}, GlobalMaxPooling2D{}, GlobalAveragePooling1D{}, GlobalAveragePooling2D{},
		ZeroPadding1D{}, ZeroPadding2D{}, Cropping1D{}, Cropping2D{}, UpSampling1D{}, UpSampling2D{}, RepeatVector{},
		Activation{}, ReLULayer{}, LeakyReLULayer{}, ELULayer{}, PReLU{}, SoftmaxLayer{}, Dense{}, IdentityLayer{}, Reshape{}, Permute{}, Flatten{},
		AddNumber{}, MultiplyNumber{}, Add{}, Subtract{}, Multiply{}, Average{}, Maximum{}, Minimum{}, Concatenate{}, Dot{},
		BatchNormalization{}, LayerNormalization{}, RMSNormalization{}, UnitNormalization{}, GroupNormalization{}, LocalResponseNormalization{},
		Normalization{}, Rescaling{}, Dropout{}, SpatialDropout1D{}, SpatialDropout2D{}, GaussianNoise{}, GaussianDropout{}, AlphaDropout{},
		LayerScale{}, StochasticDepth{}, CustomScaleLayer{},
		RandomFlip{}, RandomBrightness{}, RandomContrast{}, Resizing{}, CenterCrop{}}
	rng, built := rand.New(rand.NewPCG(1, 2)), map[string]int{}
	for range 40_000 {
		l := reflect.New(reflect.TypeOf(layers[rng.IntN(len(layers))])).Elem()
		for i := range l.NumField() {
			randomize(rng, l.Field(i))
		}
		in := make(Shape, 1+rng.IntN(4))
		for i := range in {
			in[i] = 1 + rng.IntN(9)
		}
		b := NewBuilder("")
		b.DataFormat = []DataFormat{ChannelsLast, ChannelsFirst}[rng.IntN(2)]
		layer := l.Interface().(Layer)
		x := b.Input(in)
		m, err := b.Model(x, b.Add(layer, severalInputs(rng, b, layer, x)...))
		if err != nil {
			var e *Error
			require.ErrorAs(t, err, &e)
			require.NotEmpty(t, e.Remedy, "%#v: %v", layer, err)
			continue
		}
		if m.OutputShape().Size() > 1<<20 {
			continue
		}
		net, err := m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 1 + rng.IntN(2), ShapesOnly: true, Training: rng.IntN(2) == 0}) // compares the shapes
		require.NoError(t, err, "%#v of %v", layer, in)
		_, err = gorgonia.Backpropagate(gorgonia.Nodes{net.Output}, gorgonia.Nodes{likeNode(net.Output)}, gorgonia.Nodes{net.Input})
		if net.Output != net.Input {
			require.NoError(t, err, "%#v of %v", layer, in)
		}
		class, _ := layer.Identity()
		built[fmt.Sprintf("%s of %T", class, layer)]++ // two classes are those of operators, too
	}
	require.Len(t, built, len(layers), "of each class, some are right: %v", built)
}

// severalInputs is the input x, or for layers that combine some, x and parts of it, most of them of shapes that fit.
func severalInputs(rng *rand.Rand, b *Builder, l Layer, x *Tensor) []*Tensor {
	in := []*Tensor{x}
	if _, ok := l.(MultiInput); !ok {
		return in
	}
	for range rng.IntN(3) {
		s := x.Shape()
		switch at := rng.IntN(len(s)); rng.IntN(6) {
		case 0:
			s[at] = 1
		case 1:
			s[at] = 1 + rng.IntN(s[at])
		case 2:
			s = s[at:]
		}
		in = append(in, b.Add(part{0, s}, b.Add(Flatten{}, x)))
	}
	return in
}

func likeNode(n *gorgonia.Node) *gorgonia.Node {
	return gorgonia.NewTensor(n.Graph(), gorgonia.Float32, n.Dims(), gorgonia.WithShape(n.Shape()...), gorgonia.WithName("dy"))
}

// randomize sets a field to something that often is right, and now and then far from it.
func randomize(rng *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Int:
		v.SetInt(int64(rng.IntN(5)))
		if rng.IntN(40) == 0 {
			v.SetInt([]int64{-1, -1 << 63, 1 << 24, 1 << 31, 1 << 62, 1<<63 - 1}[rng.IntN(6)])
		}
	case reflect.Float64:
		v.SetFloat([]float64{0, 0, 0.25, 0.5, 0.75, 1, 2}[rng.IntN(7)])
		if rng.IntN(20) == 0 {
			v.SetFloat([]float64{-1, 1e300, math.Inf(1), math.NaN()}[rng.IntN(4)])
		}
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Array:
		for i := range v.Len() {
			randomize(rng, v.Index(i))
		}
	case reflect.Slice:
		if rng.IntN(2) == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1+rng.IntN(2), 2))
			for i := range v.Len() {
				randomize(rng, v.Index(i))
			}
		}
	case reflect.String:
		switch v.Type() {
		case reflect.TypeFor[Padding]():
			v.SetString([]string{"", "same", "valid", "causal", "full"}[rng.IntN(5)])
		case reflect.TypeFor[Interpolation]():
			v.SetString([]string{"", "bilinear", "cubic"}[rng.IntN(3)])
		case reflect.TypeFor[Nonlinearity]():
			v.SetString(string(append(Nonlinearities(), "", "rellu")[rng.IntN(len(Nonlinearities())+2)]))
		}
	}
}
