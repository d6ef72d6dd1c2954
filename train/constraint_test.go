package train_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// A training step leaves weights that their constraints allow, whatever the optimizer wanted, and without constraints it would
// not have.
func TestStepsKeepConstraints(t *testing.T) {
	model := func(filters, kernel, bias nn.Constraint) *nn.Model {
		b := nn.NewBuilder("constrained")
		x := b.Input(nn.Shape{6, 6, 2})
		y := b.Add(nn.Conv2D{Filters: 4, Kernel: nn.K(3), Activation: nn.SiLU, KernelConstraint: filters, KernelRegularizer: nn.L1L2{L1: 1e-3, L2: 1e-3}}, x)
		y = b.Add(nn.Flatten{}, b.Add(nn.GaussianNoise{Stddev: 0.1}, y))
		y = b.Add(nn.Dense{Units: 7, Activation: nn.Softmax, KernelConstraint: kernel, BiasConstraint: bias}, y)
		m, err := b.Model(x, y)
		require.NoError(t, err)
		require.NoError(t, m.Initialize(3, tensor.Float32))
		return m
	}
	broken := func(m *nn.Model) int {
		count := 0
		for _, w := range m.Weights() {
			data, last := w.Value.Data().([]float32), w.Shape[len(w.Shape)-1]
			norms := make([]float64, last)
			for i, v := range data {
				norms[i%last] += float64(v) * float64(v)
				if w.Name == "dense/bias" && v < 0 {
					count++
				}
			}
			for _, n := range norms {
				switch n = math.Sqrt(n); {
				case w.Name == "conv2d/kernel" && math.Abs(n-1) > 1e-5, w.Name == "dense/kernel" && n > 0.7+1e-5:
					count++
				}
			}
		}
		return count
	}
	for _, opt := range []train.Optimizer{train.SGD{Momentum: 0.9}, train.Adam{}} {
		m := model(nn.UnitNorm{Axis: []int{0, 1, 2}}, nn.MaxNorm{MaxValue: 0.7}, nn.NonNeg{})
		s := newStepper(t, engine(t, 2), m, opt)
		for i := range 4 {
			s.run(t, i, i+1, 0)
			require.Zero(t, broken(m), "%s, step %d", opt.Name(), i)
		}
		free := model(nil, nil, nil)
		newStepper(t, engine(t, 2), free, opt).run(t, 0, 4, 0)
		require.NotZero(t, broken(free))
	}
}
