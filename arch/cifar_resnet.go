package arch

import (
	"cmp"
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// Shortcuts of [CIFARResNet] where the number of channels doubles.
const (
	// ShortcutA takes every second pixel and adds channels of zeros, half of them before the others and half behind: the
	// paper's option A, without parameters. Where the zeros are is not said there; this is where the common PyTorch
	// implementation has them.
	ShortcutA = "A"
	// ShortcutB is a 1×1 convolution of stride 2 and a batch normalization: the paper's option B.
	ShortcutB = "B"
)

// CIFARResNet is the family of small residual networks in section 4.2 of He et al., "Deep Residual Learning for Image
// Recognition" (2015): a 3×3 convolution, three stages of (Depth-2)/6 blocks of two 3×3 convolutions with 16, 32 and
// 64 filters, global average pooling, and a dense layer. Convolutions have no bias; those of stride 2 pad by one on each
// side, as the paper's and PyTorch's do, unlike Keras's "same". Trainable parameters with 10 classes and option A:
// 269,722 (20 layers), 464,154 (32), 658,586 (44), 853,018 (56), 1,727,962 (110).
//
// Layers are called as in [ResNet50]: conv1, bn_conv1, res2a_branch2a, bn2a_branch2a, …, fc10; of shortcut B
// res3a_branch1 and bn3a_branch1.
type CIFARResNet struct {
	Input      nn.Shape      // rows, columns, channels; 32×32×3 by default
	Classes    int           // 100 by default, as everywhere here; the paper's networks have 10
	Batch      int           // shown in summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsFirst puts a Permute behind the input
	Seed       uint64        // of Build's weights

	Depth            int     // layers with weights on the way through the blocks: 6n+2; 0 means 20
	Shortcuts        string  // ShortcutA by default
	NoL2             bool    // no L2 penalty of λ = 0.5e-4 on kernels, which is the paper's weight decay of 1e-4
	BatchNormDecay   float64 // momentum of the running averages; 0 means 0.9
	BatchNormEpsilon float64 // 0 means 1e-5

	// Of experiments on how gradients flow, such as those of command "stheno gradients".
	Plain             bool           // without shortcuts: the paper's plain networks
	NoBatchNorm       bool           // without normalization; convolutions have a bias then
	KernelInitializer nn.Initializer // of all kernels; He normal by default

	Name string // of the model; "resnet20-cifar", "plain20-cifar" and so on by default
}

// cifarL2 is half of the paper's weight decay: Keras's L2 penalty has no factor ½.
const cifarL2 nn.L2 = 0.5e-4

// Model implements [Architecture].
func (c CIFARResNet) Model() (*nn.Model, error) {
	depth := cmp.Or(c.Depth, 20)
	kind := "resnet"
	if c.Plain {
		kind = "plain"
	}
	name := cmp.Or(c.Name, fmt.Sprintf("%s%d-cifar", kind, depth))
	wrong := func(remedy, format string, args ...any) (*nn.Model, error) {
		return nil, &nn.Error{Kind: nn.ErrArgument, Class: "CIFARResNet", Layer: name, Problem: fmt.Sprintf(format, args...), Remedy: remedy}
	}
	if depth < 8 || depth%6 != 2 {
		return wrong("the paper has 20, 32, 44, 56 and 110", "Depth must be 6n+2 for some n from 1, is %d", depth)
	}
	if c.Shortcuts != "" && c.Shortcuts != ShortcutA && c.Shortcuts != ShortcutB {
		return wrong(`use "A" (zeros) or "B" (convolutions)`, "there are no shortcuts %q", c.Shortcuts)
	}
	b, input := start(name, c.DataFormat, c.Input, c.Batch)
	r := cifarBlocks{Builder: b, CIFARResNet: c}
	x := permuted(b, input)
	x = r.relu(r.norm(r.conv(x, 16, nn.K(3), 1, "conv1"), "bn_conv1"))
	for stage, filters := range []int{16, 32, 64} {
		for block := range (depth - 2) / 6 {
			label := fmt.Sprintf("%d%s", stage+2, blockLabel(block))
			stride := 1
			if stage > 0 && block == 0 {
				stride = 2
			}
			x = r.block(x, filters, stride, label)
		}
	}
	x = b.Add(nn.GlobalAveragePooling2D{}, x)
	x = b.Add(nn.Dense{Units: cmp.Or(c.Classes, defaultClasses), KernelInitializer: r.initializer(), KernelRegularizer: r.l2(), Name: "fc10"}, x)
	x = b.Add(nn.Activation{Func: nn.Softmax}, x)
	return b.Model(input, x)
}

// Build implements [Architecture].
func (c CIFARResNet) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}

// cifarBlocks adds the family's blocks to a builder.
type cifarBlocks struct {
	*nn.Builder
	CIFARResNet
}

func (r cifarBlocks) l2() nn.L2 {
	if r.NoL2 {
		return 0
	}
	return cifarL2
}

// conv pads by half the kernel on each side.
func (r cifarBlocks) conv(x *nn.Tensor, filters int, kernel [2]int, stride int, name string) *nn.Tensor {
	padding := nn.Same
	if stride > 1 && kernel[0] > 1 { // where Keras's "same" would put all of it below and to the right
		x = r.Add(nn.ZeroPadding2D{Padding: nn.Border(kernel[0] / 2), Name: name + "_pad"}, x)
		padding = nn.Valid
	}
	return r.Add(nn.Conv2D{Filters: filters, Kernel: kernel, Strides: nn.K(stride), Padding: padding, NoBias: !r.NoBatchNorm,
		KernelInitializer: r.initializer(), KernelRegularizer: r.l2(), Name: name}, x)
}

func (r cifarBlocks) initializer() nn.Initializer {
	if r.KernelInitializer != nil {
		return r.KernelInitializer
	}
	return nn.HeNormal{}
}

func (r cifarBlocks) norm(x *nn.Tensor, name string) *nn.Tensor {
	if r.NoBatchNorm {
		return x
	}
	return r.Add(nn.BatchNormalization{Momentum: cmp.Or(r.BatchNormDecay, 0.9), Epsilon: cmp.Or(r.BatchNormEpsilon, 1e-5), Name: name}, x)
}

func (r cifarBlocks) relu(x *nn.Tensor) *nn.Tensor { return r.Add(nn.Activation{Func: nn.ReLU}, x) }

// block is two convolutions and a shortcut around them.
func (r cifarBlocks) block(input *nn.Tensor, filters, stride int, label string) *nn.Tensor {
	conv, bn := "res"+label+"_branch2", "bn"+label+"_branch2"
	x := r.relu(r.norm(r.conv(input, filters, nn.K(3), stride, conv+"a"), bn+"a"))
	x = r.norm(r.conv(x, filters, nn.K(3), 1, conv+"b"), bn+"b")
	if r.Plain {
		return r.relu(x)
	}
	shortcut := input
	switch {
	case stride == 1:
	case r.Shortcuts == ShortcutB:
		shortcut = r.norm(r.conv(input, filters, nn.K(1), stride, "res"+label+"_branch1"), "bn"+label+"_branch1")
	default: // a mean of one pixel is that pixel
		shortcut = r.Add(nn.AveragePooling2D{Pool: nn.K(1), Strides: nn.K(stride), Name: "res" + label + "_branch1_pool"}, shortcut)
		zeros := filters / 2 // the number of channels doubles
		shortcut = r.Add(nn.ChannelPadding{Before: zeros / 2, After: zeros - zeros/2, Name: "res" + label + "_branch1_pad"}, shortcut)
	}
	return r.relu(r.Add(nn.Add{}, x, shortcut))
}

// cifarResNet is the registry's row of a depth.
func cifarResNet(depth int) entry {
	return entry{fmt.Sprintf("resnet%d-cifar", depth), "Shortcuts NoL2 BatchNormDecay BatchNormEpsilon", func(c Config) Architecture {
		return CIFARResNet{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed, Depth: depth,
			Shortcuts: c.Shortcuts, NoL2: c.NoL2, BatchNormDecay: c.BatchNormDecay, BatchNormEpsilon: c.BatchNormEpsilon}
	}}
}

// cifarPlain is the registry's row of a network without shortcuts.
func cifarPlain(depth int) entry {
	return entry{fmt.Sprintf("plain%d-cifar", depth), "NoL2 BatchNormDecay BatchNormEpsilon", func(c Config) Architecture {
		return CIFARResNet{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed, Depth: depth,
			NoL2: c.NoL2, BatchNormDecay: c.BatchNormDecay, BatchNormEpsilon: c.BatchNormEpsilon, Plain: true}
	}}
}
