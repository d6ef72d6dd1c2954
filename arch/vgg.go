package arch

import (
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

// Model implements [Architecture].
func (c VGG16) Model() (*nn.Model, error) { return c.family().Model() }

// family is the configuration of this network in its family.
func (c VGG16) family() VGG {
	return VGG{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed, Depth: 16, Head: c.Head,
		BatchNorm: c.BatchNorm, Dropout: c.Dropout, L2: c.L2, KernelInitializer: c.KernelInitializer, Name: c.Name}
}

// Build implements [Architecture].
func (c VGG16) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}
