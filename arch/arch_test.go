package arch

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/nn"
)

var imagenet = nn.Shape{224, 224, 3}

// The parameter counts are those of Keras's models.
func TestParameterCounts(t *testing.T) {
	for _, c := range []struct {
		name                    string
		a                       Architecture
		total, trainable, fixed int
	}{
		{"SimpleCNN", SimpleCNN{}, 325_956, 325_956, 0},
		{"SimpleCNN channels first", SimpleCNN{DataFormat: nn.ChannelsFirst}, 325_956, 325_956, 0},
		{"VGG-16, CIFAR-100", VGG16{}, 34_006_948, 34_006_948, 0},
		{"VGG-16, ImageNet", VGG16{Input: imagenet, Classes: 1000}, 138_357_544, 138_357_544, 0},
		{"VGG-16 with batch norm", VGG16{BatchNorm: true}, 34_006_948 + 4*4224, 34_006_948 + 2*4224, 2 * 4224},
		{"VGG-16 with a short head", VGG16{Head: []int{}, Classes: 10}, 14_714_688 + 512*10 + 10, 14_714_688 + 512*10 + 10, 0},
		{"ResNet-50, 100 classes", ResNet50{}, 23_766_052, 23_712_932, 53_120},
		{"ResNet-50, 1000 classes", ResNet50{Input: imagenet, Classes: 1000}, 25_610_152, 25_557_032, 53_120},
		{"ResNet-50, all options", ResNet50{DataFormat: nn.ChannelsFirst, RescaleInputs: true, NoL2: true, Batch: 8}, 23_766_052, 23_712_932, 53_120},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := c.a.Model()
			require.NoError(t, err)
			total, trainable, fixed := m.CountParams()
			require.Equal(t, []int{c.total, c.trainable, c.fixed}, []int{total, trainable, fixed})
		})
	}
}

// The golden summaries are what Keras prints; the first two are in the founding document.
func TestSummariesByteForByte(t *testing.T) {
	for file, a := range map[string]Architecture{
		"summary-simple-cnn.txt":        SimpleCNN{},
		"summary-vgg16-cifar100.txt":    VGG16{},
		"summary-resnet50-cifar100.txt": ResNet50{},
	} {
		t.Run(file, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join("..", "nn", "testdata", "golden", file))
			require.NoError(t, err)
			m, err := a.Model()
			require.NoError(t, err)
			require.Equal(t, string(want), m.Summary())
		})
	}
}
