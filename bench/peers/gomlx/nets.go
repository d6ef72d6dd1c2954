package main

import (
	"fmt"

	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/ml/context"
	"github.com/gomlx/gomlx/pkg/ml/context/initializers"
	"github.com/gomlx/gomlx/pkg/ml/layers"
	"github.com/gomlx/gomlx/pkg/ml/layers/batchnorm"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

// nets are those of package arch, channels last, up to their logits.
var nets = map[string]func(net, *Node) *Node{"simplecnn": simpleCNN, "vgg16": vgg16, "resnet50": resNet50}

func simpleCNN(n net, x *Node) *Node {
	x = n.pool(relu(n.conv(x, 16, 3, 1, 0, true)), 2, 0)
	x = n.pool(relu(n.conv(x, 32, 3, 1, 0, true)), 2, 0)
	return n.dense(relu(n.dense(flat(x), 256)), peer.Classes)
}

func vgg16(n net, x *Node) *Node {
	for _, block := range [][2]int{{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}} {
		for range block[0] {
			x = relu(n.conv(x, block[1], 3, 1, 1, true))
		}
		x = n.pool(x, 2, 0)
	}
	x = flat(x)
	for range 2 {
		x = relu(n.dense(x, 4096))
	}
	return n.dense(x, peer.Classes)
}

func resNet50(n net, x *Node) *Node {
	x = n.pool(relu(n.norm(n.conv(x, 64, 7, 2, 3, false))), 3, 1)
	for stage, blocks := range []int{3, 4, 6, 3} {
		width := 64 << stage
		for i := range blocks {
			stride, side := 1, x
			if stage > 0 && i == 0 {
				stride = 2
			}
			x = relu(n.norm(n.conv(x, width, 1, 1, 0, false)))
			x = relu(n.norm(n.conv(x, width, 3, stride, 1, false)))
			x = n.norm(n.conv(x, 4*width, 1, 1, 0, false))
			if i == 0 {
				side = n.norm(n.conv(side, 4*width, 1, stride, 0, false))
			}
			x = relu(Add(x, side))
		}
	}
	return n.dense(ReduceMean(x, 1, 2), peer.Classes)
}

// net adds layers to a graph. GoMLX's own convolutions, pools and normalizations have derivatives that its Go backend cannot compute
// (they need Reverse, Pad, SelectAndScatter, BatchNormForTraining), so with gather convolutions and pools are made of patches, and
// normalization of arithmetic.
type net struct {
	ctx    *context.Context
	made   *int // layers
	gather bool
	train  bool
}

// scope is a context with a name of its own.
func (n net) scope() *context.Context {
	*n.made++
	return n.ctx.In(fmt.Sprintf("layer%d", *n.made))
}

func (n net) conv(x *Node, filters, kernel, stride, pad int, bias bool) *Node {
	ctx := n.scope()
	if !n.gather {
		conv := layers.Convolution(ctx, x).Channels(filters).KernelSize(kernel).Strides(stride).UseBias(bias)
		if pad > 0 {
			conv.PadSame() // the same pad on every side
		}
		return conv.Done()
	}
	dims := x.Shape().Dimensions
	channels, side := dims[3], (dims[1]+2*pad-kernel)/stride+1
	y := flat(x)
	if kernel > 1 || stride > 1 {
		y = patches(x, kernel, stride, pad)
	}
	y = Reshape(y, -1, kernel*kernel*channels)
	w := ctx.VariableWithShape("weights", shapes.Make(x.DType(), kernel*kernel*channels, filters)).ValueGraph(x.Graph())
	y = Dot(y, w)
	if bias {
		y = Add(y, Reshape(ctx.VariableWithShape("biases", shapes.Make(x.DType(), filters)).ValueGraph(x.Graph()), 1, filters))
	}
	return Reshape(y, dims[0], side, side, filters)
}

// pool is the maximum of windows with stride 2. Padding is 0 here: what comes before it is ReLU.
func (n net) pool(x *Node, size, pad int) *Node {
	if !n.gather {
		return MaxPool(x).Window(size).Strides(2).PaddingPerDim([][2]int{{pad, pad}, {pad, pad}}).Done()
	}
	dims := x.Shape().Dimensions
	side := (dims[1]+2*pad-size)/2 + 1
	return Reshape(ReduceMax(patches(x, size, 2, pad), 1), dims[0], side, side, dims[3])
}

// patches are the windows of images (batch, rows, columns, channels): (batch · windows, pixels of a window, channels).
func patches(x *Node, size, stride, pad int) *Node {
	dims := x.Shape().Dimensions
	batch, rows, channels := dims[0], dims[1], dims[3]
	side := (rows+2*pad-size)/stride + 1
	outside := int32(batch * rows * rows) // a row of zeros behind the pixels
	pixels := Concatenate([]*Node{Reshape(x, -1, channels), Zeros(x.Graph(), shapes.Make(x.DType(), 1, channels))}, 0)
	indices := make([]int32, 0, batch*side*side*size*size)
	for b := range batch {
		for o := range side * side {
			for k := range size * size {
				r, c := o/side*stride+k/size-pad, o%side*stride+k%size-pad
				if r < 0 || r >= rows || c < 0 || c >= rows {
					indices = append(indices, outside)
				} else {
					indices = append(indices, int32((b*rows+r)*rows+c))
				}
			}
		}
	}
	where := Reshape(Const(x.Graph(), indices), -1, 1)
	return Reshape(Gather(pixels, where), batch*side*side, size*size, channels)
}

func (n net) dense(x *Node, units int) *Node { return layers.Dense(n.scope(), x, true, units) }

func (n net) norm(x *Node) *Node {
	ctx := n.scope()
	if !n.train {
		return batchnorm.New(ctx, x, -1).Momentum(0.9).Epsilon(1e-5).UseBackendInference(false).Done()
	}
	g, dims := x.Graph(), x.Shape().Dimensions
	shape := shapes.Make(x.DType(), dims[3])
	along := func(v *Node) *Node { return Reshape(v, 1, 1, 1, dims[3]) }
	variable := func(name string, value initializers.VariableInitializer) *context.Variable {
		return ctx.WithInitializer(value).VariableWithShape(name, shape)
	}
	// average moves a running average towards the batch's value.
	average := func(name string, value initializers.VariableInitializer, batch *Node) {
		v := variable(name, value).SetTrainable(false)
		v.SetValueGraph(Add(MulScalar(v.ValueGraph(g), 0.9), MulScalar(StopGradient(batch), 0.1)))
	}
	mean := ReduceMean(x, 0, 1, 2)
	centered := Sub(x, along(mean))
	variance := ReduceMean(Square(centered), 0, 1, 2)
	average("mean", initializers.Zero, mean)
	average("variance", initializers.One, variance)
	factor := Div(variable("scale", initializers.One).ValueGraph(g), Sqrt(AddScalar(variance, 1e-5)))
	return Add(Mul(centered, along(factor)), along(variable("shift", initializers.Zero).ValueGraph(g)))
}

func relu(x *Node) *Node { return Max(x, ScalarZero(x.Graph(), x.DType())) }

func flat(x *Node) *Node { return Reshape(x, x.Shape().Dimensions[0], -1) }
