package op

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Every operation, through Gorgonia's own machine, gives what its reference gives, in both float types; and float32 is
// float64 to its accuracy.
func TestStockMachine(t *testing.T) {
	for _, p := range programs(t) {
		t.Run(p.name, func(t *testing.T) {
			results := map[tensor.Dtype][]float64{}
			for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
				g := gorgonia.NewGraph()
				inputs := make([]Array, len(p.inputs))
				for i, a := range p.inputs {
					inputs[i] = as(t, dt, a)
				}
				in := feedAll(g, inputs)
				y, err := p.build(in)
				require.NoError(t, err)
				given := map[*gorgonia.Node]Array{}
				for i, n := range in {
					given[n] = inputs[i]
				}
				want := evaluate(t, y, given)
				got := stock(t, g, y)[0]
				require.Equal(t, y.Shape().Clone(), got.Shape.Clone())
				require.Equal(t, want.Data, got.Data)
				require.Equal(t, dt, got.Dtype())
				results[dt] = wide(got)
			}
			for i, v := range results[tensor.Float64] {
				require.InDelta(t, v, results[tensor.Float32][i], 2e-5*(1+math.Abs(v)), "element %d", i)
			}
		})
	}
}

func programs(t *testing.T) []program {
	t.Helper()
	all := append(others(), withoutGradient()...)
	for _, d := range differentiable() {
		all = append(all, d.program)
	}
	return all
}

// Sums of float32 are taken in float64, so that the reference is the better judge of a fast kernel.
func TestReferencesSumInFloat64(t *testing.T) {
	x := as(t, tensor.Float32, vector(1e8, 1, -1e8)) // 0 in float32
	one := []float32{1}
	require.Equal(t, one, reference(t, &Sum{}, x).Data)
	require.Equal(t, []float32{1. / 3}, reference(t, &Mean{}, x).Data)
	row, column := Array{tensor.Shape{1, 3}, x.Data}, Array{tensor.Shape{3, 1}, x.Data}
	require.Equal(t, one, reference(t, &MatMul{}, row, as(t, tensor.Float32, matrix(3, 1, 1, 1, 1))).Data)
	require.Equal(t, []float32{1. / 3}, reference(t, &BatchMean{Axis: -1}, column).Data)
	c := as(t, tensor.Float32, vector(1))
	zero := as(t, tensor.Float32, vector(0))
	require.Equal(t, one, reference(t, &BatchNormGradScale{Axis: -1}, column, zero, c, as(t, tensor.Float32, matrix(3, 1, 1, 1, 1))).Data)
	many := Array{tensor.Shape{1 << 15}, make([]float32, 1<<15)}
	setAll(many.Data.([]float32), 4097)
	require.Equal(t, []float32{4097 * 4097 * (1 << 15)}, reference(t, &L2Penalty{Lambda: 1}, many).Data)
}

// An operation keeps its attributes in its String, on which equality and hashing rest, and its declared derivatives
// agree with its arity.
func TestOperationsAreDistinct(t *testing.T) {
	for _, p := range programs(t) {
		g := gorgonia.NewGraph()
		y, err := p.build(feedAll(g, p.inputs))
		require.NoError(t, err, p.name)
		o := y.Op().(Op)
		inputs := len(Children(y))
		require.Len(t, o.DiffWRT(inputs), inputs, p.name)
		if o.Arity() >= 0 {
			require.Equal(t, inputs, o.Arity(), p.name)
		}
	}
	distinct := []Op{
		&Scale{Factor: 1}, &Scale{Factor: 1 + 1e-16*4},
		&Reshape{From: tensor.Shape{4}, To: tensor.Shape{2, 2}}, &Reshape{From: tensor.Shape{4}, To: tensor.Shape{4, 1}},
		&MatMul{}, &MatMul{TransA: true}, &MatMul{TransB: true},
		&Dropout{Rate: .1}, &Dropout{Rate: .9}, &Dropout{Rate: .1, Seed: 1}, &Dropout{Rate: .1, Stream: 1},
		&Softmax{}, &LogSoftmax{}, &MeanGrad{Shape: tensor.Shape{2}}, &MeanGrad{Shape: tensor.Shape{3}}, &SumGrad{Shape: tensor.Shape{2}},
		&L2Penalty{Lambda: 1}, &L2Penalty{Lambda: 2}, &L2PenaltyGrad{Lambda: 1}, &L2PenaltyGrad{Lambda: 2},
		&TopKCorrect{K: 1}, &TopKCorrect{K: 5}, &BatchMean{Axis: 1}, &BatchMean{Axis: -1}, &BatchVariance{Axis: 1}, &BatchVariance{Axis: -1},
		&BatchNorm{Axis: 1, Epsilon: 1e-3}, &BatchNorm{Axis: 1, Epsilon: 1e-5}, &BatchNorm{Axis: -1, Epsilon: 1e-5},
		&BatchNormGradScale{Epsilon: 1}, &BatchNormGradScale{Epsilon: 2}, &BatchNormGradInput{Epsilon: 1}, &BatchNormGradInput{Axis: 1, Epsilon: 1},
		&BatchNormInference{Epsilon: 1}, &BatchNormInference{Epsilon: 2}, &BatchNormInferenceGradInput{Epsilon: 1}, &BatchNormInferenceGradInput{Axis: 1, Epsilon: 1},
		&LayerNorm{}, &LayerNorm{Epsilon: 1}, &LayerNorm{NoScale: true}, &LayerNorm{NoShift: true}, &LayerNormGrad{}, &LayerNormGrad{Epsilon: 1},
		&LayerNormGrad{NoScale: true}, &LayerNormGradScale{}, &LayerNormGradScale{Epsilon: 1},
		&MovingAverage{Momentum: .9, Factor: 1}, &MovingAverage{Momentum: .9, Factor: 2}, &MovingAverage{Momentum: .8, Factor: 1},
		&Momentum{Momentum: .9}, &Momentum{Momentum: .8}, &Nesterov{Momentum: .9}, &Nesterov{Momentum: .8}, &WeightDecay{Rate: 1}, &WeightDecay{Rate: 2},
		&AdamMean{Beta: .9}, &AdamMean{Beta: .8}, &AdamSquare{Beta: .9}, &AdamSquare{Beta: .8},
		&AdamStep{Beta1: .9, Beta2: .9}, &AdamStep{Beta1: .8, Beta2: .9}, &AdamStep{Beta1: .9, Beta2: .8}, &AdamStep{Beta1: .9, Beta2: .9, Epsilon: 1},
		&Unary{}, &Unary{Fn: FnErf}, &Binary{}, &Binary{Fn: FnMul}, &BinaryNumber{}, &BinaryNumber{Fn: FnMul}, &BinaryNumber{Number: 1}, &BinaryNumber{First: true},
		&Reduce{}, &Reduce{Fn: ReduceMin}, &Reduce{Axes: []int{1}}, &Reduce{KeepDims: true}, &BroadcastTo{Shape: tensor.Shape{2}}, &BroadcastTo{Shape: tensor.Shape{3}},
		&Full{}, &Full{Value: 1}, &Full{Shape: tensor.Shape{2}}, &Concat{}, &Concat{Axis: 1}, &Gather{}, &Gather{Axis: 1}, &GatherGrad{}, &GatherGrad{Axis: 1},
		&GatherGrad{Shape: tensor.Shape{2}}, &Slice{Starts: []int{0}, Stops: []int{1}}, &Slice{Starts: []int{0}, Stops: []int{2}}, &Slice{Starts: []int{1}, Stops: []int{2}},
		&Slice{Starts: []int{0}, Stops: []int{2}, Steps: []int{2}}, &SliceGrad{Starts: []int{0}, Stops: []int{1}, Shape: tensor.Shape{3}},
		&SliceGrad{Starts: []int{0}, Stops: []int{1}, Shape: tensor.Shape{4}}, &StopGradient{},
	}
	for i, a := range distinct {
		for j, b := range distinct {
			require.Equal(t, i == j, Equal(a, b), "%s and %s", a, b)
			require.Equal(t, i == j, a.Hashcode() == b.Hashcode(), "%s and %s", a, b)
		}
	}
}

// A machine's Do refuses what Apply could not see: values of another type or number.
func TestDoRefusesBadValues(t *testing.T) {
	v := tensor.New(tensor.WithShape(2), tensor.WithBacking([]float64{1, 2}))
	w := tensor.New(tensor.WithShape(2), tensor.WithBacking([]float32{1, 2}))
	l := tensor.New(tensor.WithShape(2), tensor.WithBacking([]int{1, 2}))
	_, err := (&Add{}).Do(v, w)
	require.ErrorContains(t, err, "input 1 is float32, input 0 is float64")
	_, err = (&Add{}).Do(v, l)
	require.ErrorContains(t, err, "input 1 must be float32 or float64, is int")
	_, err = (&Dropout{}).Do(v, gorgonia.NewF64(1))
	require.ErrorContains(t, err, "input 1 must be int, is float64")
	_, err = (&Add{}).Do(v)
	require.ErrorContains(t, err, "takes 2 inputs, got 1")
}
