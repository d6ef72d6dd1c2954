package op

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// Every shape mistake is a *shape.Error with the operation, the axis, what was wanted and found, and a remedy.
func TestShapeErrors(t *testing.T) {
	type s = tensor.Shape
	scalar := s{}
	x, c := s{4, 3, 3, 5}, s{5}
	inference := &BatchNormInference{Axis: -1, Epsilon: 1e-3}
	for _, e := range []struct {
		name        string
		op          Op
		in          []tensor.Shape
		axis        int
		wanted, got string
	}{
		{"add", &Add{}, []s{{2, 3}, {2, 4}}, 1, "input 1 of shape (2, 3)", "(2, 4)"},
		{"add does not broadcast", &Add{}, []s{{2, 3}, {3}}, 0, "(2, 3)", "(3,)"},
		{"add vector and scalar", &Add{}, []s{{1}, scalar}, shape.NoAxis, "(1,)", "()"},
		{"add nothing", &Add{}, []s{{0, 3}, {0, 3}}, 0, "without empty axes", "0"},
		{"mul", &Mul{}, []s{{2, 3}, {2, 4}}, 1, "(2, 3)", "(2, 4)"},
		{"scale nothing", &Scale{}, []s{{2, 0}}, 1, "without empty axes", "0"},
		{"reshape another shape", &Reshape{From: s{6}, To: s{3, 2}}, []s{{3, 2}}, 0, "(6,)", "(3, 2)"},
		{"reshape loses elements", &Reshape{From: s{6}, To: s{2, 2}}, []s{{6}}, shape.NoAxis, "a shape of 6 elements", "(2, 2) of 4"},
		{"reshape −1", &Reshape{From: s{6}, To: s{2, -1}}, []s{{6}}, 1, "a positive size", "-1"},
		{"matmul inner", &MatMul{}, []s{{2, 3}, {4, 5}}, 0, "3 rows", "4"},
		{"matmul inner, b transposed", &MatMul{TransB: true}, []s{{2, 3}, {5, 4}}, 1, "3 rows after transposition", "4"},
		{"matmul inner, a transposed", &MatMul{TransA: true}, []s{{2, 3}, {3, 5}}, 0, "2 rows", "3"},
		{"matmul of images", &MatMul{}, []s{x, {4, 5}}, shape.NoAxis, "2 axes", "4 axes"},
		{"matmul by a vector", &MatMul{}, []s{{2, 3}, {3}}, shape.NoAxis, "2 axes", "1 axes"},
		{"batched matmul inner", &BatchMatMul{}, []s{{2, 2, 3}, {2, 4, 5}}, shape.NoAxis, "3 rows", "4"},
		{"batched matmul inner, both transposed", &BatchMatMul{TransA: true, TransB: true}, []s{{2, 2, 3}, {2, 5, 4}}, shape.NoAxis, "2 rows after transposition", "4"},
		{"batched matmul of other batches", &BatchMatMul{}, []s{{2, 2, 3}, {4, 3, 5}}, 0, "equal leading axes, here 2", "4"},
		{"batched matmul of other ranks", &BatchMatMul{}, []s{{2, 2, 3}, {3, 5}}, shape.NoAxis, "as many axes", "3 and 2"},
		{"batched matmul of vectors", &BatchMatMul{}, []s{{3}, {3}}, shape.NoAxis, "at least 2", "1 and 1"},
		{"batched matmul of nothing", &BatchMatMul{}, []s{{0, 2, 3}, {0, 3, 5}}, 0, "without empty axes", "0"},
		{"dropout step", &Dropout{}, []s{x, {1}}, shape.NoAxis, "without axes", "(1,)"},
		{"dropout rate", &Dropout{Rate: 1}, []s{x, scalar}, shape.NoAxis, "below 1", "1"},
		{"random step", &Random{Shape: s{3}}, []s{x, {1}}, shape.NoAxis, "without axes", "(1,)"},
		{"random nothing", &Random{Shape: s{3, 0}}, []s{x, scalar}, 1, "without empty axes", "(3, 0)"},
		{"random distribution", &Random{From: 7}, []s{x, scalar}, shape.NoAxis, "a known distribution", "Distribution(7)"},
		{"random bounds", &Random{A: math.NaN()}, []s{x, scalar}, shape.NoAxis, "A and B that are numbers", "[NaN 0]"},
		{"random trials", &Random{From: Binomial, A: -1}, []s{x, scalar}, shape.NoAxis, "trials", "-1"},
		{"random probability", &Random{From: Binomial, B: 2}, []s{x, scalar}, shape.NoAxis, "a probability from 0 to 1", "2"},
		{"truncate nothing", &Truncate{}, []s{{0}}, 0, "without empty axes", "0"},
		{"softmax of images", &Softmax{}, []s{x}, shape.NoAxis, "2 axes", "4 axes"},
		{"softmax of nothing", &Softmax{}, []s{{3, 0}}, 1, "empty", "0"},
		{"softmax gradient", &SoftmaxGrad{}, []s{{3, 2}, {2, 2}}, 0, "(3, 2)", "(2, 2)"},
		{"log softmax of a vector", &LogSoftmax{}, []s{{3}}, shape.NoAxis, "2 axes", "1 axes"},
		{"log softmax gradient", &LogSoftmaxGrad{}, []s{{3, 2}, {3, 1}}, 1, "(3, 2)", "(3, 1)"},
		{"labels of another batch", &SoftmaxCrossEntropy{}, []s{{3, 2}, {4}}, 0, "labels of shape (3,)", "(4,)"},
		{"one-hot labels", &SoftmaxCrossEntropy{}, []s{{3, 2}, {3, 2}}, shape.NoAxis, "labels of shape (3,)", "(3, 2)"},
		{"loss gradient", &SoftmaxCrossEntropyGrad{}, []s{{3, 2}, {3}, {2}}, 0, "(3,)", "(2,)"},
		{"cross entropy labels", &CrossEntropy{}, []s{{3, 2}, {1}}, 0, "labels of shape (3,)", "(1,)"},
		{"cross entropy gradient", &CrossEntropyGrad{}, []s{{3, 2}, {3}, scalar}, shape.NoAxis, "(3,)", "()"},
		{"mean of nothing", &Mean{}, []s{{0}}, 0, "empty", "0"},
		{"sum of nothing", &Sum{}, []s{{2, 0}}, 1, "empty", "0"},
		{"mean gradient of a vector", &MeanGrad{Shape: s{2}}, []s{{1}}, shape.NoAxis, "without axes", "(1,)"},
		{"mean gradient to nothing", &MeanGrad{Shape: s{2, 0}}, []s{scalar}, 1, "empty", "(2, 0)"},
		{"sum gradient to nothing", &SumGrad{Shape: s{-1}}, []s{scalar}, 0, "empty", "(-1,)"},
		{"penalty of nothing", &L2Penalty{}, []s{{0}}, 0, "empty", "0"},
		{"penalty gradient", &L2PenaltyGrad{}, []s{{3}, {3}}, shape.NoAxis, "without axes", "(3,)"},
		{"top k labels", &TopKCorrect{K: 1}, []s{{3, 2}, {2}}, 0, "labels of shape (3,)", "(2,)"},
		{"top 0", &TopKCorrect{}, []s{{3, 2}, {3}}, shape.NoAxis, "K of at least 1", "0"},
		{"mean of a vector", &BatchMean{}, []s{{3}}, shape.NoAxis, "two axes or more", "(3,)"},
		{"mean along no axis", &BatchMean{Axis: 4}, []s{x}, shape.NoAxis, "Axis between -4 and 3", "4"},
		{"mean along −5", &BatchMean{Axis: -5}, []s{x}, shape.NoAxis, "Axis between -4 and 3", "-5"},
		{"mean of an empty batch", &BatchMean{Axis: -1}, []s{{0, 3}}, 0, "empty", "0"},
		{"variance with another mean", &BatchVariance{Axis: -1}, []s{x, {3}}, 0, "a mean of shape (5,)", "(3,)"},
		{"mean gradient channels", &BatchMeanGrad{Axis: 1, Shape: x}, []s{c}, 0, "a gradient of shape (3,)", "(5,)"},
		{"variance gradient", &BatchVarianceGrad{Axis: 1}, []s{x, {3}, c}, 0, "a gradient of shape (3,)", "(5,)"},
		{"gamma of the wrong axis", &BatchNorm{Axis: 1}, []s{x, c, c, c, c}, 0, "gamma of shape (3,)", "(5,)"},
		{"beta", &BatchNorm{Axis: -1}, []s{x, c, {1, 5}, c, c}, 0, "beta of shape (5,)", "(1, 5)"},
		{"negative epsilon", &BatchNorm{Axis: -1, Epsilon: -1}, []s{x, c, c, c, c}, shape.NoAxis, "Epsilon of at least 0", "-1"},
		{"NaN epsilon", &BatchNorm{Axis: -1, Epsilon: nan}, []s{x, c, c, c, c}, shape.NoAxis, "Epsilon of at least 0", "NaN"},
		{"inference variance", inference, []s{x, c, c, c, {4}}, 0, "a variance of shape (5,)", "(4,)"},
		{"scale gradient", &BatchNormGradScale{Axis: -1}, []s{x, c, c, {4, 3, 5}}, 2, "(4, 3, 3, 5)", "(4, 3, 5)"},
		{"input gradient dgamma", &BatchNormGradInput{Axis: -1}, []s{x, c, c, c, x, {1}, c}, 0, "dgamma of shape (5,)", "(1,)"},
		{"input gradient dy", &BatchNormGradInput{Axis: -1}, []s{x, c, c, c, {4, 3, 2, 5}, c, c}, 2, "(4, 3, 3, 5)", "(4, 3, 2, 5)"},
		{"inference gradient", &BatchNormInferenceGradInput{Axis: -1}, []s{{2}, c, x}, 0, "gamma of shape (5,)", "(2,)"},
		{"layer norm of a vector", &LayerNorm{}, []s{c, c, c}, shape.NoAxis, "two axes or more", "(5,)"},
		{"layer norm of nothing", &LayerNorm{}, []s{{0, 5}, c, c}, 0, "without empty axes", "0"},
		{"layer norm scale", &LayerNorm{}, []s{x, {3}, c}, 0, "a scale of shape (5,)", "(3,)"},
		{"layer norm shift", &LayerNorm{}, []s{x, c, {1, 5}}, 0, "a shift of shape (5,)", "(1, 5)"},
		{"layer norm shift alone", &LayerNorm{NoScale: true}, []s{x, {4}}, 0, "a shift of shape (5,)", "(4,)"},
		{"layer norm scale alone", &LayerNorm{NoShift: true}, []s{x, {4}}, 0, "a scale of shape (5,)", "(4,)"},
		{"layer norm epsilon", &LayerNorm{Epsilon: -1}, []s{x, c, c}, shape.NoAxis, "Epsilon of at least 0", "-1"},
		{"layer norm gradient", &LayerNormGrad{}, []s{x, c, {4, 3, 5}}, 2, "(4, 3, 3, 5)", "(4, 3, 5)"},
		{"layer norm gradient scale", &LayerNormGrad{}, []s{x, {3}, x}, 0, "a scale of shape (5,)", "(3,)"},
		{"layer norm gradient epsilon", &LayerNormGrad{Epsilon: nan, NoScale: true}, []s{x, x}, shape.NoAxis, "Epsilon of at least 0", "NaN"},
		{"layer norm scale's gradient", &LayerNormGradScale{}, []s{x, {4, 3, 3, 4}}, 3, "(4, 3, 3, 5)", "(4, 3, 3, 4)"},
		{"moving average", &MovingAverage{}, []s{c, {4}}, 0, "(5,)", "(4,)"},
		{"momentum gradient", &Momentum{}, []s{c, {4}, scalar}, 0, "(5,)", "(4,)"},
		{"momentum rate", &Momentum{}, []s{c, c, {1}}, shape.NoAxis, "a learning rate without axes", "(1,)"},
		{"descend", &Descend{}, []s{c, c, {1}}, shape.NoAxis, "a learning rate without axes", "(1,)"},
		{"nesterov", &Nesterov{}, []s{c, c, {1}, scalar}, 0, "input 2 of shape (5,)", "(1,)"},
		{"augment planes", &Augment{}, []s{{4, 3, 5}, {4, 3}}, shape.NoAxis, "4 axes", "3 axes"},
		{"augment nothing", &Augment{}, []s{{0, 3, 3, 5}, {0, 3}}, 0, "empty", "0"},
		{"augment with too few draws", &Augment{}, []s{x, {1, 3}}, 0, "draws of shape (4, 3)", "(1, 3)"},
		{"augment with draws of two", &Augment{}, []s{x, {4, 2}}, 1, "draws of shape (4, 3)", "(4, 2)"},
		{"augment padding", &Augment{Padding: 3}, []s{x, {4, 3}}, shape.NoAxis, "below the images' side, 3", "3"},
		{"augment negative padding", &Augment{Padding: -1}, []s{x, {4, 3}}, shape.NoAxis, "Padding of at least 0", "-1"},
		{"augment means", &Augment{Mean: []float32{1}}, []s{x, {4, 3}}, shape.NoAxis, "Mean and Std", "Mean has 1 values; the images have 5 channels"},
		{"augment deviation", &Augment{Std: make([]float32, 5)}, []s{x, {4, 3}}, shape.NoAxis, "Mean and Std", "the latter positive"},
		{"augment with a large square", &Augment{Cutout: 4}, []s{x, {4, 5}}, shape.NoAxis, "Cutout of at least 0 and at most the images' side, 3", "4"},
		{"augment without squares", &Augment{Cutout: 2}, []s{x, {4, 3}}, 1, "draws of shape (4, 5)", "(4, 3)"},
		{"augment mixed draws", &Augment{Mixup: true}, []s{x, {4, 3}}, 1, "draws of shape (4, 5)", "(4, 3)"},
		{"augment with a matrix of indices", &Augment{Indexed: true}, []s{x, {2, 3}, {2, 1}}, shape.NoAxis, "1 axes", "2 axes"},
		{"augment draws of the set", &Augment{Indexed: true}, []s{x, {4, 3}, {2}}, 0, "draws of shape (2, 3)", "(4, 3)"},
		{"transformed planes", &AffineTransform{}, []s{{4, 5, 3}, {4, 8}}, shape.NoAxis, "images (N, H, W, C) of 4 axes", "3 axes"},
		{"affine transforms", &AffineTransform{}, []s{{4, 5, 3, 1}, {4, 6}}, 1, "transforms of shape (4, 8)", "(4, 6)"},
		{"affine transforms of others", &AffineTransformGrad{}, []s{{3, 8}, {4, 5, 3, 1}}, 0, "transforms of shape (4, 8)", "(3, 8)"},
		{"transforms without border", &AffineTransform{Sampling: Sampling{Border: 4}}, []s{{4, 5, 3, 1}, {4, 8}}, shape.NoAxis, "a known Border", "Border(4)"},
		{"boxes of planes", &CropAndResize{Height: 2, Width: 2}, []s{x, {4, 7}}, shape.NoAxis, "3 axes", "4 axes"},
		{"boxes to nothing", &CropAndResize{Height: 2}, []s{{4, 9, 3}, {4, 7}}, shape.NoAxis, "Height and Width of 1 to 16384", "[2 0]"},
		{"boxes with few draws", &CropAndResize{Height: 2, Width: 2}, []s{{4, 9, 3}, {4, 3}}, 1, "draws of shape (4, 7)", "(4, 3)"},
		{"boxes cut out", &CropAndResize{Height: 2, Width: 5, Cutout: 3}, []s{{4, 9, 3}, {4, 9}}, shape.NoAxis, "Cutout of at least 0 and at most the images' side, 2", "3"},
		{"boxes mixed", &CropAndResize{Height: 2, Width: 2, Cutout: 1, Mixup: true}, []s{{4, 9, 3}, {4, 9}}, 1, "draws of shape (4, 11)", "(4, 9)"},
		{"boxes with means", &CropAndResize{Height: 2, Width: 2, Mean: []float32{1}}, []s{{4, 9, 3}, {4, 7}}, shape.NoAxis, "Mean and Std", "Mean has 1 values; the images have 3 channels"},
		{"boxes to bytes", &CropAndResize{Height: 2, Width: 2, To: tensor.Uint8}, []s{{4, 9, 3}, {4, 7}}, shape.NoAxis, "To of float32 or float64", "uint8"},
		{"augment to bytes", &Augment{To: tensor.Uint8}, []s{x, {4, 3}}, shape.NoAxis, "To of float32 or float64", "uint8"},
		{"weight decay", &WeightDecay{}, []s{c, {1, 5}}, 0, "(5,)", "(1, 5)"},
		{"adam mean", &AdamMean{Beta: 1}, []s{c, c}, shape.NoAxis, "Beta of at least 0 and below 1", "1"},
		{"adam square", &AdamSquare{Beta: -0.5}, []s{c, c}, shape.NoAxis, "Beta of at least 0 and below 1", "-0.5"},
		{"adam step", &AdamStep{}, []s{c, c, {4}, scalar, scalar}, 0, "input 2 of shape (5,)", "(4,)"},
		{"adam number of the step", &AdamStep{}, []s{c, c, c, scalar, {1}}, shape.NoAxis, "a step number without axes", "(1,)"},
		{"adam beta", &AdamStep{Beta2: 1}, []s{c, c, c, scalar, scalar}, shape.NoAxis, "Beta2 of at least 0 and below 1", "1"},
	} {
		t.Run(e.name, func(t *testing.T) {
			require.Len(t, e.in, e.op.Arity())
			_, err := e.op.Infer(e.in)
			var se *shape.Error
			require.ErrorAs(t, err, &se)
			require.Equal(t, e.op.Kind(), se.Op)
			require.Equal(t, e.axis, se.Axis)
			require.Contains(t, se.Wanted, e.wanted)
			require.Contains(t, se.Got, e.got)
			require.NotEmpty(t, se.Shapes)
			require.NotEmpty(t, se.Remedy)

			// The same mistake through Apply names the nodes.
			g := gorgonia.NewGraph()
			in := make([]*gorgonia.Node, len(e.in))
			for i, s := range e.in {
				if Len(s) == 0 {
					return // Gorgonia has no such nodes
				}
				dt := tensor.Float32
				switch {
				case e.op.intInput(i):
					dt = tensor.Int
				case e.op.byteInput(i):
					dt = tensor.Uint8
				}
				a, err := NewArray(dt, s)
				require.NoError(t, err)
				in[i] = feed(g, string(rune('a'+i)), a)
			}
			_, err = Apply(e.op, in...)
			require.ErrorAs(t, err, &se)
			require.Equal(t, []string{"a", "b", "c", "d", "e", "f", "g"}[:len(in)], se.Inputs)
		})
	}
}

// Whatever shapes come, Infer returns a shape or an error; nothing panics. Shapes that pass are computed.
func TestInferNeverPanics(t *testing.T) {
	rng := rand.New(rand.NewPCG(20, 21))
	ops := []Op{}
	for _, p := range programs(t) {
		y, err := p.build(feedAll(gorgonia.NewGraph(), p.inputs))
		require.NoError(t, err)
		ops = append(ops, y.Op().(Op))
	}
	passed := 0
	for range 300 {
		for _, o := range ops {
			inputs := o.Arity()
			if inputs < 0 {
				inputs = rng.IntN(4)
			}
			in := make([]tensor.Shape, inputs)
			arrays := make([]Array, len(in))
			for i := range in {
				in[i] = make(tensor.Shape, rng.IntN(4))
				for j := range in[i] {
					in[i][j] = rng.IntN(4) + rng.IntN(2) - 1
				}
			}
			s, err := o.Infer(in)
			if err != nil {
				continue
			}
			passed++
			for i := range in {
				dt := tensor.Float64
				if o.intInput(i) {
					dt = tensor.Int
				}
				arrays[i], err = NewArray(dt, in[i])
				require.NoError(t, err, "%s let %v pass", o, in)
			}
			out, err := NewArray(tensor.Float64, s)
			require.NoError(t, err)
			if err := o.Reference(out, arrays); err != nil {
				require.Equal(t, "AdamStep", o.Kind(), "%v", err) // its step is 0 here
			}
		}
	}
	require.Greater(t, passed, 300, "too few random shapes fit for this test to mean anything")
}

// The text of one error, in full.
func TestShapeErrorText(t *testing.T) {
	g := gorgonia.NewGraph()
	h := feed(g, "flatten", as(t, tensor.Float32, matrix(1, 3, 1, 2, 3)))
	w := feed(g, "dense/kernel", as(t, tensor.Float32, matrix(2, 2, 1, 2, 3, 4)))
	_, err := Apply(&MatMul{}, h, w)
	require.EqualError(t, err, "op: MatMul: want a second matrix with 3 rows, got 2 on axis 0\n"+
		"    inputs (1, 3) from \"flatten\", (2, 2) from \"dense/kernel\"; the inner sizes of a matrix product must agree")
}

// Mixed element types are found when the graph is built.
func TestApplyRefusesMixedTypes(t *testing.T) {
	g := gorgonia.NewGraph()
	w := feed(g, "w", as(t, tensor.Float32, vector(1, 2)))
	lr := feed(g, "lr", number(0.1))
	_, err := Apply(&Descend{}, w, w, lr)
	require.EqualError(t, err, "op: Descend: input 2 is float64, input 0 is float32; convert one of them")
	_, err = Apply(&Dropout{}, w, feed(g, "step", number(1)))
	require.EqualError(t, err, "op: Dropout: input 1 must be int, is float64")
	draws := feed(g, "draws", Array{tensor.Shape{1, 3}, make([]int, 3)})
	_, err = Apply(&Augment{}, feed(g, "floats", Array{tensor.Shape{1, 1, 1, 1}, make([]float32, 1)}), draws)
	require.EqualError(t, err, "op: Augment: input 0 must be uint8, is float32")
	_, err = Apply(&ReLU{}, feed(g, "labels", labels(1, 2)))
	require.EqualError(t, err, "op: ReLU: input 0 must be float32 or float64, is int")
	_, err = Apply(&SoftmaxCrossEntropy{}, feed(g, "logits", as(t, tensor.Float32, matrix(1, 2, 1, 2))), feed(g, "one", as(t, tensor.Float32, vector(1))))
	require.EqualError(t, err, "op: SoftmaxCrossEntropy: input 1 must be int, is float32")
}

func TestFlatten(t *testing.T) {
	g := gorgonia.NewGraph()
	m := feed(g, "m", matrix(2, 2, 1, 2, 3, 4))
	same, err := Flatten(m)
	require.NoError(t, err)
	require.Same(t, m, same)
	column, err := Flatten(feed(g, "v", vector(1, 2, 3)))
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{3, 1}, column.Shape())
	_, err = Flatten(feed(g, "s", number(1)))
	require.ErrorContains(t, err, "a batch axis")
	_, err = Flatten(nil)
	require.ErrorContains(t, err, "the input is nil")
}
