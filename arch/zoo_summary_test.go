package arch

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/nn"
)

// TestSummariesAreThoseOfKerasApplications compares whole texts; scripts/golden/make_summaries_zoo.py made them.
func TestSummariesAreThoseOfKerasApplications(t *testing.T) {
	for _, style := range []nn.SummaryStyle{nn.StyleKeras2, nn.StyleKeras3} {
		f, err := os.Open("testdata/golden/summaries-" + string(style) + ".json.gz")
		require.NoError(t, err)
		z, err := gzip.NewReader(f)
		require.NoError(t, err)
		var want map[string]string
		require.NoError(t, json.NewDecoder(z).Decode(&want))
		require.NoError(t, f.Close())
		require.Len(t, kerasApplications, len(want))
		for name, a := range kerasApplications {
			t.Run(string(style)+" "+name, func(t *testing.T) {
				var got strings.Builder
				require.NoError(t, model(t, a).WriteSummary(&got, nn.SummaryOptions{Style: style}))
				text := want[name]
				if style == nn.StyleKeras2 { // whose DenseNets have three names of another form than Keras 3's
					text = strings.ReplaceAll(text, "conv1/", "conv1_")
				}
				require.Equal(t, text, got.String())
			})
		}
	}
}

// kerasApplications are keras.applications' networks as they are by default, but for the weights.
var kerasApplications = map[string]Architecture{
	"VGG16":       VGG{Depth: 16, Name: "vgg16", Input: imagenet, Classes: 1000},
	"VGG19":       VGG{Depth: 19, Name: "vgg19", Input: imagenet, Classes: 1000},
	"ResNet50":    KerasResNet{Input: imagenet, Classes: 1000},
	"ResNet101":   KerasResNet{Depth: 101, Input: imagenet, Classes: 1000},
	"ResNet152":   KerasResNet{Depth: 152, Input: imagenet, Classes: 1000},
	"ResNet50V2":  KerasResNet{V2: true, Input: imagenet, Classes: 1000},
	"ResNet101V2": KerasResNet{Depth: 101, V2: true, Input: imagenet, Classes: 1000},
	"ResNet152V2": KerasResNet{Depth: 152, V2: true, Input: imagenet, Classes: 1000},
	"MobileNet":   MobileNet{Input: imagenet, Classes: 1000},
	"MobileNetV2": MobileNetV2{Input: imagenet, Classes: 1000},
	"DenseNet121": DenseNet{Input: imagenet, Classes: 1000},
	"DenseNet169": DenseNet{Depth: 169, Input: imagenet, Classes: 1000},
	"DenseNet201": DenseNet{Depth: 201, Input: imagenet, Classes: 1000},
}
