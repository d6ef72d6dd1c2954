package main

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// workload is a graph to run. Its result is a cost if it trains.
type workload struct {
	name  string
	dtype tensor.Dtype
	train bool
	build func(b *builder) *gorgonia.Node
}

var (
	f32 = tensor.Float32
	f64 = tensor.Float64
)

var workloads = []workload{
	{"scalars, float64", f64, false, scalars},
	{"ten elements, float64", f64, false, tenElements},
	{"linear regression, training, float64", f64, true, linear},
	{"logistic regression, training, float64", f64, true, logistic},
	{"elementwise and sums, float64", f64, false, elementwise},
	{"elementwise and sums, training, float32", f32, true, elementwise},
	{"recurrent net, training, float32", f32, true, recurrent},
	{"MLP, training, float64", f64, true, mlp},
	{"MLP, training, float32", f32, true, mlp},
	{"convnet, training, float64", f64, true, convnet},
	{"convnet, training, float32", f32, true, convnet},
	{"convnet, inference, float32", f32, false, convnetOut},
	{"VGG-16, training, float32", f32, true, vgg16},
	{"VGG-16, inference, float32", f32, false, vgg16Out},
	{"ResNet-50, training, float32", f32, true, resnet50},
	{"ResNet-50, forward, float32", f32, false, resnet50Out},
	{"tiny YOLO v2, inference, float32", f32, false, tinyYOLO},
}

// scalars is nothing but the machine's overhead.
func scalars(b *builder) *gorgonia.Node {
	x, y, z := b.scalar(2), b.scalar(3), b.scalar(5)
	return must(gorgonia.Add(must(gorgonia.Mul(x, y)), z))
}

func tenElements(b *builder) *gorgonia.Node {
	x, y := b.input(1, 10), b.input(1, 10)
	return must(gorgonia.Sum(must(gorgonia.Tanh(must(gorgonia.Add(must(gorgonia.HadamardProd(x, y)), x))))))
}

func linear(b *builder) *gorgonia.Node {
	x, y, w := b.input(1, 150, 5), b.input(1, 150), b.weight(5)
	return b.meanSquare(must(gorgonia.Sub(must(gorgonia.Mul(x, w)), y)))
}

func logistic(b *builder) *gorgonia.Node {
	const n, features = 20000, 10
	x, y, w := b.input(1, n, features), b.uniform(n), b.weight(features)
	p := must(gorgonia.Sigmoid(must(gorgonia.Mul(x, w))))
	one := b.constant(1)
	yes := must(gorgonia.HadamardProd(y, must(gorgonia.Log(p))))
	no := must(gorgonia.HadamardProd(must(gorgonia.Sub(one, y)), must(gorgonia.Log(must(gorgonia.Sub(one, p))))))
	return must(gorgonia.Neg(must(gorgonia.Mean(must(gorgonia.Add(yes, no))))))
}

func elementwise(b *builder) *gorgonia.Node {
	x, y, z := b.weight(512, 1024), b.input(1, 512, 1024), b.input(1, 512, 1024)
	h := must(gorgonia.Tanh(must(gorgonia.Add(must(gorgonia.HadamardProd(x, y)), z))))
	bell := must(gorgonia.Exp(must(gorgonia.Neg(must(gorgonia.Square(h))))))
	h = must(gorgonia.Sub(must(gorgonia.Sigmoid(h)), must(gorgonia.HadamardProd(z, bell))))
	rows := must(gorgonia.Sum(h, 1))
	return b.meanSquare(rows)
}

// recurrent is twenty steps of a simple recurrent net: many small operations.
func recurrent(b *builder) *gorgonia.Node {
	const batch, inputs, units, steps = 16, 32, 64, 20
	wx, wh, bias := b.weight(inputs, units), b.weight(units, units), b.weight(1, units)
	h := b.input(0, batch, units)
	for range steps {
		x := b.input(1, batch, inputs)
		h = must(gorgonia.Add(must(gorgonia.Mul(x, wx)), must(gorgonia.Mul(h, wh))))
		h = must(gorgonia.Tanh(must(gorgonia.BroadcastAdd(h, bias, nil, []byte{0}))))
	}
	return b.meanSquare(h)
}

func mlp(b *builder) *gorgonia.Node {
	const batch = 100
	h := b.input(1, batch, 784)
	for _, units := range []int{512, 256} {
		h = relu(b.dense(h, units))
	}
	return b.crossEntropy(b.dense(h, 10))
}

// convnet has the sizes of Gorgonia's example of that name, without its dropout, of which Gorgonia's gradient is wrong.
func convnet(b *builder) *gorgonia.Node { return b.crossEntropy(convnetOut(b)) }

func convnetOut(b *builder) *gorgonia.Node {
	const batch = 50
	h := b.input(1, batch, 1, 28, 28)
	for _, filters := range []int{32, 64, 128} {
		h = maxPool(relu(b.conv(h, filters, 3, 1)), 2, 2, 0)
	}
	return b.dense(relu(b.dense(flatten(h), 625)), 10)
}

// vgg16 is Simonyan and Zisserman's configuration D, for small images.
func vgg16(b *builder) *gorgonia.Node { return b.crossEntropy(vgg16Out(b)) }

func vgg16Out(b *builder) *gorgonia.Node {
	const batch = 16
	h := b.input(1, batch, 3, 32, 32)
	for _, stage := range []struct{ convs, filters int }{{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}} {
		for range stage.convs {
			h = relu(b.bias(b.conv(h, stage.filters, 3, 1)))
		}
		h = maxPool(h, 2, 2, 0)
	}
	h = flatten(h)
	for range 2 {
		h = relu(b.dense(h, 4096))
	}
	return b.dense(h, 100)
}

// resnet50 is He and others' table, with the stride on the 3×3 convolutions. Of small images, the last features are of size 1×1,
// and need no average.
func resnet50(b *builder) *gorgonia.Node { return b.crossEntropy(resnet50Out(b)) }

func resnet50Out(b *builder) *gorgonia.Node {
	const batch = 16
	h := b.input(1, batch, 3, 32, 32)
	h = maxPool(relu(b.batchNorm(b.conv(h, 64, 7, 2), 1)), 3, 2, 1)
	for i, stage := range []struct{ blocks, filters int }{{3, 64}, {4, 128}, {6, 256}, {3, 512}} {
		for block := range stage.blocks {
			stride := 1
			if i > 0 && block == 0 {
				stride = 2
			}
			h = bottleneck(b, h, stage.filters, stride)
		}
	}
	return b.dense(flatten(h), 100)
}

func bottleneck(b *builder, x *gorgonia.Node, filters, stride int) *gorgonia.Node {
	const small = 0.1 // at first, blocks do little: or gradients explode, and float32 runs cannot be compared
	h := relu(b.batchNorm(b.conv(x, filters, 1, 1), 1))
	h = relu(b.batchNorm(b.conv(h, filters, 3, stride), 1))
	h = b.batchNorm(b.conv(h, 4*filters, 1, 1), small)
	if x.Shape()[1] != 4*filters {
		x = b.batchNorm(b.conv(x, 4*filters, 1, stride), 1)
	}
	return relu(must(gorgonia.Add(h, x)))
}

// tinyYOLO is the tiny YOLO v2 of one picture, but for the pooling with stride 1.
func tinyYOLO(b *builder) *gorgonia.Node {
	h := b.input(1, 1, 3, 416, 416)
	for _, filters := range []int{16, 32, 64, 128, 256} {
		h = maxPool(must(gorgonia.LeakyRelu(b.bias(b.conv(h, filters, 3, 1)), 0.1)), 2, 2, 0)
	}
	for _, filters := range []int{512, 1024, 512} {
		h = must(gorgonia.LeakyRelu(b.bias(b.conv(h, filters, 3, 1)), 0.1))
	}
	return b.bias(b.conv(h, 425, 1, 1))
}
