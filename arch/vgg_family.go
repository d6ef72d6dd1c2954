package arch

import (
	"cmp"
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// VGG is the family of Simonyan and Zisserman (2014): its configurations A, B, D and E of 11, 13, 16 and 19 layers with
// weights. [VGG16] is its member of that depth, where the meaning of the fields is told. 143,667,240 parameters for VGG-19
// with 224×224×3 and 1000 classes, as keras.applications and torchvision have.
type VGG struct {
	Input      nn.Shape      // rows, columns, channels, at least 32×32; 32×32×3 by default
	Classes    int           // 100 by default
	Batch      int           // fixed batch size for summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsLast by default
	Seed       uint64        // of Build's weights and dropout

	Depth     int     // 11, 13, 16 or 19; 0 means 16
	Head      []int   // units of the dense layers before the last; nil means 4096, 4096
	BatchNorm bool    // a normalization behind each convolution
	Momentum  float64 // of the normalizations' running averages; 0 means Keras's 0.99, PyTorch's 0.1 is 0.9 here
	Epsilon   float64 // of the normalizations; 0 means Keras's 1e-3, PyTorch's networks have 1e-5
	Dropout   float64 // rate behind each dense layer of the head; 0 means none
	L2        nn.L2   // regularizer of all kernels; 0 means none

	KernelInitializer nn.Initializer // of convolutions; nil means Keras's glorot_uniform
	Name              string         // of the model; "VGG-16" and so on by default
}

// vggConvolutions is the paper's table 1: the number of convolutions of each block.
var vggConvolutions = map[int][5]int{11: {1, 1, 2, 2, 2}, 13: {2, 2, 2, 2, 2}, 16: {2, 2, 3, 3, 3}, 19: {2, 2, 4, 4, 4}}

// Model implements [Architecture].
func (c VGG) Model() (*nn.Model, error) {
	depth := cmp.Or(c.Depth, 16)
	name := cmp.Or(c.Name, fmt.Sprintf("VGG-%d", depth))
	blocks, ok := vggConvolutions[depth]
	if !ok {
		return nil, &nn.Error{Kind: nn.ErrArgument, Class: "VGG", Layer: name,
			Problem: fmt.Sprintf("the paper has no network of %d layers", depth), Remedy: "use 11, 13, 16 or 19"}
	}
	b, input := start(name, c.DataFormat, c.Input, c.Batch)
	x := permuted(b, input)
	for i, convolutions := range blocks {
		for j := range convolutions {
			x = c.convolution(b, x, fmt.Sprintf("block%d_conv%d", i+1, j+1), min(64<<i, 512))
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

func (c VGG) convolution(b *nn.Builder, x *nn.Tensor, name string, filters int) *nn.Tensor {
	conv := nn.Conv2D{Filters: filters, Kernel: nn.K(3), Padding: nn.Same, Activation: nn.ReLU,
		KernelInitializer: c.KernelInitializer, KernelRegularizer: c.L2, Name: name}
	if !c.BatchNorm {
		return b.Add(conv, x)
	}
	conv.Activation = nn.Linear
	x = b.Add(conv, x)
	x = b.Add(nn.BatchNormalization{Momentum: c.Momentum, Epsilon: c.Epsilon, Name: name + "_bn"}, x)
	return b.Add(nn.Activation{Func: nn.ReLU, Name: name + "_relu"}, x)
}

// Build implements [Architecture].
func (c VGG) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}
