package arch

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// ResNet50 is the 50-layer network of He et al., "Deep Residual Learning for Image Recognition" (2015), in the form of
// TensorFlow's official models: stride 2 sits on the 3×3 convolution of a block ("v1.5"),
// convolutions have no bias and he_normal kernels, names are res2a_branch2a, bn2a_branch2a, fc1000, …. 23,766,052
// parameters for 32×32×3 and 100 classes, 25,610,152 for 224×224×3 and 1000.
type ResNet50 struct {
	Input      nn.Shape      // rows, columns, channels; 32×32×3 by default
	Classes    int           // num_classes; 100 by default
	Batch      int           // batch_size, shown in summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsFirst puts a Permute behind the input
	Seed       uint64        // of Build's weights

	NoL2             bool    // use_l2_regularizer=False: no λ = 1e-4 on kernels and on the last layer's bias
	RescaleInputs    bool    // rescale_inputs: inputs of 0…1 become ×255 minus ImageNet's RGB means; needs 3 channels
	BatchNormDecay   float64 // batch_norm_decay, the momentum of the running averages; 0 means 0.9
	BatchNormEpsilon float64 // batch_norm_epsilon; 0 means 1e-5
	Name             string  // of the model; "resnet50" by default
}

// ChannelMeans are the means of ImageNet's training images, red, green, blue, in 0…255: TensorFlow's
// imagenet_preprocessing.CHANNEL_MEANS.
func ChannelMeans() [3]float64 { return [3]float64{123.68, 116.779, 103.939} }

// Model implements [Architecture].
func (c ResNet50) Model() (*nn.Model, error) { return c.family().Model() }

// family is the configuration of this network in its family.
func (c ResNet50) family() ResNet {
	return ResNet{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed, Depth: 50,
		NoL2: c.NoL2, RescaleInputs: c.RescaleInputs, BatchNormDecay: c.BatchNormDecay, BatchNormEpsilon: c.BatchNormEpsilon, Name: c.Name}
}

// Build implements [Architecture].
func (c ResNet50) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}
