//go:build gpu && cgo && linux

package train_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// TestGPUZoo: the losses of two training steps are the CPU engine's, of networks whose layers the others do not have. The second loss
// tells whether the gradients of the first step are the same; the rate is small, since normalizations over a few pixels bend the loss.
func TestGPUZoo(t *testing.T) {
	for name, model := range map[string]func() (*nn.Model, error){
		"efficientnetb0":    arch.EfficientNet{Classes: 10, Input: nn.Shape{33, 32, 3}}.Model,
		"mobilenetv3-small": arch.MobileNetV3{Classes: 10, Input: nn.Shape{32, 34, 3}, Dropout: -1}.Model,
		"convnext-tiny":     arch.ConvNeXt{Classes: 10}.Model,
		"attention":         attentive,
	} {
		t.Run(name, func(t *testing.T) {
			const batch = 3
			losses := func(e graph.Engine) (out []float64) {
				m, err := model()
				require.NoError(t, err)
				require.NoError(t, m.Initialize(1, tensor.Float32))
				opt := train.SGD{}
				s, err := train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), batch, 1)
				require.NoError(t, err)
				defer func() { require.NoError(t, s.Close()) }()
				images, labels := make([]float32, batch*m.InputShape().Size()), make([]int, batch)
				numtest.FillUnit("images", 1, images)
				for i := range images {
					images[i] *= 255
				}
				numtest.FillLabels("labels", 1, 10, labels)
				for i := range 2 {
					r, err := s.Run(images, labels, 1e-5, i)
					require.NoError(t, err)
					out = append(out, r.Loss)
				}
				return out
			}
			begin := time.Now()
			got := losses(gpu(t, cuda.Config{}))
			took := time.Since(begin).Round(time.Millisecond)
			want := losses(engine(t, 0))
			t.Logf("%v on the GPU, %v on the CPU, in %v on the GPU", got, want, took)
			require.InDelta(t, want[0], got[0], 1e-4*want[0])
			// To the first order the loss falls by the rate times the square of the gradient's norm, where other samples are not dropped.
			fall := want[0] - want[1]
			require.Greater(t, fall, 1e-4*want[0])
			require.InDelta(t, fall, got[0]-got[1], 0.02*fall)
		})
	}
}

// attentive attends to the rows of images, each of which sees those above it.
func attentive() (*nn.Model, error) {
	b := nn.NewBuilder("attentive")
	in := b.Input(nn.Shape{8, 8, 3})
	x := b.Add(nn.Reshape{Target: nn.Shape{8, 24}}, b.Add(nn.Rescaling{Scale: 1. / 32}, in))
	x = b.Add(nn.MultiHeadAttention{Heads: 3, KeyDim: 8, Causal: true}, x, x)
	x = b.Add(nn.Attention{Causal: true}, x, x)
	return b.Model(in, b.Add(nn.Dense{Units: 10, Activation: nn.Softmax}, b.Add(nn.Flatten{}, x)))
}
