package arch

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/nn"
)

// TestSummariesAreThoseOfKerasApplications compares whole texts, or of large networks their digests;
// scripts/golden/make_summaries_zoo.py made them.
func TestSummariesAreThoseOfKerasApplications(t *testing.T) {
	for _, style := range []nn.SummaryStyle{nn.StyleKeras2, nn.StyleKeras3} {
		want := map[string]string{}
		files, err := filepath.Glob("testdata/golden/summaries-*" + string(style) + ".json.gz")
		require.NoError(t, err)
		for _, file := range files {
			f, err := os.Open(file)
			require.NoError(t, err)
			z, err := gzip.NewReader(f)
			require.NoError(t, err)
			texts := map[string]string{}
			require.NoError(t, json.NewDecoder(z).Decode(&texts))
			for name, text := range texts { // MobileNetV3's size is given there, as it is open by default
				want[strings.Replace(name, " input_shape=(224,224,3)", "", 1)] = text
			}
			require.NoError(t, f.Close())
		}
		for _, name := range onlyKeras3 {
			require.Contains(t, kerasApplications, name)
			if style == nn.StyleKeras2 {
				want[name] = ""
			}
		}
		require.Len(t, kerasApplications, len(want))
		for name, a := range kerasApplications {
			t.Run(string(style)+" "+name, func(t *testing.T) {
				if want[name] == "" {
					t.Skip("Keras 2 has other layers there, operators of TensorFlow among them")
				}
				var b strings.Builder
				require.NoError(t, model(t, a).WriteSummary(&b, nn.SummaryOptions{Style: style}))
				text, got := want[name], b.String()
				if style == nn.StyleKeras2 { // which calls both sizes by one name
					got = strings.NewReplacer(`Model: "nasnet_mobile"`, `Model: "NASNet"`, `Model: "nasnet_large"`, `Model: "NASNet"`).Replace(got)
				}
				if strings.HasPrefix(text, "sha256 ") {
					got = fmt.Sprintf("sha256 %x", sha256.Sum256([]byte(got)))
				}
				if style == nn.StyleKeras2 { // whose DenseNets have three names of another form than Keras 3's
					text = strings.ReplaceAll(text, "conv1/", "conv1_")
				}
				require.Equal(t, text, got)
			})
		}
	}
}

// onlyKeras3 are the networks that Keras 2 makes of other layers.
var onlyKeras3 = []string{"EfficientNetB0 imagenet", "MobileNetV3Small", "MobileNetV3Large", "MobileNetV3Small minimalistic=True",
	"MobileNetV3Large minimalistic=True", "MobileNetV3Small alpha=0.75", "MobileNetV3Large alpha=1.25", "MobileNetV3Small include_preprocessing=False",
	"ConvNeXtTiny", "ConvNeXtSmall", "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtXLarge", "ConvNeXtTiny include_preprocessing=False"}

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

	"EfficientNetB0": EfficientNet{Input: imagenet, Classes: 1000},
	"EfficientNetB1": EfficientNet{Variant: "b1", Input: nn.Shape{240, 240, 3}, Classes: 1000},
	"EfficientNetB2": EfficientNet{Variant: "b2", Input: nn.Shape{260, 260, 3}, Classes: 1000},
	"EfficientNetB3": EfficientNet{Variant: "b3", Input: nn.Shape{300, 300, 3}, Classes: 1000},
	"EfficientNetB4": EfficientNet{Variant: "b4", Input: nn.Shape{380, 380, 3}, Classes: 1000},
	"EfficientNetB5": EfficientNet{Variant: "b5", Input: nn.Shape{456, 456, 3}, Classes: 1000},
	"EfficientNetB6": EfficientNet{Variant: "b6", Input: nn.Shape{528, 528, 3}, Classes: 1000},
	"EfficientNetB7": EfficientNet{Variant: "b7", Input: nn.Shape{600, 600, 3}, Classes: 1000},

	"EfficientNetB0 imagenet": EfficientNet{ImageNet: true, Input: imagenet, Classes: 1000},
	"EfficientNetV2B0":        EfficientNetV2{Input: imagenet, Classes: 1000},
	"EfficientNetV2B1":        EfficientNetV2{Variant: "b1", Input: nn.Shape{240, 240, 3}, Classes: 1000},
	"EfficientNetV2B2":        EfficientNetV2{Variant: "b2", Input: nn.Shape{260, 260, 3}, Classes: 1000},
	"EfficientNetV2B3":        EfficientNetV2{Variant: "b3", Input: nn.Shape{300, 300, 3}, Classes: 1000},
	"EfficientNetV2S":         EfficientNetV2{Variant: "s", Input: nn.Shape{384, 384, 3}, Classes: 1000},
	"EfficientNetV2M":         EfficientNetV2{Variant: "m", Input: nn.Shape{480, 480, 3}, Classes: 1000},
	"EfficientNetV2L":         EfficientNetV2{Variant: "l", Input: nn.Shape{480, 480, 3}, Classes: 1000},
	"EfficientNetV2B0 include_preprocessing=False": EfficientNetV2{NoPreprocessing: true, Input: imagenet, Classes: 1000},

	"MobileNetV3Small":                             MobileNetV3{Input: imagenet, Classes: 1000},
	"MobileNetV3Large":                             MobileNetV3{Large: true, Input: imagenet, Classes: 1000},
	"MobileNetV3Small minimalistic=True":           MobileNetV3{Minimalistic: true, Input: imagenet, Classes: 1000},
	"MobileNetV3Large minimalistic=True":           MobileNetV3{Large: true, Minimalistic: true, Input: imagenet, Classes: 1000},
	"MobileNetV3Small alpha=0.75":                  MobileNetV3{Alpha: 0.75, Input: imagenet, Classes: 1000},
	"MobileNetV3Large alpha=1.25":                  MobileNetV3{Large: true, Alpha: 1.25, Input: imagenet, Classes: 1000},
	"MobileNetV3Small include_preprocessing=False": MobileNetV3{NoPreprocessing: true, Input: imagenet, Classes: 1000},

	"ConvNeXtTiny":      ConvNeXt{Input: imagenet, Classes: 1000},
	"ConvNeXtSmall":     ConvNeXt{Variant: "small", Input: imagenet, Classes: 1000},
	"ConvNeXtBase":      ConvNeXt{Variant: "base", Input: imagenet, Classes: 1000},
	"ConvNeXtLarge":     ConvNeXt{Variant: "large", Input: imagenet, Classes: 1000},
	"ConvNeXtXLarge":    ConvNeXt{Variant: "xlarge", Input: imagenet, Classes: 1000},
	"Xception":          Xception{Input: nn.Shape{299, 299, 3}, Classes: 1000},
	"InceptionV3":       InceptionV3{Input: nn.Shape{299, 299, 3}, Classes: 1000},
	"InceptionResNetV2": InceptionResNetV2{Input: nn.Shape{299, 299, 3}, Classes: 1000},
	"NASNetMobile":      NASNet{Input: imagenet, Classes: 1000},
	"NASNetLarge":       NASNet{Large: true, Input: nn.Shape{331, 331, 3}, Classes: 1000},
	"ConvNeXtTiny include_preprocessing=False": ConvNeXt{NoPreprocessing: true, Input: imagenet, Classes: 1000},
}
