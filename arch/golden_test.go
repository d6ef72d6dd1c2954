package arch

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
)

// The golden runs were made by Keras and PyTorch. Here: the names, order and shapes of the weights, and the loss of the
// first step through Gorgonia's own machine. The whole runs are tests of package train.
func TestFirstLossAgreesWithKeras(t *testing.T) {
	for _, c := range []struct {
		file string
		a    Architecture
		slow bool
	}{{"simplecnn.json", SimpleCNN{}, false}, {"resnet50.json", ResNet50{}, true}, {"vgg16.json", VGG16{}, true}} {
		t.Run(c.file, func(t *testing.T) {
			golden := numtest.LoadNetRun(t, filepath.Join("..", "train", "testdata", "golden", c.file))
			m := model(t, c.a)
			var weights []*nn.Weight
			for _, w := range m.Weights() {
				if w.Trainable || len(golden.Weights) == len(m.Weights()) {
					weights = append(weights, w)
				}
			}
			require.Len(t, weights, len(golden.Weights))
			for i, w := range weights {
				require.Equal(t, golden.Weights[i].Name, w.Name, "Keras's order")
				require.Equal(t, golden.Weights[i].Shape, []int(w.Shape), w.Name)
			}
			if c.slow && testing.Short() {
				t.Skip("seconds of plain loops")
			}
			require.NoError(t, m.Initialize(1, tensor.Float32))
			for i, w := range weights {
				require.NoError(t, w.Set(tensor.New(tensor.WithShape(w.Shape...), tensor.WithBacking(golden.Weights[i].Initial(golden.Seed)))))
			}
			g := gorgonia.NewGraph()
			net, err := m.Build(g, nn.BuildConfig{Batch: golden.Batch, Training: true})
			require.NoError(t, err)
			y := gorgonia.NewVector(g, tensor.Int, gorgonia.WithShape(golden.Batch), gorgonia.WithName("y"),
				gorgonia.WithValue(tensor.New(tensor.WithShape(golden.Batch), tensor.WithBacking(golden.Labels(0)))))
			loss, err := nn.SparseCategoricalCrossentropy(net.Output, y)
			require.NoError(t, err)
			require.NoError(t, gorgonia.Let(net.Input, tensor.New(tensor.WithShape(golden.Batch, 32, 32, 3), tensor.WithBacking(golden.Images(0)))))
			vm := gorgonia.NewTapeMachine(g)
			defer vm.Close()
			require.NoError(t, vm.RunAll())
			got := float64(loss.Value().Data().(float32))
			require.Less(t, math.Abs(got-golden.Losses[0]), golden.Tolerance[0]*golden.Losses[0], "loss %v, Keras has %v", got, golden.Losses[0])
		})
	}
}
