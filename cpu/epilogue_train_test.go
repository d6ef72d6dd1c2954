package cpu_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// In training the bound of ReLU6 is part of the batch norms, forward and backward, and no step of its own; losses and weights after three
// steps have the bits that they have with steps of their own, on any number of threads.
func TestReLU6InTrainingIsTheBatchNorms(t *testing.T) {
	numtest.Sequential(t)
	const batch, size = 3, 32
	images := numtest.Uniform(3, tensor.Float32, 0, 1, batch, size, size, 3).Float32s()
	run := func(e graph.Engine, joined bool) ([]float64, [][]float64) {
		a, err := arch.ByName("mobilenetv2", arch.Config{Input: nn.Shape{size, size, 3}})
		require.NoError(t, err)
		m, err := a.Model()
		require.NoError(t, err)
		require.NoError(t, m.Initialize(1, tensor.Float32))
		statistics(m)
		opt := train.SGD{Momentum: 0.9}
		s, err := train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), batch, 1)
		require.NoError(t, err)
		defer s.Close()
		text := s.Plan().String()
		n := map[bool]int{true: 35}[joined]
		require.Equal(t, n, strings.Count(text, "+relu6("))
		require.Equal(t, n, strings.Count(text, "BatchNormReLU6Sums("))
		require.Equal(t, n, strings.Count(text, "BatchNormReLU6GradInput("))
		require.Equal(t, 35-n, strings.Count(text, "Binary(min)"))
		require.Equal(t, 35-n, strings.Count(text, "6 <= "))
		var losses []float64
		for i := range 3 {
			r, err := s.Run(images, []int{1, 7, 3}, 0.05, i)
			require.NoError(t, err)
			losses = append(losses, r.Loss)
		}
		var weights [][]float64
		for _, w := range m.Weights() {
			weights = append(weights, numbers(w.Value))
		}
		return losses, weights
	}
	two := open(t, 2)
	losses, weights := run(apart{two}, false)
	for _, e := range []graph.Engine{two, open(t, 3)} {
		l, w := run(e, true)
		require.Equal(t, losses, l)
		require.Equal(t, weights, w)
	}
}
