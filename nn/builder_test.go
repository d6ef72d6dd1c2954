package nn

import (
	"errors"
	"math"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
)

func TestSnakeCase(t *testing.T) {
	for class, want := range map[string]string{
		"Conv2D": "conv2d", "MaxPooling2D": "max_pooling2d", "AveragePooling2D": "average_pooling2d",
		"GlobalAveragePooling2D": "global_average_pooling2d", "BatchNormalization": "batch_normalization",
		"ZeroPadding2D": "zero_padding2d", "ReLU": "re_lu", "Dense": "dense", "Lambda": "lambda", "Add": "add", "LeakyReLU": "leaky_re_lu",
	} {
		require.Equal(t, want, snakeCase(class))
	}
}

func TestAutomaticNames(t *testing.T) {
	b := NewBuilder("")
	a, second := b.Input(Shape{8, 8, 1}), b.Input(Shape{8, 8, 1})
	require.Equal(t, []string{"input_1", "input_2"}, []string{a.Layer(), second.Layer()})
	var names []string
	x := a
	for _, l := range []Layer{Conv2D{Filters: 1, Kernel: K(1)}, Conv2D{Filters: 1, Kernel: K(1), Name: "mine"},
		Conv2D{Filters: 1, Kernel: K(1), Name: "conv2d_1"}, &Conv2D{Filters: 1, Kernel: K(1)}, BatchNormalization{},
		ZeroPadding2D{}, AveragePooling2D{}, Activation{}, Dropout{}, Rescale{}, GlobalAveragePooling2D{}, Reshape{Target: Shape{1, 1}},
		Permute{Dims: []int{2, 1}}, Flatten{}} {
		x = b.Add(l, x)
		names = append(names, x.Layer())
	}
	require.NoError(t, b.Err())
	require.Equal(t, []string{"conv2d", "mine", "conv2d_1", "conv2d_2", "batch_normalization", "zero_padding2d",
		"average_pooling2d", "activation", "dropout", "lambda", "global_average_pooling2d", "reshape", "permute", "flatten"}, names)
	m, err := b.Model(a, x)
	require.NoError(t, err)
	require.Equal(t, "model", m.Name())
}

func TestShapes(t *testing.T) {
	for _, c := range []struct {
		name   string
		layer  Layer
		in     Shape
		format DataFormat
		want   Shape
	}{
		{"valid", Conv2D{Filters: 5, Kernel: [2]int{3, 2}}, Shape{8, 9, 2}, ChannelsLast, Shape{6, 8, 5}},
		{"same with stride", Conv2D{Filters: 5, Kernel: K(3), Strides: K(2), Padding: Same}, Shape{7, 8, 2}, ChannelsLast, Shape{4, 4, 5}},
		{"dilated", Conv2D{Filters: 5, Kernel: K(3), Dilations: K(2)}, Shape{7, 8, 2}, ChannelsLast, Shape{3, 4, 5}},
		{"channels first", Conv2D{Filters: 5, Kernel: K(3)}, Shape{2, 7, 8}, ChannelsFirst, Shape{5, 5, 6}},
		{"default pool", MaxPooling2D{}, Shape{7, 8, 2}, ChannelsLast, Shape{3, 4, 2}},
		{"overlapping pool", MaxPooling2D{Pool: K(3), Strides: K(2), Padding: Same}, Shape{16, 15, 2}, ChannelsLast, Shape{8, 8, 2}},
		{"average pool, channels first", AveragePooling2D{}, Shape{2, 7, 8}, ChannelsFirst, Shape{2, 3, 4}},
		{"global pool", GlobalAveragePooling2D{}, Shape{2, 7, 8}, ChannelsFirst, Shape{2}},
		{"default padding", ZeroPadding2D{}, Shape{7, 8, 2}, ChannelsLast, Shape{9, 10, 2}},
		{"ragged padding", ZeroPadding2D{Padding: [2][2]int{{0, 1}, {2, 0}}}, Shape{2, 7, 8}, ChannelsFirst, Shape{2, 8, 10}},
		{"flatten", Flatten{}, Shape{7, 8, 2}, ChannelsLast, Shape{112}},
		{"reshape", Reshape{Target: Shape{-1, 4}}, Shape{7, 8, 2}, ChannelsLast, Shape{28, 4}},
		{"permute", Permute{Dims: []int{3, 1, 2}}, Shape{7, 8, 2}, ChannelsLast, Shape{2, 7, 8}},
		{"dense", Dense{Units: 3}, Shape{7}, ChannelsLast, Shape{3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := NewBuilder("m")
			b.DataFormat = c.format
			in := b.Input(c.in)
			x := b.Add(c.layer, in)
			require.NoError(t, b.Err())
			require.Equal(t, c.want, x.Shape())
			m, err := b.Model(in, x)
			require.NoError(t, err)
			net, err := m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 3, ShapesOnly: true}) // the operations agree
			require.NoError(t, err)
			require.Equal(t, append(Shape{3}, c.want...), Shape(net.Output.Shape()))
		})
	}
}

// The form of a shape error: what happened, what was expected, the input and its origin, what to do, and where.
func TestErrorText(t *testing.T) {
	b := NewBuilder("m")
	x := b.Input(Shape{32, 32, 3})
	x = b.Add(Conv2D{Filters: 32, Kernel: K(3), Padding: Same, Name: "block1_conv2"}, x)
	x = b.Add(MaxPooling2D{Name: "block1_pool"}, x)
	_, _, line, _ := runtime.Caller(0)
	x = b.Add(Conv2D{Filters: 128, Kernel: K(3), InChannels: 64, Name: "block2_conv1"}, x) // line+1
	x = b.Add(Dense{}, x)                                                                  // ignored: the first mistake counts
	require.EqualError(t, b.Err(), `nn: Conv2D "block2_conv1": kernel 3×3 wants 64 input channels, input has 32
    input (None, 16, 16, 32) NHWC from "block1_pool"; set Filters of "block1_conv2" to 64, or drop InChannels
    at nn/builder_test.go:`+strconv.Itoa(line+1))
	require.ErrorIs(t, b.Err(), ErrShape)
	_, err := b.Model(x, x)
	require.Equal(t, b.Err(), err)
	require.Nil(t, x.Shape())
	require.Empty(t, x.Layer())
}

func TestLayerErrors(t *testing.T) {
	image, vector := Shape{8, 8, 4}, Shape{10}
	for _, c := range []struct {
		layer Layer
		in    Shape
		kind  error
		want  string
	}{
		{Conv2D{Kernel: K(3)}, image, ErrArgument, "Filters must be at least 1, is 0"},
		{Conv2D{Filters: 1}, image, ErrArgument, "Kernel must be at least 1×1, is 0×0"},
		{Conv2D{Filters: 1, Kernel: K(3)}, vector, ErrShape, "wants images (4 axes with the batch), input has 2"},
		{Conv2D{Filters: 1, Kernel: [2]int{9, 3}}, image, ErrShape, "kernel 9×3 wants at least 9 rows, input has 8"},
		{Conv2D{Filters: 1, Kernel: K(3), Dilations: [2]int{1, 4}}, image, ErrShape, "wants at least 9 columns, input has 8"},
		{Conv2D{Filters: 1, Kernel: K(3), Padding: "smae"}, image, ErrArgument, `unknown padding "smae"; did you mean "same"?`},
		{Conv2D{Filters: 1, Kernel: K(3), Activation: "rellu"}, image, ErrArgument, `unknown activation "rellu"; did you mean "relu"?`},
		{ReLULayer{MaxValue: -1}, image, ErrArgument, "MaxValue must not be negative or infinite, is -1"},
		{ReLULayer{Threshold: math.NaN()}, image, ErrArgument, "Threshold must not be negative or infinite, is NaN"},
		{LeakyReLULayer{NegativeSlope: math.Inf(1)}, vector, ErrArgument, "NegativeSlope must be a finite number"},
		{ELULayer{Alpha: math.NaN()}, vector, ErrArgument, "Alpha must be a finite number, is NaN"},
		{PReLU{SharedAxes: []int{4}}, image, ErrArgument, "SharedAxes: 4 is not one of the axes of (None, 8, 8, 4)"},
		{SoftmaxLayer{Axis: -4}, image, ErrArgument, "Axis: -4 is not one of the axes of (None, 8, 8, 4)"},
		{Conv2D{Filters: 1, Kernel: K(3), Strides: K(-1)}, image, ErrArgument, "must not be negative"},
		{Conv2D{Filters: 1, Kernel: K(3), Strides: K(-1), Padding: Same}, image, ErrArgument, "must not be negative"},
		{Conv2D{Filters: 4, Kernel: K(3), Groups: 3}, image, ErrArgument, "4 Filters do not divide into 3 groups"},
		{Conv2D{Filters: 6, Kernel: K(3), Groups: 3}, image, ErrShape, `3 groups want a multiple of 3 input channels, input has 4`},
		{Conv2D{Filters: 6, Kernel: K(3), KernelRegularizer: L2(-1)}, image, ErrArgument, "must not be negative"},
		{MaxPooling2D{Pool: K(9)}, image, ErrShape, "window 9×9 wants at least 9 rows, input has 8"},
		{MaxPooling2D{Pool: K(-2)}, image, ErrArgument, "Pool must be positive"},
		{AveragePooling2D{}, vector, ErrShape, "wants images"},
		{GlobalAveragePooling2D{}, vector, ErrShape, "wants images"},
		{ZeroPadding2D{Padding: Border(-1)}, image, ErrArgument, "must not be negative"},
		{Dense{}, vector, ErrArgument, "Units must be at least 1"},
		{Dense{Units: 3, Activation: "sotfmax"}, vector, ErrArgument, `did you mean "softmax"?`},
		{Dropout{Rate: 1}, vector, ErrArgument, "Rate must be at least 0 and less than 1, is 1"},
		{Dropout{Rate: math.NaN()}, vector, ErrArgument, "is NaN"},
		{BatchNormalization{Momentum: 1.5}, vector, ErrArgument, "Momentum must be between 0 and 1, is 1.5"},
		{BatchNormalization{Epsilon: -1}, vector, ErrArgument, "Epsilon must not be negative"},
		{BatchNormalization{Axis: 2}, vector, ErrArgument, "Axis 2 is not one of the axes of (None, 10)"},
		{Reshape{Target: Shape{3, -1}}, vector, ErrShape, "input has 10"},
		{Reshape{Target: Shape{1 << 32, 1 << 32, -1}}, vector, ErrShape, "is too large, input has 10 elements"},
		{Dense{Units: math.MaxInt}, vector, ErrShape, "more than 2³⁴ elements"},
		{Dense{Units: 1 << 33}, vector, ErrArgument, "its weight \"kernel\" of shape (10, 8589934592) would be"},
		{ZeroPadding2D{Padding: Border(math.MaxInt)}, image, ErrArgument, "must not be negative or huge"},
		{ZeroPadding2D{Padding: Border(1 << 30)}, image, ErrShape, "would be empty or of more"},
		{Dense{Units: 3, KernelRegularizer: L2(math.NaN())}, vector, ErrArgument, "must not be negative"},
		{Reshape{Target: Shape{-1, -1}}, vector, ErrArgument, "-1 at most once"},
		{Permute{Dims: []int{1, 1, 2}}, image, ErrArgument, "is no order of the axes 1 to 3"},
		{Permute{Dims: []int{1}}, image, ErrShape, "list each axis once"},
		{Rescale{Shift: []float64{1}}, image, ErrShape, "wants 1 channels on the last axis, input has 4"},
		{Activation{Func: "gleu"}, vector, ErrArgument, `unknown activation "gleu"`},
		{Add{}, vector, ErrArgument, "takes at least 2 inputs, got 1"},
		{Input{Shape: vector}, vector, ErrArgument, "takes 0 input, got 1"},
		{Dense{Units: 3, Name: "a b"}, vector, ErrArgument, `contains ' '`},
		{Dense{Units: 3, Name: "input_1"}, vector, ErrDuplicateName, "the name is taken by the InputLayer added at nn/builder_test.go:"},
		{nil, vector, ErrNilTensor, "Add got no layer"},
		{(*Dense)(nil), vector, ErrNilTensor, "Add got no layer"},
		{failing{}, vector, ErrArgument, "no such luck"},
	} {
		b := NewBuilder("m")
		x := b.Add(c.layer, b.Input(c.in))
		require.NotNil(t, x)
		require.ErrorIs(t, b.Err(), c.kind, "%#v", c.layer)
		require.ErrorContains(t, b.Err(), c.want)
		require.ErrorContains(t, b.Err(), "\n    at nn/builder_test.go:")
		var e *Error
		require.ErrorAs(t, b.Err(), &e)
		require.NotEmpty(t, e.Class)
	}
}

// failing is a layer of another package, as it were, with a plain error.
type failing struct{}

var errLuck = errors.New("no such luck")

func (failing) Identity() (class, name string)  { return "Failing", "" }
func (failing) Infer(*Spec) (Shape, error)      { return nil, errLuck }
func (failing) Apply(c *Context) *gorgonia.Node { return nil }

func TestWiringErrors(t *testing.T) {
	for name, c := range map[string]struct {
		wire func(b *Builder) (in, out *Tensor)
		kind error
		want string
	}{
		"nil tensor": {func(b *Builder) (in, out *Tensor) {
			in = b.Input(Shape{3})
			return in, b.Add(Add{}, in, nil)
		}, ErrNilTensor, "input 1 is nil"},
		"zero tensor": {func(b *Builder) (in, out *Tensor) {
			in = b.Input(Shape{3})
			return in, b.Add(Flatten{}, new(Tensor))
		}, ErrNilTensor, "input 0 is nil"},
		"no input": {func(b *Builder) (in, out *Tensor) {
			in = b.Input(Shape{3})
			return in, b.Add(Flatten{})
		}, ErrArgument, "has no input"},
		"other builder": {func(b *Builder) (in, out *Tensor) {
			in = b.Input(Shape{3})
			return in, b.Add(Flatten{}, NewBuilder("other").Input(Shape{3}))
		}, ErrForeignTensor, `input 0, "input_1", belongs to another builder (model "other")`},
		"other shapes": {func(b *Builder) (in, out *Tensor) {
			in = b.Input(Shape{3})
			return in, b.Add(Add{}, in, b.Add(Dense{Units: 4}, in))
		}, ErrShape, "wants inputs of one shape, input 0 is (None, 3), input 1 is (None, 4)\n    inputs (None, 3) from \"input_1\", (None, 4) from \"dense\""},
		"two inputs": {func(b *Builder) (in, out *Tensor) {
			in = b.Input(Shape{3})
			return in, b.Add(Flatten{}, in, in)
		}, ErrArgument, "takes 1 input, got 2"},
		"duplicate name": {func(b *Builder) (in, out *Tensor) {
			in = b.Input(Shape{3})
			return in, b.Add(Dense{Units: 3, Name: "d"}, b.Add(Dense{Units: 3, Name: "d"}, in))
		}, ErrDuplicateName, "the name is taken by the Dense added at nn/builder_test.go:"},
		"nil output": {func(b *Builder) (in, out *Tensor) { return b.Input(Shape{3}), nil }, ErrNilTensor, "the output is nil"},
		"foreign output": {func(b *Builder) (in, out *Tensor) {
			return b.Input(Shape{3}), NewBuilder("other").Input(Shape{3})
		}, ErrForeignTensor, "the output"},
		"inner input": {func(b *Builder) (in, out *Tensor) {
			x := b.Add(Flatten{}, b.Input(Shape{3}))
			return x, x
		}, ErrUnconnected, `the input must come from an Input layer, comes from the Flatten "flatten"`},
		"unconnected": {func(b *Builder) (in, out *Tensor) {
			return b.Input(Shape{3}), b.Add(Flatten{}, b.Input(Shape{3}))
		}, ErrUnconnected, `depends on "input_2", which is not the model's input "input_1"`},
		"second input": {func(b *Builder) (in, out *Tensor) {
			in = b.Input(Shape{3})
			return in, b.Add(Add{}, in, b.Input(Shape{3}))
		}, ErrUnconnected, `depends on "input_2"`},
		"empty input": {func(b *Builder) (in, out *Tensor) {
			in = b.Input(Shape{3, 0})
			return in, in
		}, ErrArgument, "must have positive axes"},
		"no shape": {func(b *Builder) (in, out *Tensor) {
			in = b.Input(nil)
			return in, in
		}, ErrArgument, "wants the Shape of a sample"},
		"negative batch": {func(b *Builder) (in, out *Tensor) {
			in = b.Add(Input{Shape: Shape{3}, Batch: -1})
			return in, in
		}, ErrArgument, "Batch must not be negative"},
	} {
		t.Run(name, func(t *testing.T) {
			b := NewBuilder("m")
			in, out := c.wire(b)
			_, err := b.Model(in, out)
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "\n    at nn/builder_test.go:")
		})
	}
	require.ErrorIs(t, NewBuilder("a\nb").Err(), ErrArgument)
	var none *Tensor
	require.Nil(t, none.Shape())
	require.Empty(t, none.Layer())
}

// The remedy names the layer that decides the number of channels.
func TestRemedyNamesTheSource(t *testing.T) {
	picky := Conv2D{Filters: 1, Kernel: K(1), InChannels: 5}
	for want, layers := range map[string][]Layer{
		`give "input_1" 5 channels, or drop InChannels`:           {picky},
		`set Filters of "conv2d" to 5, or drop InChannels`:        {Conv2D{Filters: 2, Kernel: K(1)}, BatchNormalization{}, ZeroPadding2D{}, picky},
		`from "reshape"; drop InChannels`:                         {Dense{Units: 8}, Reshape{Target: Shape{2, 2, 2}}, picky},
		`from "lambda"; drop InChannels`:                          {ChannelPadding{Before: 1}, picky},
		`set Filters of "conv2d" to 6, or choose Groups to divid`: {&Conv2D{Filters: 4, Kernel: K(1)}, Conv2D{Filters: 3, Kernel: K(1), Groups: 3}},
	} {
		b := NewBuilder("m")
		x := b.Input(Shape{4, 4, 3})
		if _, dense := layers[0].(Dense); dense {
			x = b.Add(Flatten{}, x)
		}
		for _, l := range layers {
			x = b.Add(l, x)
		}
		require.ErrorIs(t, b.Err(), ErrShape)
		require.ErrorContains(t, b.Err(), want)
	}
}
