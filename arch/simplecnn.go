package arch

import (
	"cmp"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// SimpleCNN is the small convolutional network of the Keras tutorial that the project started from: two 3×3 convolutions of 16 and 32 filters, each
// with ReLU and 2×2 maximum pooling, then dense layers of 256 and Classes units. 325,956 parameters for 32×32×3 and 100
// classes. Padding is valid, weights are initialized with glorot_uniform.
type SimpleCNN struct {
	Input      nn.Shape      // rows, columns, channels; 32×32×3 by default
	Classes    int           // 100 by default
	Batch      int           // fixed batch size for summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsLast by default
	Seed       uint64        // of Build's weights
	Name       string        // of the model; "model" by default, Keras's own default
}

// Model implements [Architecture].
func (c SimpleCNN) Model() (*nn.Model, error) {
	b, input := start(c.Name, c.DataFormat, c.Input, c.Batch)
	x := permuted(b, input)
	x = b.Add(nn.Conv2D{Filters: 16, Kernel: nn.K(3), Activation: nn.ReLU}, x)
	x = b.Add(nn.MaxPooling2D{}, x)
	x = b.Add(nn.Conv2D{Filters: 32, Kernel: nn.K(3), Activation: nn.ReLU}, x)
	x = b.Add(nn.MaxPooling2D{}, x)
	x = b.Add(nn.Flatten{}, x)
	x = b.Add(nn.Dense{Units: 256, Activation: nn.ReLU}, x)
	x = b.Add(nn.Dense{Units: cmp.Or(c.Classes, defaultClasses), Activation: nn.Softmax}, x)
	return b.Model(input, x)
}

// Build implements [Architecture].
func (c SimpleCNN) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}
