package op

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/numtest"
)

// goldenArray returns a tensor of a case as an array; integers stay integers.
func goldenArray(t *testing.T, c *numtest.Case, name string, dt tensor.Dtype) Array {
	x := c.Tensor(name)
	if x.Dtype == "int" {
		return Array{tensor.Shape(x.Shape), x.Ints()}
	}
	return as(t, dt, Array{tensor.Shape(x.Shape), x.Data})
}

func goldenClose(t *testing.T, c *numtest.Case, name string, got Array, kind numtest.Kind) {
	t.Helper()
	numtest.AssertClose(t, c.Tensor(name).Data, got.Data, numtest.GoldenTol(got.Dtype(), kind), name)
}

func goldenAxis(t *testing.T, c *numtest.Case) int {
	if goldenLayout(t, c) == NCHW {
		return 1
	}
	return -1
}

func TestGoldenBatchNorm(t *testing.T) {
	eachGolden(t, []string{"batch_norm"}, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
		axis, epsilon := goldenAxis(t, c), c.Float("epsilon")
		var mean, variance *gorgonia.Node
		checkGolden(t, c, dt, numtest.Reduction, numtest.Gradient, []string{"x", "gamma", "beta"},
			func(in []*gorgonia.Node) (y *gorgonia.Node, err error) {
				y, mean, variance, err = BatchNormTraining(in[0], in[1], in[2], axis, epsilon)
				return y, err
			})
		// The statistics and the running averages, in both readings of the variance.
		x := goldenArray(t, c, "x", dt)
		m := reference(t, mean.Op().(Op), x)
		v := reference(t, variance.Op().(Op), x, m)
		goldenClose(t, c, "mean", m, numtest.Reduction)
		goldenClose(t, c, "variance", v, numtest.Reduction)
		biased := &MovingAverage{Momentum: c.Float("momentum"), Factor: 1}
		count := float64(viewChannels(x.Shape, axis).perChannel())
		unbiased := &MovingAverage{Momentum: c.Float("momentum"), Factor: count / (count - 1)}
		movingMean, movingVariance := goldenArray(t, c, "moving_mean", dt), goldenArray(t, c, "moving_variance", dt)
		goldenClose(t, c, "new_moving_mean", reference(t, biased, movingMean, m), numtest.Reduction)
		goldenClose(t, c, "new_moving_variance", reference(t, biased, movingVariance, v), numtest.Reduction)
		goldenClose(t, c, "new_moving_variance_unbiased", reference(t, unbiased, movingVariance, v), numtest.Reduction)
	})
}

func TestGoldenBatchNormInference(t *testing.T) {
	eachGolden(t, []string{"batch_norm"}, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
		axis, epsilon := goldenAxis(t, c), c.Float("epsilon")
		in := func(name string) Array { return goldenArray(t, c, name, dt) }
		x, gamma, mean, variance, dy := in("x"), in("gamma"), in("moving_mean"), in("moving_variance"), in("dy")
		y := reference(t, &BatchNormInference{Axis: axis, Epsilon: epsilon}, x, gamma, in("beta"), mean, variance)
		goldenClose(t, c, "inference_y", y, numtest.Reduction)
		dx := reference(t, &BatchNormInferenceGradInput{Axis: axis, Epsilon: epsilon}, gamma, variance, dy)
		goldenClose(t, c, "inference_dx", dx, numtest.Gradient)
		dgamma := reference(t, &BatchNormGradScale{Axis: axis, Epsilon: epsilon}, x, mean, variance, dy)
		goldenClose(t, c, "inference_dgamma", dgamma, numtest.Gradient)
		goldenClose(t, c, "inference_dbeta", reference(t, &BiasGrad{Axis: axis}, dy), numtest.Gradient)
	})
}

func TestGoldenActivations(t *testing.T) {
	eachGolden(t, []string{"activations"}, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
		build, forward := func(in []*gorgonia.Node) (*gorgonia.Node, error) { return Apply(&ReLU{}, in[0]) }, numtest.Elementwise
		if c.Str("op") == "softmax" {
			build, forward = softmaxOfLastAxis, numtest.Reduction
		}
		checkGolden(t, c, dt, forward, numtest.Gradient, []string{"x"}, build)
	})
}

// softmaxOfLastAxis is Softmax for any number of axes.
func softmaxOfLastAxis(in []*gorgonia.Node) (*gorgonia.Node, error) {
	s := in[0].Shape()
	if len(s) == 2 {
		return Apply(&Softmax{}, in[0])
	}
	rows := tensor.Shape{Len(s[:len(s)-1]), s[len(s)-1]}
	x, err := Apply(&Reshape{From: s.Clone(), To: rows}, in[0])
	if err != nil {
		return nil, err
	}
	y, err := Apply(&Softmax{}, x)
	if err != nil {
		return nil, err
	}
	return Apply(&Reshape{From: rows, To: s.Clone()}, y)
}

func TestGoldenCrossEntropy(t *testing.T) {
	eachGolden(t, []string{"cross_entropy"}, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
		g := gorgonia.NewGraph()
		x, l := feed(g, "x", goldenArray(t, c, "x", dt)), feed(g, "labels", goldenArray(t, c, "labels", dt))
		loss, err := Apply(&SoftmaxCrossEntropy{}, x, l)
		require.NoError(t, err)
		dx, err := Apply(&SoftmaxCrossEntropyGrad{}, x, l, feed(g, "dy", goldenArray(t, c, "dy", dt)))
		require.NoError(t, err)
		cost, err := Apply(&Mean{}, loss)
		require.NoError(t, err)
		grads, err := gorgonia.Grad(cost, x)
		require.NoError(t, err)
		got := stock(t, g, loss, dx, cost, grads[0])
		if c.Name == "odd" { // its logits were used before they were rounded to float32
			for i := range got {
				got[i] = as(t, tensor.Float32, got[i])
			}
		}
		if math.IsInf(slices.Max(c.Tensor("y").Data), 1) { // a loss of 6e38: float32 cannot hold it, nor the file
			got[0] = as(t, tensor.Float32, got[0])
			if dt == tensor.Float32 {
				require.Equal(t, []float32{float32(math.Inf(1))}, got[2].Data)
				got[2] = as(t, dt, Array{tensor.ScalarShape(), c.Tensor("mean").Data})
			}
		}
		goldenClose(t, c, "y", got[0], numtest.Loss)
		goldenClose(t, c, "dx", got[1], numtest.Gradient)
		goldenClose(t, c, "mean", got[2], numtest.Loss)
		goldenClose(t, c, "dx_mean", got[3], numtest.Gradient)
	})
}

func TestGoldenDense(t *testing.T) {
	eachGolden(t, []string{"dense"}, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
		names := []string{"x", "w"}
		if c.Has("b") {
			names = append(names, "b")
		}
		checkGolden(t, c, dt, numtest.Reduction, numtest.Gradient, names, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			y, err := Apply(&MatMul{}, in[0], in[1])
			if err == nil && len(in) == 3 {
				y, err = Apply(&BiasAdd{Axis: -1}, y, in[2])
			}
			return y, err
		})
	})
}

func TestGoldenL2Penalty(t *testing.T) {
	eachGolden(t, []string{"l2"}, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
		g := gorgonia.NewGraph()
		w := feed(g, "w", goldenArray(t, c, "w", dt))
		lambda := float64(float32(c.Float("factor"))) // TensorFlow's constants are float32
		y, err := Apply(&L2Penalty{Lambda: lambda}, w)
		require.NoError(t, err)
		grads, err := gorgonia.Grad(y, w)
		require.NoError(t, err)
		got := stock(t, g, y, grads[0])
		goldenClose(t, c, "y", got[0], numtest.Reduction)
		goldenClose(t, c, "dw", got[1], numtest.Gradient)
	})
}

// Rows with a score that is not finite are left out: TensorFlow counts none of them, here an infinite score is a score
// like any other, and only a NaN of the label itself makes a row wrong (see TestTopKCorrect).
func TestGoldenTopKCorrect(t *testing.T) {
	eachGolden(t, []string{"in_top_k"}, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
		x, l, o := goldenArray(t, c, "x", dt), goldenArray(t, c, "labels", dt), &TopKCorrect{K: c.Int("k")}
		classes := x.Shape[1]
		total, finite := 0., true
		for i, want := range c.Tensor("y").Data {
			row := as(t, dt, matrix(1, classes, wide(x)[i*classes:(i+1)*classes]...))
			if strings.HasPrefix(c.Name, "not_finite") && !math.IsNaN(wide(row)[l.Data.([]int)[i]]) {
				finite = false
				continue
			}
			got := wide(reference(t, o, row, labels(l.Data.([]int)[i])))
			require.Equal(t, []float64{want}, got, "row %d", i)
			total += want
		}
		if finite {
			require.Equal(t, []float64{total}, wide(reference(t, o, x, l)))
		}
	})
}

// Five steps of each optimizer on given gradients, as Keras and PyTorch take them. The file is the trainer's, whose test
// goes through the graph machine.
func TestGoldenOptimizers(t *testing.T) {
	golden := numtest.LoadGolden(t, "../../train/testdata/golden/optimizers.json")
	for _, name := range []string{"sgd", "sgd_momentum", "sgd_nesterov", "sgd_weight_decay", "adam", "adam_tiny_gradients"} {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			t.Run(name+" "+dt.String(), func(t *testing.T) {
				c := golden.Case(t, name)
				w, all, want := goldenArray(t, c, "w0", dt), c.Tensor("g"), c.Tensor("w")
				n := all.Shape[1]
				step := optimizerStep(t, c, dt, n)
				for i := range all.Shape[0] {
					w = step(i+1, w, as(t, dt, vector(all.Data[i*n:(i+1)*n]...)))
					numtest.AssertClose(t, want.Data[i*n:(i+1)*n], w.Data, numtest.Tol(dt, numtest.Reduction), "weights")
				}
			})
		}
	}
}

// optimizerStep returns the rule of a case as a function of step number, weights and gradient, with a state of its own.
func optimizerStep(t *testing.T, c *numtest.Case, dt tensor.Dtype, n int) func(step int, w, g Array) Array {
	attribute := func(name string) float64 {
		if !c.HasAttr(name) {
			return 0
		}
		return c.Float(name)
	}
	zeros := func() Array { return as(t, dt, vector(make([]float64, n)...)) }
	lr := as(t, dt, number(c.Float("learning_rate")))
	if c.Str("optimizer") == "adam" {
		b1, b2, m, v := c.Float("beta_1"), c.Float("beta_2"), zeros(), zeros()
		return func(step int, w, g Array) Array {
			m = reference(t, &AdamMean{Beta: b1}, m, g)
			v = reference(t, &AdamSquare{Beta: b2}, v, g)
			return reference(t, &AdamStep{Beta1: b1, Beta2: b2, Epsilon: c.Float("epsilon")}, w, m, v, lr, integer(step))
		}
	}
	velocity, momentum := zeros(), attribute("momentum")
	return func(_ int, w, g Array) Array {
		g = reference(t, &WeightDecay{Rate: attribute("weight_decay")}, g, w)
		velocity = reference(t, &Momentum{Momentum: momentum}, velocity, g, lr)
		switch {
		case c.HasAttr("nesterov"):
			return reference(t, &Nesterov{Momentum: momentum}, w, velocity, g, lr)
		case momentum == 0:
			return reference(t, &Descend{}, w, g, lr)
		}
		return reference(t, &Add{}, w, velocity)
	}
}
