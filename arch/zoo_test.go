package arch

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/nn"
)

// TestZooParameterCounts holds the counts of keras.applications (total, trainable) and torchvision (trainable, which its
// models call parameters) with 1000 classes, and of the papers' tables.
func TestZooParameterCounts(t *testing.T) {
	for _, c := range []struct {
		name             string
		a                Architecture
		total, trainable int // 0: not told
	}{
		{"torchvision vgg11", VGG{Depth: 11, Input: imagenet, Classes: 1000}, 132_863_336, 132_863_336},
		{"torchvision vgg13", VGG{Depth: 13, Input: imagenet, Classes: 1000}, 133_047_848, 133_047_848},
		{"keras VGG16", VGG{Depth: 16, Input: imagenet, Classes: 1000}, 138_357_544, 138_357_544},
		{"keras VGG19", VGG{Depth: 19, Input: imagenet, Classes: 1000}, 143_667_240, 143_667_240},
		{"torchvision vgg11_bn", VGG{Depth: 11, BatchNorm: true, Input: imagenet, Classes: 1000}, 0, 132_868_840},
		{"torchvision vgg13_bn", VGG{Depth: 13, BatchNorm: true, Input: imagenet, Classes: 1000}, 0, 133_053_736},
		{"torchvision vgg16_bn", VGG{BatchNorm: true, Input: imagenet, Classes: 1000}, 0, 138_365_992},
		{"torchvision vgg19_bn", VGG{Depth: 19, BatchNorm: true, Input: imagenet, Classes: 1000}, 0, 143_678_248},
		{"torchvision resnet18", ResNet{Depth: 18, Input: imagenet, Classes: 1000}, 0, 11_689_512},
		{"torchvision resnet34", ResNet{Depth: 34, Input: imagenet, Classes: 1000}, 0, 21_797_672},
		{"reference resnet50", ResNet{Input: imagenet, Classes: 1000}, 25_610_152, 25_557_032},
		{"resnet50 v1", ResNet{Version: ResNetV1, Input: imagenet, Classes: 1000}, 25_610_152, 25_557_032},
		{"reference resnet101", ResNet{Depth: 101, Input: imagenet, Classes: 1000}, 44_654_504, 44_549_160},
		{"reference resnet101, CIFAR-100", ResNet{Depth: 101}, 42_810_404, 42_705_060},
		{"reference resnet152", ResNet{Depth: 152, Input: imagenet, Classes: 1000}, 60_344_232, 60_192_808},
		{"reference resnet152, CIFAR-100", ResNet{Depth: 152}, 58_500_132, 58_348_708},
		{"torchvision resnext50_32x4d", ResNet{Groups: 32, GroupWidth: 4, Input: imagenet, Classes: 1000}, 0, 25_028_904},
		{"torchvision resnext101_32x8d", ResNet{Depth: 101, Groups: 32, GroupWidth: 8, Input: imagenet, Classes: 1000}, 0, 88_791_336},
		{"torchvision wide_resnet50_2", ResNet{GroupWidth: 128, Input: imagenet, Classes: 1000}, 0, 68_883_240},
		{"torchvision wide_resnet101_2", ResNet{Depth: 101, GroupWidth: 128, Input: imagenet, Classes: 1000}, 0, 126_886_696},
		{"keras ResNet50", KerasResNet{Input: imagenet, Classes: 1000}, 25_636_712, 25_583_592},
		{"keras ResNet101", KerasResNet{Depth: 101, Input: imagenet, Classes: 1000}, 44_707_176, 44_601_832},
		{"keras ResNet152", KerasResNet{Depth: 152, Input: imagenet, Classes: 1000}, 60_419_944, 60_268_520},
		{"keras ResNet50V2", KerasResNet{V2: true, Input: imagenet, Classes: 1000}, 25_613_800, 25_568_360},
		{"keras ResNet101V2", KerasResNet{Depth: 101, V2: true, Input: imagenet, Classes: 1000}, 44_675_560, 44_577_896},
		{"keras ResNet152V2", KerasResNet{Depth: 152, V2: true, Input: imagenet, Classes: 1000}, 60_380_648, 60_236_904},
		{"AlexNet", AlexNet{Classes: 1000, Input: nn.Shape{227, 227, 3}}, 62_378_344, 62_378_344},
		{"AlexNet, two towers", AlexNet{Normalization: true, Classes: 1000, Towers: 2, Input: nn.Shape{227, 227, 3}}, 60_965_224, 60_965_224},
		{"torchvision alexnet", AlexNet{Classes: 1000, OneWeirdTrick: true, Input: imagenet}, 61_100_840, 61_100_840},
		{"keras MobileNet", MobileNet{Input: imagenet, Classes: 1000}, 4_253_864, 4_231_976},
		{"keras MobileNetV2, torchvision mobilenet_v2", MobileNetV2{Input: imagenet, Classes: 1000}, 3_538_984, 3_504_872},
		{"keras DenseNet121, torchvision densenet121", DenseNet{Input: imagenet, Classes: 1000}, 8_062_504, 7_978_856},
		{"keras DenseNet169", DenseNet{Depth: 169, Input: imagenet, Classes: 1000}, 14_307_880, 14_149_480},
		{"keras DenseNet201", DenseNet{Depth: 201, Input: imagenet, Classes: 1000}, 20_242_984, 20_013_928},
		{"torchvision vit_b_16", ViT{Input: imagenet, Classes: 1000}, 86_567_656, 86_567_656},
		{"torchvision vit_b_32", ViT{Input: imagenet, Classes: 1000, Patch: 32}, 88_224_232, 88_224_232},
		{"torchvision vit_l_16", named(t, "vit-l16"), 304_326_632, 304_326_632},
		{"torchvision vit_l_32", named(t, "vit-l32"), 306_535_400, 306_535_400},
		{"torchvision vit_h_14", named(t, "vit-h14"), 632_045_800, 632_045_800},
		{"DeiT-Ti", named(t, "vit-ti16"), 5_717_416, 5_717_416},
		{"DeiT-S", named(t, "vit-s16"), 22_050_664, 22_050_664},
	} {
		t.Run(c.name, func(t *testing.T) {
			total, trainable, _ := model(t, c.a).CountParams()
			if c.total != 0 {
				require.Equal(t, c.total, total)
			}
			require.Equal(t, c.trainable, trainable)
		})
	}
}

// named is the architecture of a name for ImageNet.
func named(t *testing.T, name string) Architecture {
	a, err := ByName(name, Config{Input: imagenet, Classes: 1000})
	require.NoError(t, err)
	return a
}
