package arch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/nn"
)

// Config configures an architecture by name. Fields that an architecture does not have must be zero.
type Config struct {
	Input            nn.Shape      // rows, columns, channels; 32×32×3 by default
	Classes          int           // 100 by default
	Batch            int           // fixed batch size for summaries; 0 means None
	DataFormat       nn.DataFormat // ChannelsLast by default
	Seed             uint64        // of Build's weights and dropout
	BatchNorm        bool          // vgg
	Dropout          float64       // vgg, alexnet, mobilenet, efficientnet, vit
	L2               nn.L2         // vgg
	Head             []int         // vgg: units of the dense layers before the last; nil means 4096, 4096, and 0 alone none
	NoL2             bool          // resnet, resnext, plain
	RescaleInputs    bool          // resnet, resnext, plain; of efficientnetb0 to b7 their ImageNet
	BatchNormDecay   float64       // vgg, resnet, resnext, plain: momentum of running averages
	BatchNormEpsilon float64       // vgg, resnet, resnext, plain, mobilenetv2
	Stem             Stem          // resnet, resnext, plain, alexnet
	Version          ResNetVersion // resnet, resnext, plain
	SymmetricPadding bool          // resnet, resnext, plain, mobilenetv2
	Shortcuts        string        // resnet20-cifar and its kin: "A" or "B"
}

// entry is a row of the registry.
type entry struct {
	name    string
	options string // the fields of Config beyond the common ones that it takes
	make    func(Config) Architecture
}

var registry = []entry{
	{"simplecnn", "", func(c Config) Architecture {
		return SimpleCNN{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed}
	}},
	{"vgg16", vggOptions, func(c Config) Architecture {
		if c.BatchNormEpsilon != 0 || c.BatchNormDecay != 0 || len(c.Head) > 0 {
			return c.vgg(16)
		}
		return VGG16{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed,
			BatchNorm: c.BatchNorm, Dropout: c.Dropout, L2: c.L2}
	}},
	{"resnet50", resnetOptions, func(c Config) Architecture {
		if c.Stem != "" || c.Version != "" || c.SymmetricPadding {
			return c.resnet(ResNet{Depth: 50})
		}
		return ResNet50{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed,
			NoL2: c.NoL2, RescaleInputs: c.RescaleInputs, BatchNormDecay: c.BatchNormDecay, BatchNormEpsilon: c.BatchNormEpsilon}
	}},
	{"alexnet", "Dropout L2 Stem", func(c Config) Architecture {
		return AlexNet{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed, Dropout: c.Dropout, L2: c.L2, Stem: c.Stem}
	}},
	{"alexnet-owt", "Dropout L2", func(c Config) Architecture { // torchvision's
		return AlexNet{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed, Dropout: c.Dropout, L2: c.L2, OneWeirdTrick: true}
	}},
	{"mobilenet", "Dropout", func(c Config) Architecture {
		return MobileNet{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed, Dropout: c.Dropout}
	}},
	{"mobilenetv2", "BatchNormEpsilon SymmetricPadding", func(c Config) Architecture {
		return MobileNetV2{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed,
			Epsilon: c.BatchNormEpsilon, SymmetricPadding: c.SymmetricPadding}
	}},
	mobileNetV3("mobilenetv3-small", false, false), mobileNetV3("mobilenetv3-large", true, false),
	mobileNetV3("mobilenetv3-small-minimalistic", false, true), mobileNetV3("mobilenetv3-large-minimalistic", true, true),
	efficientNet("b0"), efficientNet("b1"), efficientNet("b2"), efficientNet("b3"), efficientNet("b4"), efficientNet("b5"), efficientNet("b6"), efficientNet("b7"),
	efficientNetV2("b0"), efficientNetV2("b1"), efficientNetV2("b2"), efficientNetV2("b3"), efficientNetV2("s"), efficientNetV2("m"), efficientNetV2("l"),
	convNeXtEntry("tiny"), convNeXtEntry("small"), convNeXtEntry("base"), convNeXtEntry("large"), convNeXtEntry("xlarge"),
	nasNetEntry("nasnet-mobile", false), nasNetEntry("nasnet-large", true),
	{"xception", "", func(c Config) Architecture {
		return Xception{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed}
	}},
	{"inceptionv3", "", func(c Config) Architecture {
		return InceptionV3{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed}
	}},
	{"inceptionresnetv2", "", func(c Config) Architecture {
		return InceptionResNetV2{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed}
	}},
	vitEntry("ti", 16), vitEntry("s", 16), vitEntry("b", 16), vitEntry("b", 32), vitEntry("l", 16), vitEntry("l", 32), vitEntry("h", 14),
	vitEntry("ti", 4), vitEntry("s", 4), // for images of 32×32
	densenet("densenet121", 121), densenet("densenet169", 169), densenet("densenet201", 201),
	vgg("vgg11", 11), vgg("vgg13", 13), vgg("vgg19", 19),
	resnet("resnet18", ResNet{Depth: 18}), resnet("resnet34", ResNet{Depth: 34}), resnet("resnet101", ResNet{Depth: 101}),
	resnet("resnet152", ResNet{Depth: 152}), resnet("resnext50-32x4d", ResNet{Depth: 50, Groups: 32, GroupWidth: 4}),
	resnet("resnext101-32x8d", ResNet{Depth: 101, Groups: 32, GroupWidth: 8}), resnet("wide-resnet50-2", ResNet{Depth: 50, GroupWidth: 128}),
	resnet("wide-resnet101-2", ResNet{Depth: 101, GroupWidth: 128}), resnet("plain18", ResNet{Depth: 18, Plain: true}),
	resnet("plain34", ResNet{Depth: 34, Plain: true}), resnet("plain50", ResNet{Depth: 50, Plain: true}),
	kerasResNet("keras-resnet50", 50, false), kerasResNet("keras-resnet101", 101, false), kerasResNet("keras-resnet152", 152, false),
	kerasResNet("keras-resnet50v2", 50, true), kerasResNet("keras-resnet101v2", 101, true), kerasResNet("keras-resnet152v2", 152, true),
	cifarResNet(20), cifarResNet(32), cifarResNet(44), cifarResNet(56), cifarResNet(110),
	cifarPlain(20), cifarPlain(32), cifarPlain(44), cifarPlain(56), cifarPlain(110),
}

const (
	vggOptions    = "BatchNorm Dropout L2 BatchNormDecay BatchNormEpsilon Head"
	resnetOptions = "NoL2 RescaleInputs BatchNormDecay BatchNormEpsilon Stem Version SymmetricPadding"
)

func vgg(name string, depth int) entry {
	return entry{name, vggOptions, func(c Config) Architecture { return c.vgg(depth) }}
}

func (c Config) vgg(depth int) VGG {
	head := c.Head
	if len(head) == 1 && head[0] == 0 {
		head = []int{}
	}
	return VGG{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed, Depth: depth, Head: head,
		BatchNorm: c.BatchNorm, Dropout: c.Dropout, L2: c.L2, Momentum: c.BatchNormDecay, Epsilon: c.BatchNormEpsilon}
}

func resnet(name string, r ResNet) entry {
	return entry{name, resnetOptions, func(c Config) Architecture { return c.resnet(r) }}
}

// resnet is r with what c says.
func (c Config) resnet(r ResNet) ResNet {
	r.Input, r.Classes, r.Batch, r.DataFormat, r.Seed = c.Input, c.Classes, c.Batch, c.DataFormat, c.Seed
	r.NoL2, r.RescaleInputs, r.BatchNormDecay, r.BatchNormEpsilon = c.NoL2, c.RescaleInputs, c.BatchNormDecay, c.BatchNormEpsilon
	r.Stem, r.Version, r.SymmetricPadding = c.Stem, c.Version, c.SymmetricPadding
	return r
}

func densenet(name string, depth int) entry {
	return entry{name, "", func(c Config) Architecture {
		return DenseNet{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed, Depth: depth}
	}}
}

func mobileNetV3(name string, large, minimalistic bool) entry {
	return entry{name, "Dropout", func(c Config) Architecture {
		return MobileNetV3{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed, Large: large,
			Minimalistic: minimalistic, Dropout: c.Dropout}
	}}
}

func convNeXtEntry(variant string) entry {
	return entry{"convnext-" + variant, "", func(c Config) Architecture {
		return ConvNeXt{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed, Variant: variant}
	}}
}

func nasNetEntry(name string, large bool) entry {
	return entry{name, "", func(c Config) Architecture {
		return NASNet{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed, Large: large}
	}}
}

func efficientNet(variant string) entry {
	return entry{"efficientnet" + variant, "Dropout RescaleInputs", func(c Config) Architecture {
		return EfficientNet{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed, Variant: variant,
			Dropout: c.Dropout, ImageNet: c.RescaleInputs}
	}}
}

func efficientNetV2(variant string) entry {
	return entry{"efficientnetv2-" + variant, "Dropout", func(c Config) Architecture {
		return EfficientNetV2{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed, Variant: variant, Dropout: c.Dropout}
	}}
}

func kerasResNet(name string, depth int, v2 bool) entry {
	return entry{name, "", func(c Config) Architecture {
		return KerasResNet{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed, Depth: depth, V2: v2}
	}}
}

// Names lists the architectures that ByName knows.
func Names() []string {
	names := make([]string, len(registry))
	for i, e := range registry {
		names[i] = e.name
	}
	return names
}

// OptionError says that an architecture does not have an option, for programs that call options otherwise than Config does.
type OptionError struct {
	Arch    string   // name of the architecture
	Option  string   // the field of Config that was set
	Options []string // the fields that the architecture has beyond the common ones
}

// Error is one line with Config's names.
func (e *OptionError) Error() string {
	return fmt.Sprintf("architecture %q has no option %s", e.Arch, e.Option)
}

// ByName configures the architecture of that name. An unknown name, an option that the architecture does not have, or a value that the
// option does not have, is an *nn.Error of kind nn.ErrArgument; that about an option wraps an *OptionError.
func ByName(name string, c Config) (Architecture, error) {
	for _, e := range registry {
		if e.name != name {
			continue
		}
		for _, o := range c.set() {
			if !strings.Contains(" "+e.options+" ", " "+o+" ") {
				remedy := "leave it out"
				if e.options != "" {
					remedy += "; its options are " + strings.Join(strings.Fields(e.options), ", ")
				}
				wrong := &OptionError{Arch: name, Option: o, Options: strings.Fields(e.options)}
				return nil, &nn.Error{Kind: nn.ErrArgument, Problem: wrong.Error(), Remedy: remedy, Cause: wrong}
			}
		}
		if err := c.checkNames(); err != nil {
			return nil, err
		}
		return e.make(c), nil
	}
	return nil, &nn.Error{Kind: nn.ErrArgument, Problem: fmt.Sprintf("unknown architecture %q%s", name, suggest.Phrase(name, Names())),
		Remedy: "the architectures are " + inLines(Names())}
}

// checkNames refuses options whose value is none of those that they have.
func (c Config) checkNames() error {
	for _, o := range []struct {
		what, name string
		known      []string
	}{
		{"stem", string(c.Stem), []string{string(ImageNetStem), string(CIFARStem)}},
		{"version", string(c.Version), []string{string(ResNetV1), string(ResNetV15), string(ResNetV2)}},
		{"kind of shortcuts", c.Shortcuts, []string{ShortcutA, ShortcutB}},
	} {
		if o.name != "" && !slices.Contains(o.known, o.name) {
			return &nn.Error{Kind: nn.ErrArgument, Problem: fmt.Sprintf("there is no %s %q%s", o.what, o.name, suggest.Phrase(o.name, o.known)),
				Remedy: "use " + strings.Join(o.known, " or ")}
		}
	}
	return nil
}

// inLines joins names in lines of some hundred characters, which are indented as those of errors are.
func inLines(names []string) string {
	var b strings.Builder
	width := 0
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		if width += len(name) + 2; width > 100 {
			b.WriteString("\n    ")
			width = len(name) + 2
		}
		b.WriteString(name)
	}
	return strings.ReplaceAll(b.String(), " \n", "\n")
}

// set names the options beyond the common ones that are not zero.
func (c Config) set() []string {
	var out []string
	for _, o := range []struct {
		name string
		on   bool
	}{{"BatchNorm", c.BatchNorm}, {"Dropout", c.Dropout != 0}, {"L2", c.L2 != 0}, {"NoL2", c.NoL2},
		{"RescaleInputs", c.RescaleInputs}, {"BatchNormDecay", c.BatchNormDecay != 0}, {"BatchNormEpsilon", c.BatchNormEpsilon != 0},
		{"Stem", c.Stem != ""}, {"Version", c.Version != ""}, {"Shortcuts", c.Shortcuts != ""}, {"SymmetricPadding", c.SymmetricPadding}, {"Head", len(c.Head) > 0}} {
		if o.on {
			out = append(out, o.name)
		}
	}
	return out
}
