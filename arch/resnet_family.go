package arch

import (
	"cmp"
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// ResNetVersion is where a residual block has its stride and its normalizations. The zero value is ResNetV15.
type ResNetVersion string

const (
	// ResNetV15 strides in the 3×3 convolution, as TensorFlow's official models and torchvision do.
	ResNetV15 ResNetVersion = "v1.5"
	// ResNetV1 strides in the first 1×1 convolution, as the paper of 2015 and keras.applications do. Of depths 18 and 34,
	// whose blocks have none, it is the same as ResNetV15.
	ResNetV1 ResNetVersion = "v1"
	// ResNetV2 normalizes before each convolution and leaves the sum as it is: He et al., "Identity Mappings in Deep
	// Residual Networks" (2016).
	ResNetV2 ResNetVersion = "v2"
)

// Stem is what a residual network does before its first block. The zero value is ImageNetStem.
type Stem string

const (
	// ImageNetStem is a 7×7 convolution and a 3×3 maximum pooling, both with stride 2.
	ImageNetStem Stem = "imagenet"
	// CIFARStem is a 3×3 convolution with stride 1, which leaves small images their size.
	CIFARStem Stem = "cifar"
)

// ResNet is the family of He et al., "Deep Residual Learning for Image Recognition" (2015), with names, initializers and
// regularizers of TensorFlow's official models; [ResNet50] is its member of that depth. With Groups and GroupWidth it is
// ResNeXt (Xie et al. 2017; 32 and 4 for ResNeXt-50 32×4d) and Wide ResNet (Zagoruyko and Komodakis 2016; GroupWidth
// 128 for torchvision's wide_resnet50_2). Numbers of trainable parameters are torchvision's for 1000 classes, but for
// ResNetV2, which normalizes other tensors.
//
// Layers are called as in [ResNet50]: res2a_branch2a, bn2a_branch2a and so on, res2a_branch1 for the convolution of a
// shortcut.
type ResNet struct {
	Input      nn.Shape      // rows, columns, channels; 32×32×3 by default
	Classes    int           // 100 by default
	Batch      int           // shown in summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsFirst puts a Permute behind the input
	Seed       uint64        // of Build's weights

	Depth      int           // 18, 34, 50, 101 or 152; 0 means 50
	Version    ResNetVersion // ResNetV15 by default
	Stem       Stem          // ImageNetStem by default
	Groups     int           // groups of the 3×3 convolutions, of depth 50 and more; 0 means 1
	GroupWidth int           // channels a group in the first stage; 0 means 64
	// SymmetricPadding puts zeros on all four sides where a 3×3 window has stride 2, as the paper's networks and PyTorch's do,
	// and not below and to the right, as Keras's "same" does: for weights that were trained so.
	SymmetricPadding bool
	Plain            bool // without shortcuts: the same layers in a row, to see what shortcuts are good for

	NoL2             bool    // no λ = 1e-4 on kernels and on the last layer's bias
	RescaleInputs    bool    // inputs of 0…1 become ×255 minus ImageNet's RGB means; needs 3 channels
	BatchNormDecay   float64 // momentum of the running averages; 0 means 0.9
	BatchNormEpsilon float64 // 0 means 1e-5
	Name             string  // of the model; "resnet50" and so on by default
}

// resnetL2 is the reference's l2_weight_decay.
const resnetL2 nn.L2 = 1e-4

// resnetBlocks is the paper's table 1: the number of blocks of each stage.
var resnetBlocks = map[int][4]int{18: {2, 2, 2, 2}, 34: {3, 4, 6, 3}, 50: {3, 4, 6, 3}, 101: {3, 4, 23, 3}, 152: {3, 8, 36, 3}}

// Model implements [Architecture].
func (c ResNet) Model() (*nn.Model, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	depth := cmp.Or(c.Depth, 50)
	b, input := start(cmp.Or(c.Name, c.defaultName()), c.DataFormat, c.Input, c.Batch)
	r := residual{Builder: b, ResNet: c, l2: resnetL2, bottleneck: depth >= 50}
	if c.NoL2 {
		r.l2 = 0
	}
	x := input
	if c.RescaleInputs {
		means := ChannelMeans()
		x = b.Add(nn.Rescale{Scale: 255, Shift: []float64{-means[0], -means[1], -means[2]}, Name: "rescale"}, x)
	}
	x = r.stem(permuted(b, x))
	for i, blocks := range resnetBlocks[depth] {
		for j := range blocks {
			strides := 1
			if i > 0 && j == 0 {
				strides = 2
			}
			x = r.block(x, i, fmt.Sprintf("%d%s", i+2, blockLabel(j)), nn.K(strides), j == 0)
		}
	}
	if c.Version == ResNetV2 {
		x = r.relu(r.norm(x, "post_bn"))
	}
	x = b.Add(nn.GlobalAveragePooling2D{}, x)
	x = b.Add(nn.Dense{Units: cmp.Or(c.Classes, defaultClasses), KernelInitializer: nn.RandomNormal{Stddev: 0.01},
		KernelRegularizer: r.l2, BiasRegularizer: r.l2, Name: "fc1000"}, x)
	x = b.Add(nn.Activation{Func: nn.Softmax}, x)
	return b.Model(input, x)
}

// check refuses what no network of the family is.
func (c ResNet) check() error {
	depth := cmp.Or(c.Depth, 50)
	wrong := func(remedy, format string, args ...any) error {
		return &nn.Error{Kind: nn.ErrArgument, Class: "ResNet", Layer: c.Name, Problem: fmt.Sprintf(format, args...), Remedy: remedy}
	}
	switch {
	case resnetBlocks[depth] == [4]int{}:
		return wrong("use 18, 34, 50, 101 or 152", "the paper has no network of %d layers", depth)
	case c.Groups < 0 || c.GroupWidth < 0:
		return wrong("use 0 for the default", "Groups and GroupWidth must not be negative, are %d and %d", c.Groups, c.GroupWidth)
	case depth < 50 && (c.Groups > 1 || c.GroupWidth != 0 && c.GroupWidth != 64):
		return wrong("use a Depth of 50 or more", "blocks of depth %d have neither Groups nor GroupWidth", depth)
	case c.Version != "" && c.Version != ResNetV1 && c.Version != ResNetV15 && c.Version != ResNetV2:
		return wrong("use ResNetV1, ResNetV15 or ResNetV2", "there is no version %q", string(c.Version))
	case c.Stem != "" && c.Stem != ImageNetStem && c.Stem != CIFARStem:
		return wrong("use ImageNetStem or CIFARStem", "there is no stem %q", string(c.Stem))
	}
	return nil
}

func (c ResNet) defaultName() string {
	name := fmt.Sprintf("resnet%d", cmp.Or(c.Depth, 50))
	switch {
	case c.Plain:
		name = fmt.Sprintf("plain%d", cmp.Or(c.Depth, 50))
	case c.Groups > 1:
		name = fmt.Sprintf("resnext%d_%dx%dd", cmp.Or(c.Depth, 50), c.Groups, cmp.Or(c.GroupWidth, 64))
	case cmp.Or(c.GroupWidth, 64) != 64:
		name = fmt.Sprintf("wide_resnet%d", cmp.Or(c.Depth, 50))
	}
	if c.Version == ResNetV2 {
		name += "v2"
	}
	return name
}

// blockLabel is the letter of a block: a, b, … z, and z1, z2, … where deep networks need more than there are.
func blockLabel(j int) string {
	if j < 26 {
		return string(rune('a' + j))
	}
	return fmt.Sprintf("z%d", j-25)
}

// Build implements [Architecture].
func (c ResNet) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}

// residual adds the blocks of residual networks to a builder.
type residual struct {
	*nn.Builder
	ResNet
	l2         nn.L2
	bottleneck bool
}

func (r residual) conv(x *nn.Tensor, filters int, kernel, strides [2]int, padding nn.Padding, groups int, name string) *nn.Tensor {
	if r.SymmetricPadding && padding == nn.Same && strides[0] > 1 {
		x = r.Add(nn.ZeroPadding2D{Padding: nn.Border(kernel[0] / 2), Name: name + "_pad"}, x)
		padding = nn.Valid
	}
	return r.Add(nn.Conv2D{Filters: filters, Kernel: kernel, Strides: strides, Padding: padding, Groups: groups, NoBias: true,
		KernelInitializer: nn.HeNormal{}, KernelRegularizer: r.l2, Name: name}, x)
}

func (r residual) norm(x *nn.Tensor, name string) *nn.Tensor {
	return r.Add(nn.BatchNormalization{Momentum: cmp.Or(r.BatchNormDecay, 0.9), Epsilon: cmp.Or(r.BatchNormEpsilon, 1e-5), Name: name}, x)
}

func (r residual) relu(x *nn.Tensor) *nn.Tensor { return r.Add(nn.Activation{Func: nn.ReLU}, x) }

func (r residual) stem(x *nn.Tensor) *nn.Tensor {
	preactivated := r.Version == ResNetV2 // the first block normalizes
	if r.Stem == CIFARStem {
		x = r.conv(x, 64, nn.K(3), nn.K(1), nn.Same, 0, "conv1")
	} else {
		x = r.Add(nn.ZeroPadding2D{Padding: nn.Border(3), Name: "conv1_pad"}, x)
		x = r.conv(x, 64, nn.K(7), nn.K(2), nn.Valid, 0, "conv1")
	}
	if !preactivated {
		x = r.relu(r.norm(x, "bn_conv1"))
	}
	if r.Stem == CIFARStem {
		return x
	}
	pool := nn.MaxPooling2D{Pool: nn.K(3), Strides: nn.K(2), Padding: nn.Same}
	if r.SymmetricPadding && !preactivated { // behind a ReLU zeros change no maximum
		x = r.Add(nn.ZeroPadding2D{Padding: nn.Border(1), Name: "pool1_pad"}, x)
		pool.Padding = nn.Valid
	}
	return r.Add(pool, x)
}

// unit is a convolution of a block with its normalization: behind it, or before it in ResNetV2.
type unit struct {
	filters, kernel, groups int
	strides                 [2]int
}

// units are the convolutions of a block of a stage: 1×1, 3×3, 1×1, or two of 3×3.
func (r residual) units(stage int, strides [2]int) []unit {
	planes, one := 64<<stage, nn.K(1)
	if !r.bottleneck {
		return []unit{{planes, 3, 0, strides}, {planes, 3, 0, one}}
	}
	groups := max(r.Groups, 1)
	width := cmp.Or(r.GroupWidth, 64) * groups << stage
	us := []unit{{width, 1, 0, one}, {width, 3, r.Groups, strides}, {4 * planes, 1, 0, one}}
	if r.Version == ResNetV1 {
		us[0].strides, us[1].strides = strides, one
	}
	return us
}

// block is a residual block. The shortcut of the first one of a stage is a 1×1 convolution where the sizes differ, and in
// networks of bottlenecks always.
func (r residual) block(input *nn.Tensor, stage int, label string, strides [2]int, first bool) *nn.Tensor {
	us := r.units(stage, strides)
	pre := r.Version == ResNetV2
	x, shortcut := input, input
	if pre {
		x = r.relu(r.norm(input, "bn"+label+"_branch2a"))
	}
	if first && !r.Plain && (r.bottleneck || stage > 0) {
		from := input
		if pre {
			from = x
		}
		project := func() *nn.Tensor {
			return r.conv(from, us[len(us)-1].filters, nn.K(1), strides, nn.Valid, 0, "res"+label+"_branch1")
		}
		if pre {
			shortcut = project()
		} else {
			// The reference adds the main path first, which is the order of the weights.
			x = r.mainPath(x, us, label, pre)
			shortcut = r.norm(project(), "bn"+label+"_branch1")
			return r.relu(r.Add(nn.Add{}, x, shortcut))
		}
	}
	x = r.mainPath(x, us, label, pre)
	if !r.Plain {
		x = r.Add(nn.Add{}, x, shortcut)
	}
	if pre {
		return x
	}
	return r.relu(x)
}

// mainPath is the convolutions of a block, with everything but the first and the last of its normalizations and ReLUs: these
// stand where the version says.
func (r residual) mainPath(x *nn.Tensor, us []unit, label string, pre bool) *nn.Tensor {
	for i, u := range us {
		letter := string(rune('a' + i))
		if pre && i > 0 {
			x = r.relu(r.norm(x, "bn"+label+"_branch2"+letter))
		}
		padding := nn.Valid
		if u.kernel > 1 {
			padding = nn.Same
		}
		x = r.conv(x, u.filters, nn.K(u.kernel), u.strides, padding, u.groups, "res"+label+"_branch2"+letter)
		if pre {
			continue
		}
		x = r.norm(x, "bn"+label+"_branch2"+letter)
		if i < len(us)-1 {
			x = r.relu(x)
		}
	}
	return x
}
