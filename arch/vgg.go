package arch

import (
	"cmp"
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// VGG16 is configuration D of Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
// Recognition" (2014): five blocks of 3×3 convolutions with 2×2 maximum pooling between, and a head of dense layers.
// Layers are called as in Keras (block1_conv1, block1_pool, fc1, predictions). 34,006,948 parameters for 32×32×3 and 100
// classes, 138,357,544 for 224×224×3 and 1000.
//
// The plain network hardly starts to learn on small images; BatchNorm puts a normalization behind each convolution
// (which keeps its bias, as in torchvision's vgg16_bn).
type VGG16 struct {
	Input      nn.Shape      // rows, columns, channels, at least 32×32; 32×32×3 by default
	Classes    int           // 100 by default
	Batch      int           // fixed batch size for summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsLast by default
	Seed       uint64        // of Build's weights and dropout

	Head      []int   // units of the dense layers before the last; nil means 4096, 4096
	BatchNorm bool    // convolution, batch normalization (block1_conv1_bn), ReLU (block1_conv1_relu)
	Dropout   float64 // rate behind each dense layer of the head (fc1_dropout); 0 means none, the paper has 0.5
	L2        nn.L2   // regularizer of all kernels; 0 means none, the paper has 2.5e-4 (half of its decay 5e-4)

	KernelInitializer nn.Initializer // of convolutions; nil means Keras's glorot_uniform
	Name              string         // of the model; "VGG-16" by default, as in the reference
}

// vggD is the table's column D: convolutions of each block and their filters.
var vggD = []struct{ convolutions, filters int }{{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}}

// Model implements [Architecture].
func (c VGG16) Model() (*nn.Model, error) {
	name := c.Name
	if name == "" {
		name = "VGG-16"
	}
	b, input := start(name, c.DataFormat, c.Input, c.Batch)
	x := permuted(b, input)
	for i, block := range vggD {
		for j := range block.convolutions {
			x = c.convolution(b, x, fmt.Sprintf("block%d_conv%d", i+1, j+1), block.filters)
		}
		x = b.Add(nn.MaxPooling2D{Pool: nn.K(2), Strides: nn.K(2), Name: fmt.Sprintf("block%d_pool", i+1)}, x)
	}
	x = b.Add(nn.Flatten{Name: "flatten"}, x)
	head := c.Head
	if head == nil {
		head = []int{4096, 4096}
	}
	for i, units := range head {
		name := fmt.Sprintf("fc%d", i+1)
		x = b.Add(nn.Dense{Units: units, Activation: nn.ReLU, KernelRegularizer: c.L2, Name: name}, x)
		if c.Dropout != 0 {
			x = b.Add(nn.Dropout{Rate: c.Dropout, Name: name + "_dropout"}, x)
		}
	}
	x = b.Add(nn.Dense{Units: cmp.Or(c.Classes, defaultClasses), Activation: nn.Softmax, KernelRegularizer: c.L2, Name: "predictions"}, x)
	return b.Model(input, x)
}

func (c VGG16) convolution(b *nn.Builder, x *nn.Tensor, name string, filters int) *nn.Tensor {
	conv := nn.Conv2D{Filters: filters, Kernel: nn.K(3), Padding: nn.Same, Activation: nn.ReLU,
		KernelInitializer: c.KernelInitializer, KernelRegularizer: c.L2, Name: name}
	if !c.BatchNorm {
		return b.Add(conv, x)
	}
	conv.Activation = nn.Linear
	x = b.Add(conv, x)
	x = b.Add(nn.BatchNormalization{Name: name + "_bn"}, x)
	return b.Add(nn.Activation{Func: nn.ReLU, Name: name + "_relu"}, x)
}

// Build implements [Architecture].
func (c VGG16) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}
