package arch

import (
	"cmp"
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// NASNet is the network of Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition" (2018), as
// keras.applications has it, with its names of layers: cells that a search found, each of which takes the results of the two before it.
// 5,326,716 parameters for the mobile one with 224×224×3, and 88,949,818 for the large one with 331×331×3, and 1000 classes.
type NASNet struct {
	Input      nn.Shape      // input_shape: rows, columns, channels, at least 32×32; 32×32×3 by default, Keras has 224×224×3, or 331×331×3 for the large one
	Classes    int           // classes; 100 by default, Keras has 1000
	Batch      int           // shown in summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsFirst puts a Permute behind the input
	Seed       uint64        // of Build's weights

	Large bool   // NASNetLarge; else it is NASNetMobile
	Name  string // of the model; "nasnet_mobile" or "nasnet_large" by default
}

// Model implements [Architecture].
func (c NASNet) Model() (*nn.Model, error) {
	name, filters, blocks, stem, skip := "nasnet_mobile", 1056/24, 4, 32, false
	if c.Large {
		name, filters, blocks, stem, skip = "nasnet_large", 4032/24, 6, 96, true
	}
	b, input := start(cmp.Or(c.Name, name), c.DataFormat, c.Input, c.Batch)
	n := nasNet{b}
	x := n.Add(nn.Conv2D{Filters: stem, Kernel: nn.K(3), Strides: nn.K(2), NoBias: true, KernelInitializer: nn.HeNormal{}, Name: "stem_conv1"}, permuted(b, input))
	x = n.norm(x, "stem_bn1")
	var before *nn.Tensor // the result of the cell before the last
	x, before = n.reduction(x, before, filters/4, "stem_1")
	x, before = n.reduction(x, before, filters/2, "stem_2")
	for stage := range 3 {
		if stage > 0 {
			// Where skip says so, the cell behind a reduction takes what the reduction took besides its input.
			reduced, last := n.reduction(x, before, filters<<stage, fmt.Sprintf("reduce_%d", stage*blocks))
			if x = reduced; !skip {
				before = last
			}
		}
		for i := range blocks {
			id := stage*blocks + i
			if stage > 0 {
				id++
			}
			x, before = n.normal(x, before, filters<<stage, fmt.Sprint(id))
		}
	}
	x = n.Add(nn.GlobalAveragePooling2D{}, n.relu(x))
	x = n.Add(nn.Dense{Units: cmp.Or(c.Classes, defaultClasses), Activation: nn.Softmax, Name: "predictions"}, x)
	return b.Model(input, x)
}

// Build implements [Architecture].
func (c NASNet) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}

// nasNet adds the layers of a NASNet.
type nasNet struct{ *nn.Builder }

func (n nasNet) norm(x *nn.Tensor, name string) *nn.Tensor {
	return n.Add(nn.BatchNormalization{Momentum: 0.9997, Name: name}, x)
}

func (n nasNet) relu(x *nn.Tensor) *nn.Tensor { return n.Add(nn.Activation{Func: nn.ReLU}, x) }

// projected is ReLU, a 1×1 convolution and a normalization.
func (n nasNet) projected(x *nn.Tensor, filters int, conv, norm string) *nn.Tensor {
	return n.norm(n.pointwise(n.relu(x), filters, conv), norm)
}

func (n nasNet) pointwise(x *nn.Tensor, filters int, name string) *nn.Tensor {
	return n.Add(nn.Conv2D{Filters: filters, Kernel: nn.K(1), Padding: nn.Same, NoBias: true, KernelInitializer: nn.HeNormal{}, Name: name}, x)
}

// separable is _separable_conv_block: two times ReLU, a separable convolution and a normalization.
func (n nasNet) separable(x *nn.Tensor, filters, kernel, strides int, id string) *nn.Tensor {
	x = n.relu(x)
	padding := nn.Same
	if strides == 2 {
		x = n.Add(nn.ZeroPadding2D{Padding: correctPad(n.DataFormat, x.Shape(), kernel), Name: "separable_conv_1_pad_" + id}, x)
		padding = nn.Valid
	}
	x = n.Add(nn.SeparableConv2D{Filters: filters, Kernel: nn.K(kernel), Strides: nn.K(strides), Padding: padding, NoBias: true, Name: "separable_conv_1_" + id}, x)
	x = n.relu(n.norm(x, "separable_conv_1_bn_"+id))
	x = n.Add(nn.SeparableConv2D{Filters: filters, Kernel: nn.K(kernel), Padding: nn.Same, NoBias: true, Name: "separable_conv_2_" + id}, x)
	return n.norm(x, "separable_conv_2_bn_"+id)
}

// adjust is _adjust_block: it gives the result of the cell before the last the size of the last one's, and so many channels.
func (n nasNet) adjust(before, x *nn.Tensor, filters int, id string) *nn.Tensor {
	if before == nil || n.Err() != nil {
		return x
	}
	_, column, channel := n.DataFormat.Axes()
	switch {
	case before.Shape()[column-1] != x.Shape()[column-1]:
		p := n.Add(nn.Activation{Func: nn.ReLU, Name: "adjust_relu_1_" + id}, before)
		// Every second pixel, and every second one beside these.
		one := n.Add(nn.AveragePooling2D{Pool: nn.K(1), Strides: nn.K(2), Name: "adjust_avg_pool_1_" + id}, p)
		one = n.pointwise(one, filters/2, "adjust_conv_1_"+id)
		two := n.Add(nn.ZeroPadding2D{Padding: [2][2]int{{0, 1}, {0, 1}}}, p)
		two = n.Add(nn.Cropping2D{Cropping: [2][2]int{{1, 0}, {1, 0}}}, two)
		two = n.Add(nn.AveragePooling2D{Pool: nn.K(1), Strides: nn.K(2), Name: "adjust_avg_pool_2_" + id}, two)
		two = n.pointwise(two, filters/2, "adjust_conv_2_"+id)
		return n.norm(n.Add(nn.Concatenate{}, one, two), "adjust_bn_"+id)
	case before.Shape()[channel-1] != filters:
		return n.projected(before, filters, "adjust_conv_projection_"+id, "adjust_bn_"+id)
	}
	return before
}

func (n nasNet) averages(x *nn.Tensor, name string) *nn.Tensor {
	return n.Add(nn.AveragePooling2D{Pool: nn.K(3), Strides: nn.K(1), Padding: nn.Same, Name: name}, x)
}

func (n nasNet) sum(name string, x, y *nn.Tensor) *nn.Tensor { return n.Add(nn.Add{Name: name}, x, y) }

// normal is _normal_a_cell, on the left of the paper's figure 4. It returns its result and x.
func (n nasNet) normal(x, before *nn.Tensor, filters int, id string) (result, last *nn.Tensor) {
	p := n.adjust(before, x, filters, id)
	h := n.projected(x, filters, "normal_conv_1_"+id, "normal_bn_1_"+id)
	x1 := n.separable(h, filters, 5, 1, "normal_left1_"+id)
	x1 = n.sum("normal_add_1_"+id, x1, n.separable(p, filters, 3, 1, "normal_right1_"+id))
	x2 := n.separable(p, filters, 5, 1, "normal_left2_"+id)
	x2 = n.sum("normal_add_2_"+id, x2, n.separable(p, filters, 3, 1, "normal_right2_"+id))
	x3 := n.sum("normal_add_3_"+id, n.averages(h, "normal_left3_"+id), p)
	x4 := n.averages(p, "normal_left4_"+id)
	x4 = n.sum("normal_add_4_"+id, x4, n.averages(p, "normal_right4_"+id))
	x5 := n.sum("normal_add_5_"+id, n.separable(h, filters, 3, 1, "normal_left5_"+id), h)
	return n.Add(nn.Concatenate{Name: "normal_concat_" + id}, p, x1, x2, x3, x4, x5), x
}

// reduction is _reduction_a_cell, on the right of the paper's figure 4, which halves rows and columns. It returns its result and x.
func (n nasNet) reduction(x, before *nn.Tensor, filters int, id string) (result, last *nn.Tensor) {
	p := n.adjust(before, x, filters, id)
	h := n.projected(x, filters, "reduction_conv_1_"+id, "reduction_bn_1_"+id)
	padded := n.Add(nn.ZeroPadding2D{Padding: correctPad(n.DataFormat, h.Shape(), 3), Name: "reduction_pad_1_" + id}, h)
	pool := func(maximum bool, name string) *nn.Tensor {
		if maximum {
			return n.Add(nn.MaxPooling2D{Pool: nn.K(3), Strides: nn.K(2), Name: name}, padded)
		}
		return n.Add(nn.AveragePooling2D{Pool: nn.K(3), Strides: nn.K(2), Name: name}, padded)
	}
	x1 := n.separable(h, filters, 5, 2, "reduction_left1_"+id)
	x1 = n.sum("reduction_add_1_"+id, x1, n.separable(p, filters, 7, 2, "reduction_right1_"+id))
	x2 := pool(true, "reduction_left2_"+id)
	x2 = n.sum("reduction_add_2_"+id, x2, n.separable(p, filters, 7, 2, "reduction_right2_"+id))
	x3 := pool(false, "reduction_left3_"+id)
	x3 = n.sum("reduction_add3_"+id, x3, n.separable(p, filters, 5, 2, "reduction_right3_"+id))
	x4 := n.sum("", x2, n.averages(x1, "reduction_left4_"+id))
	x5 := n.separable(x1, filters, 3, 1, "reduction_left4_"+id)
	x5 = n.sum("reduction_add4_"+id, x5, pool(true, "reduction_right5_"+id))
	return n.Add(nn.Concatenate{Name: "reduction_concat_" + id}, x2, x3, x4, x5), x
}
