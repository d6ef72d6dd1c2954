package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/nn"
)

// network is an architecture that is only looked at, as flags describe it.
type network struct {
	arch.Config
	input, layout string
}

func (n *network) flags(f *pflag.FlagSet) {
	f.StringVar(&n.input, "input", "32x32x3", "rows x columns x channels of an image; where these do not fit the network and nothing is said, "+largeInput)
	f.IntVar(&n.Classes, "classes", 100, "number of classes")
	f.StringVar(&n.layout, "data-format", "channels_last", "channels_last, channels_first")
	f.BoolVar(&n.BatchNorm, "batch-norm", false, "vgg: batch normalization after every convolution (plain VGG-16 hardly starts to learn without it)")
	f.Float64Var(&n.Dropout, "dropout", 0, "vgg, alexnet, mobilenet, efficientnet: dropout rate of the last layers; vit: of all blocks (0: the network's own; alexnet's is 0.5, mobilenet's 0.001)")
	architectureFlags(f, &n.Stem, &n.Version, &n.Shortcuts)
	f.IntSliceVar(&n.Head, "head", nil, "vgg: units of the dense layers before the last (default 4096,4096; 0: none)")
	f.BoolVar(&n.SymmetricPadding, "symmetric-padding", false, "resnet, mobilenetv2: windows with stride 2 are padded on all sides, as PyTorch does")
	f.Float64Var(&n.BatchNormEpsilon, "batch-norm-epsilon", 0, "vgg, resnet, mobilenetv2: epsilon of batch normalization (0: the network's own)")
	f.BoolVar(&n.RescaleInputs, "rescale-inputs", false, "resnet: images of 0 to 1 are rescaled to 0 to 255 minus the ImageNet means; efficientnetb0 to b7: with the layer that Keras adds for its ImageNet weights")
}

// architecture is the one of that name with the options of the flags.
func (n *network) architecture(name string) (arch.Architecture, error) {
	shape, err := parseInput(n.input)
	if err != nil {
		return nil, err
	}
	n.Input = shape
	if n.Classes < 1 {
		return nil, fmt.Errorf("--classes wants at least 1, got %d", n.Classes)
	}
	if n.Batch < 0 {
		return nil, fmt.Errorf("--batch wants at least 0, got %d", n.Batch)
	}
	switch n.layout {
	case "channels_last":
	case "channels_first":
		n.DataFormat = nn.ChannelsFirst
	default:
		return nil, fmt.Errorf("unknown data format %q%s; use channels_last or channels_first", n.layout,
			suggest.Phrase(n.layout, []string{"channels_last", "channels_first"}))
	}
	return arch.ByName(name, n.Config)
}

// largeInput is the size of ImageNet's images as networks for them take these.
const largeInput = "224x224x3"

// model is the network of that name: for images of 32×32 where --input says nothing and they fit it, else for ImageNet's.
func (n *network) model(f *pflag.FlagSet, name string) (*nn.Model, error) {
	a, err := n.architecture(name)
	if err != nil {
		return nil, err
	}
	m, err := a.Model()
	if err == nil {
		return m, nil
	}
	large := *n
	large.input = largeInput
	if a, wrong := large.architecture(name); wrong == nil {
		if m, wrong := a.Model(); wrong == nil {
			if f.Changed("input") {
				return nil, fmt.Errorf("%w\n    %s does not take images of --input %s; it takes, for one, --input %s", err, name, n.input, largeInput)
			}
			*n = large
			return m, nil
		}
	}
	return nil, err
}

// architectureFlags are options of residual networks that more than one command takes.
func architectureFlags(f *pflag.FlagSet, stem *arch.Stem, version *arch.ResNetVersion, shortcuts *string) {
	f.StringVar((*string)(stem), "stem", string(*stem), "resnet: imagenet (7x7 convolution with stride 2, pooling, the default) or cifar (3x3 convolution, for small images); alexnet: likewise, by default what the image is large enough for")
	f.StringVar((*string)(version), "resnet-version", string(*version), "resnet: v1, v1.5 (the default) or v2 (pre-activation)")
	f.StringVar(shortcuts, "shortcuts", *shortcuts, "resnet20-cifar and its kin: A (zeros, the default) or B (convolutions)")
}

// oneArchitecture is for commands whose argument is an architecture.
func oneArchitecture(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s wants one architecture:\n%s", cmd.Name(), architectures())
	}
	return nil
}

// oneNetwork is for commands whose argument is an architecture, or a file or run that holds a network.
func oneNetwork(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s wants one architecture, file or run; the architectures are\n%s", cmd.Name(), architectures())
	}
	return nil
}

// parseInput reads "32x32x3".
func parseInput(s string) (nn.Shape, error) {
	parts := strings.Split(strings.ToLower(s), "x")
	shape := make(nn.Shape, 0, 3)
	for _, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("--input %q: want rows x columns x channels, such as 32x32x3", s)
		}
		shape = append(shape, n)
	}
	if len(shape) != 3 {
		return nil, fmt.Errorf("--input %q: want three sizes, such as 32x32x3, got %d", s, len(shape))
	}
	return shape, nil
}
