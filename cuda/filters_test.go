//go:build gpu && cgo && linux

package cuda_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/cuda/internal/sim"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// smallResNet is a network with its first weights, and a batch of images for it.
func smallResNet(t *testing.T) (m *nn.Model, images []float32, labels []int) {
	a, err := arch.ByName("resnet20-cifar", arch.Config{Input: nn.Shape{8, 8, 3}, Classes: 10})
	require.NoError(t, err)
	m, err = a.Model()
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	images, labels = make([]float32, 3*8*8*3), []int{1, 4, 7}
	numtest.FillUnit("images", 1, images)
	return m, images, labels
}

// A program that changes no filter packs them once. It packs them again when another program or the host has changed them.
func TestFiltersThatOthersChange(t *testing.T) {
	for precision, way := range map[string]string{"fp32": "", "bf16": "", "tf32": "tiny images by cuDNN"} { // the last layers' images have 2×2 pixels
		cuda.Force(t, way)
		e, opt := open(t, cuda.Config{Precision: precision}), train.SGD{Momentum: 0.9}
		m, images, labels := smallResNet(t)
		slots := train.NewSlots(m, opt)
		s, err := train.NewTrainStep(e, m, opt, slots, 3, 1)
		require.NoError(t, err)
		eval, err := train.NewEvalStep(e, m, 3)
		require.NoError(t, err)
		evaluate := func(s *train.Step) train.StepResult {
			r, err := s.Run(images, labels, 0, 0)
			require.NoError(t, err)
			return r
		}
		for i := range 6 {
			_, err := s.Run(images, labels, 0.05, i)
			require.NoError(t, err)
			held := heldFor(e, "filters in the order of the libraries")
			got := evaluate(eval)
			require.NotZero(t, held)
			require.Equal(t, held, heldFor(e, "filters in the order of the libraries"), "programs of the same weights share them")
			require.Equal(t, got, evaluate(eval), "nothing has changed")
			require.NoError(t, s.Sync())
			if i%3 == 2 {
				for _, w := range m.Weights() {
					x := w.Value.Data().([]float32)
					for k := range x {
						x[k] *= 0.9
					}
				}
				require.NoError(t, s.Refresh())
				got = evaluate(eval)
			}
			fresh, err := train.NewEvalStep(open(t, cuda.Config{Precision: precision}), m, 3)
			require.NoError(t, err)
			require.Equal(t, evaluate(fresh), got, "%s %s, step %d", precision, way, i)
			require.NoError(t, fresh.Close())
		}
		require.NoError(t, errors.Join(eval.Close(), s.Close()))
		require.Zero(t, heldFor(e, "filters in the order of the libraries"))
	}
}

// Whichever call of the driver or of a library fails in a step of convolutions, in a CUDA graph some of which run beside others: it is
// told, or the step computes what it should.
func TestStepsOfConvolutionsFail(t *testing.T) {
	needSimulator(t)
	if !inChild(t) {
		return
	}
	calls := 0
	losses := func(fail string) (all []float64, err error) {
		e, err := cuda.New(cuda.Config{Precision: "bf16"})
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, e.Close()) }()
		m, images, labels := smallResNet(t)
		opt := train.SGD{Momentum: 0.9}
		s, err := train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), 3, 1)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		t.Setenv("STHENO_SIM_FAIL_CALL", fail)
		defer t.Setenv("STHENO_SIM_FAIL_CALL", "")
		for i := range 4 {
			r, err := s.Run(images, labels, 0.05, i)
			if err != nil {
				return nil, err
			}
			all = append(all, r.Loss)
		}
		calls = sim.Calls()
		return all, nil
	}
	want, err := losses("")
	require.NoError(t, err)
	_, err = losses("1000000")
	require.NoError(t, err)
	require.Greater(t, calls, 100)
	failed, stride := 0, 37
	if testing.Short() {
		stride = 97
	}
	for n, most := 1, calls; n <= most; n += stride {
		got, err := losses(fmt.Sprint(n))
		if err != nil {
			failed++
			continue
		}
		require.Equal(t, want, got, "call %d of %d, %s", n, most, sim.Message())
	}
	require.Greater(t, failed, 3)
}
