package arch

import (
	"cmp"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// AlexNet is the network of Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural
// Networks" (2012), the winner of the ImageNet challenge of that year: five convolutions with ReLU, overlapping 3×3
// pooling with stride 2, two dense layers of 4096 units with dropout. 62,378,344 parameters for 227×227×3 and 1000
// classes; with two Towers, as the paper has them, 60,965,224; the OneWeirdTrick form, which torchvision calls alexnet,
// has 61,100,840.
//
// Layers are called as in Caffe: conv1, relu1, norm1, pool1, …, fc6, fc7, fc8.
type AlexNet struct {
	Input      nn.Shape      // rows, columns, channels; 32×32×3 by default, the paper has 227×227×3
	Classes    int           // 100 by default, the paper has 1000
	Batch      int           // shown in summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsFirst puts a Permute behind the input
	Seed       uint64        // of Build's weights and dropout

	// Stem is CIFARStem for images of less than 67 rows or columns, on which the paper's 11×11 convolution with stride 4
	// leaves nothing: a 5×5 one with stride 1. By default the size decides.
	Stem Stem
	// Towers is the number of groups of convolutions 2, 4 and 5: 2 in the paper, one for each of its two GPUs. 0 means 1.
	Towers int
	// OneWeirdTrick is the form of Krizhevsky's "One weird trick for parallelizing convolutional neural networks" (2014):
	// 64, 192, 384, 256 and 256 filters, two pixels of padding around the image.
	OneWeirdTrick bool
	// Normalization puts the paper's local response normalization behind the first two convolutions.
	Normalization bool
	Dropout       float64 // rate before the dense layers; 0 means the paper's 0.5, below 0 none
	L2            nn.L2   // regularizer of all kernels; 0 means none, the paper has 2.5e-4 (half of its decay 5e-4)
	Name          string  // of the model; "alexnet" by default
}

// Model implements [Architecture].
func (c AlexNet) Model() (*nn.Model, error) {
	input := inputOr(c.Input)
	b, in := start(cmp.Or(c.Name, "alexnet"), c.DataFormat, input, c.Batch)
	filters := [5]int{96, 256, 384, 384, 256}
	if c.OneWeirdTrick {
		filters = [5]int{64, 192, 384, 256, 256}
	}
	a := alexNet{Builder: b, AlexNet: c}
	x := a.stem(permuted(b, in), filters[0], len(input) == 3 && min(input[0], input[1]) < 67)
	x = a.pool(a.norm(x, "norm1"), "pool1")
	x = a.conv(x, filters[1], 5, c.Towers, "2")
	x = a.pool(a.norm(x, "norm2"), "pool2")
	x = a.conv(x, filters[2], 3, 0, "3")
	x = a.conv(x, filters[3], 3, c.Towers, "4")
	x = a.conv(x, filters[4], 3, c.Towers, "5")
	x = b.Add(nn.Flatten{Name: "flatten"}, a.pool(x, "pool5"))
	for _, name := range []string{"6", "7"} {
		if !(c.Dropout < 0) { // NaN is for the layer to refuse
			x = b.Add(nn.Dropout{Rate: cmp.Or(c.Dropout, 0.5), Name: "drop" + name}, x)
		}
		x = b.Add(nn.Dense{Units: 4096, Activation: nn.ReLU, KernelRegularizer: c.L2, Name: "fc" + name}, x)
	}
	x = b.Add(nn.Dense{Units: cmp.Or(c.Classes, defaultClasses), Activation: nn.Softmax, KernelRegularizer: c.L2, Name: "fc8"}, x)
	return b.Model(in, x)
}

// Build implements [Architecture].
func (c AlexNet) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}

// alexNet adds the layers of an AlexNet.
type alexNet struct {
	*nn.Builder
	AlexNet
}

func (a alexNet) stem(x *nn.Tensor, filters int, small bool) *nn.Tensor {
	if a.Stem == CIFARStem || a.Stem == "" && small {
		return a.conv(x, filters, 5, 0, "1")
	}
	if a.OneWeirdTrick {
		x = a.Add(nn.ZeroPadding2D{Padding: nn.Border(2), Name: "conv1_pad"}, x)
	}
	x = a.Add(nn.Conv2D{Filters: filters, Kernel: nn.K(11), Strides: nn.K(4), KernelRegularizer: a.L2, Name: "conv1"}, x)
	return a.Add(nn.Activation{Func: nn.ReLU, Name: "relu1"}, x)
}

func (a alexNet) conv(x *nn.Tensor, filters, kernel, groups int, number string) *nn.Tensor {
	x = a.Add(nn.Conv2D{Filters: filters, Kernel: nn.K(kernel), Padding: nn.Same, Groups: groups, KernelRegularizer: a.L2, Name: "conv" + number}, x)
	return a.Add(nn.Activation{Func: nn.ReLU, Name: "relu" + number}, x)
}

func (a alexNet) pool(x *nn.Tensor, name string) *nn.Tensor {
	return a.Add(nn.MaxPooling2D{Pool: nn.K(3), Strides: nn.K(2), Name: name}, x)
}

// norm is the paper's response normalization: section 3.3, with its numbers.
func (a alexNet) norm(x *nn.Tensor, name string) *nn.Tensor {
	if !a.Normalization {
		return x
	}
	return a.Add(nn.LocalResponseNormalization{DepthRadius: 2, Bias: 2, Alpha: 1e-4, Beta: 0.75, Name: name}, x)
}
