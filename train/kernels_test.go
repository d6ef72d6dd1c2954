package train_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/train"
)

// TestNetsRunOnKernels: no step of the nets' training falls back to a reference or to Gorgonia.
func TestNetsRunOnKernels(t *testing.T) {
	e, err := cpu.New(cpu.Config{Threads: 1})
	require.NoError(t, err)
	defer e.Close()
	for _, c := range []struct {
		arch string
		opt  train.Optimizer
		cfg  arch.Config
	}{
		{"simplecnn", train.Adam{}, arch.Config{}},
		{"vgg16", train.SGD{Momentum: 0.9, WeightDecay: 5e-4}, arch.Config{BatchNorm: true, Dropout: 0.5}},
		{"resnet50", train.SGD{Momentum: 0.9, Nesterov: true}, arch.Config{RescaleInputs: true}},
	} {
		t.Run(c.arch, func(t *testing.T) {
			a, err := arch.ByName(c.arch, c.cfg)
			require.NoError(t, err)
			m, err := a.Model()
			require.NoError(t, err)
			require.NoError(t, m.Initialize(1, tensor.Float32))
			s, err := train.NewTrainStep(e, m, c.opt, train.NewSlots(m, c.opt), 2, 1)
			require.NoError(t, err)
			defer s.Close()
			for _, step := range s.Plan().Steps {
				if _, ok := step.Instr.(*graph.Copy); !ok {
					require.True(t, e.HasKernel(step.Instr.Kind(), step.Out[0].Dtype), "%s has no kernel", step.Instr)
				}
			}
		})
	}
}
