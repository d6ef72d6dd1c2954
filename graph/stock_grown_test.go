package graph_test

import (
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// grown are the ways in which a graph grows. Images are NCHW in stock Gorgonia and NHWC in ours.
var grown = []named[func(p *plant) *node]{
	{"unary", func(p *plant) *node {
		u, x := unaryFns[p.next(len(unaryFns))], p.any()
		switch u.name {
		case "Log", "Log2", "Sqrt", "Inverse", "InverseSqrt", "Log1p":
			x = p.positive(x)
		case "Exp", "Expm1", "Cube", "Square":
			x = p.tame(x)
		}
		return must(u.f(x))
	}},
	{"arithmetic", func(p *plant) *node {
		f, x := arithmeticFns[p.next(len(arithmeticFns))], p.any()
		y := p.like(x.Shape())
		switch f.name {
		case "HadamardDiv":
			y = p.positive(y)
		case "Pow":
			x, y = p.positive(x), p.tame(y)
		case "HadamardProd":
			x = p.tame(x)
		}
		return must(f.f(x, y))
	}},
	{"arithmetic with a scalar", func(p *plant) *node {
		f, x := arithmeticFns[p.next(len(arithmeticFns))], p.any()
		y := p.constant(float64(p.next(7)+2) / 4)
		if p.next(2) == 0 {
			y = p.of(0)
		}
		if f.name == "HadamardDiv" || f.name == "Pow" {
			x, y = p.positive(x), p.positive(y)
		}
		if p.next(2) == 0 {
			x, y = y, x
		}
		return must(f.f(x, y))
	}},
	{"comparison", func(p *plant) *node {
		f, x := comparisonFns[p.next(len(comparisonFns))], p.any()
		y := p.like(x.Shape())
		if p.next(8) == 0 {
			must(f.f(x, y, false)) // booleans: a root
			return nil
		}
		mask := must(f.f(x, y, true))
		if p.next(2) == 0 {
			return must(gorgonia.HadamardProd(x, mask))
		}
		return mask
	}},
	{"min or max", func(p *plant) *node {
		x := p.tensor()
		if p.next(2) == 0 {
			return must(gorgonia.MinBetween(x, p.like(x.Shape())))
		}
		return must(gorgonia.MaxBetween(x, p.like(x.Shape())))
	}},
	{"matrix product", func(p *plant) *node {
		x := p.of(2)
		return must(gorgonia.Mul(x, p.like(tensor.Shape{x.Shape()[1], p.shapeOf(1)[0]})))
	}},
	{"product with a transpose", func(p *plant) *node {
		x := p.of(2)
		y := p.like(tensor.Shape{p.shapeOf(1)[0], x.Shape()[1]})
		return must(gorgonia.Mul(x, must(gorgonia.Transpose(y))))
	}},
	{"vector product", func(p *plant) *node {
		m, v := p.of(2), 0
		switch p.next(4) {
		case 0:
			v = m.Shape()[1]
			return must(gorgonia.Mul(m, p.like(tensor.Shape{v})))
		case 1:
			v = m.Shape()[0]
			return must(gorgonia.Mul(p.like(tensor.Shape{v}), m))
		case 2:
			x := p.of(1)
			return must(gorgonia.Mul(x, p.like(x.Shape())))
		}
		p.rigid = true // the gradient multiplies shapes that do not fit
		return must(gorgonia.OuterProd(p.of(1), p.of(1)))
	}},
	{"batched product", func(p *plant) *node {
		x := p.of(3)
		s, n := x.Shape(), p.shapeOf(1)[0]
		ta, tb := p.next(2) == 1, p.next(2) == 1
		k := s[2]
		if ta {
			k = s[1]
		}
		y := tensor.Shape{s[0], k, n}
		if tb {
			y = tensor.Shape{s[0], n, k}
		}
		return must(gorgonia.BatchedMatMul(x, p.like(y), ta, tb))
	}},
	{"tensordot", func(p *plant) *node {
		x := p.of(2, 3)
		a := p.next(x.Dims())
		y := p.shapeOf(1 + p.next(3))
		b := p.next(len(y))
		y[b] = x.Shape()[a]
		return must(gorgonia.Tensordot([]int{a}, []int{b}, x, p.like(y)))
	}},
	{"reduction", func(p *plant) *node {
		f, x := []func(*node, ...int) (*node, error){gorgonia.Sum, gorgonia.Mean, gorgonia.Max}[p.next(3)], p.tensor()
		return must(f(p.tame(x), p.axes(x)...))
	}},
	{"reshape", func(p *plant) *node {
		x := p.any()
		var to tensor.Shape
		for rest := op.Len(x.Shape()); rest > 1; {
			d := []int{2, 3, 5, 7, rest}[p.next(5)]
			if rest%d == 0 {
				to, rest = append(to, d), rest/d
			} else {
				to, rest = append(to, rest), 1
			}
			if len(to) == 3 && rest > 1 {
				to, rest = append(to, rest), 1
			}
		}
		if p.next(4) == 0 && len(to) < 4 {
			to = slices.Insert(to, p.next(len(to)+1), 1)
		}
		if len(to) == 0 {
			to = tensor.Shape{1}
		}
		return must(gorgonia.Reshape(x, to))
	}},
	{"transpose", func(p *plant) *node {
		x := p.of(2, 3, 4)
		axes := make([]int, x.Dims())
		for i := range axes {
			axes[i] = i
		}
		for i := range axes {
			j := i + p.next(len(axes)-i)
			axes[i], axes[j] = axes[j], axes[i]
		}
		return must(gorgonia.Transpose(x, axes...))
	}},
	{"slice", func(p *plant) *node {
		x := p.tensor()
		by := make([]tensor.Slice, x.Dims())
		for axis, d := range x.Shape() {
			from := p.next(d)
			to := from + 1 + p.next(d-from)
			switch p.next(4) {
			case 0:
				by[axis] = gorgonia.S(from, to)
			case 1:
				by[axis] = gorgonia.S(from)
			case 2:
				if (to-from)%2 == 0 {
					by[axis] = gorgonia.S(from, to, 2)
				}
			}
		}
		return must(gorgonia.Slice(x, by...))
	}},
	{"concat", func(p *plant) *node {
		x := p.tensor()
		axis, other := p.next(x.Dims()), x.Shape()
		other[axis] = p.shapeOf(1)[0]
		in := nodes{x, p.like(other)}
		if p.next(2) == 0 {
			in = append(in, x)
		}
		return must(gorgonia.Concat(axis, in...))
	}},
	{"broadcast", func(p *plant) *node {
		x := p.of(2, 3, 4)
		axes := p.axes(x)
		var small tensor.Shape
		var on []byte
		keep := p.next(2) == 0
		for axis, d := range x.Shape() {
			switch {
			case !slices.Contains(axes, axis):
				small = append(small, d)
			case keep:
				small = append(small, 1)
			}
			if slices.Contains(axes, axis) {
				on = append(on, byte(axis))
			}
		}
		if len(small) == 0 {
			return nil
		}
		y := p.like(small)
		switch p.next(4) {
		case 0:
			return must(gorgonia.BroadcastAdd(x, y, nil, on))
		case 1:
			return must(gorgonia.BroadcastSub(y, x, on, nil))
		case 2:
			return must(gorgonia.BroadcastHadamardProd(p.tame(x), y, nil, on))
		}
		return must(gorgonia.BroadcastHadamardDiv(x, p.positive(y), nil, on))
	}},
	{"convolution", func(p *plant) *node {
		x := p.of(4)
		s := x.Shape()
		pad := []int{p.next(3), p.next(3)}
		dil := []int{1 + p.next(2), 1}
		k := tensor.Shape{1 + p.next(3), 1 + p.next(3)}
		k[0], k[1] = min(k[0], (s[2]+2*pad[0]-1)/dil[0]+1), min(k[1], s[3]+2*pad[1])
		w := p.like(tensor.Shape{p.shapeOf(1)[0], s[1], k[0], k[1]})
		y := must(gorgonia.Conv2d(x, w, k, pad, []int{1 + p.next(2), 1 + p.next(2)}, dil))
		switch p.next(4) {
		case 0:
			return must(gorgonia.Rectify(y))
		case 1:
			return must(gorgonia.BroadcastAdd(y, p.like(tensor.Shape{1, w.Shape()[0], 1, 1}), nil, []byte{0, 2, 3}))
		}
		return y
	}},
	{"pool", func(p *plant) *node {
		x := p.of(4)
		s := x.Shape()
		k := tensor.Shape{min(1+p.next(3), s[2]), min(1+p.next(3), s[3])}
		pad := []int{p.next(k[0]), p.next(k[1])}
		if p.next(2) == 0 {
			pad = []int{p.next(k[0]), p.next(k[0]), p.next(k[1]), p.next(k[1])}
		}
		stride := []int{1 + p.next(3), 1 + p.next(2)}
		if p.next(2) == 0 {
			return must(gorgonia.MaxPool2D(x, k, pad, stride))
		}
		return must(gorgonia.AveragePool2D(x, k, pad, stride))
	}},
	{"global average", func(p *plant) *node { return must(gorgonia.GlobalAveragePool2D(p.of(4))) }},
	{"batch norm", func(p *plant) *node {
		x := p.of(2, 4)
		c := tensor.Shape{1, x.Shape()[1]}
		if x.Dims() == 4 {
			c = append(c, 1, 1)
		}
		y, _, _, o, err := gorgonia.BatchNorm(x, p.like(c), p.like(c), float64(p.next(5))/4, 1e-2)
		if err != nil {
			panic(err)
		}
		mean, variance := o.Stats()
		for i, t := range []tensor.Tensor{mean, variance} {
			require.NoError(p.T, tensor.Copy(t, p.Positive(fmt.Sprint("statistics", i, p.count), c[1]).Value().(tensor.Tensor)))
		}
		return y
	}},
	{"group norm", func(p *plant) *node {
		x := p.of(4)
		c := x.Shape()[1]
		groups := 1
		if p.next(2) == 0 {
			groups = c
		}
		s := tensor.Shape{1, c, 1, 1}
		return must(gorgonia.GroupNorm(x, p.like(s), p.like(s), groups, c, 1e-2))
	}},
	{"layer norm", func(p *plant) *node { // as users write it
		x := p.of(2)
		mean := must(gorgonia.Mean(x, 1))
		centred := must(gorgonia.BroadcastSub(x, mean, nil, []byte{1}))
		variance := must(gorgonia.Mean(must(gorgonia.Square(centred)), 1))
		sigma := must(gorgonia.Sqrt(must(gorgonia.Add(variance, p.constant(1.0/64)))))
		return must(gorgonia.BroadcastHadamardDiv(centred, sigma, nil, []byte{1}))
	}},
	{"gate", func(p *plant) *node { // of a recurrent cell
		x := p.of(2)
		w := p.like(tensor.Shape{x.Shape()[1], 3})
		a := must(gorgonia.Mul(x, w))
		b := must(gorgonia.BroadcastAdd(a, p.like(tensor.Shape{3}), nil, []byte{0}))
		i, g := must(gorgonia.Sigmoid(b)), must(gorgonia.Tanh(b))
		return must(gorgonia.Add(must(gorgonia.HadamardProd(i, g)), must(gorgonia.HadamardProd(must(gorgonia.Sub(p.constant(1), i)), a))))
	}},
	{"attention", func(p *plant) *node {
		x := p.of(3)
		scores := must(gorgonia.BatchedMatMul(x, x, false, true))
		weights := must(gorgonia.SoftMax(must(gorgonia.HadamardProd(p.tame(scores), p.constant(0.5))), 2))
		return must(gorgonia.BatchedMatMul(weights, x))
	}},
	{"dropout", func(p *plant) *node { return must(gorgonia.Dropout(p.tensor(), float64(p.next(3))/4)) }},
	{"softmax", func(p *plant) *node {
		x := p.tensor()
		var axes []int
		if p.next(2) == 0 {
			axes = []int{p.next(x.Dims())}
		}
		if p.next(2) == 0 {
			return must(gorgonia.SoftMax(x, axes...))
		}
		return must(gorgonia.LogSoftMax(x, axes...))
	}},
	{"cross-entropy", func(p *plant) *node { // as users write it
		x := p.of(2)
		prob := must(gorgonia.Add(must(gorgonia.SoftMax(p.tame(x))), p.constant(1.0/1024)))
		return must(gorgonia.Neg(must(gorgonia.Mean(must(gorgonia.HadamardProd(must(gorgonia.Log(prob)), p.like(x.Shape())))))))
	}},
	{"one element", func(p *plant) *node {
		x := p.tensor()
		var at []int
		for _, d := range x.Shape() {
			at = append(at, p.next(d))
		}
		return must(gorgonia.At(x, at...))
	}},
	{"rows by index", func(p *plant) *node {
		x := p.tensor()
		axis := p.next(x.Dims())
		p.count++
		return must(gorgonia.ByIndices(x, p.Labels(fmt.Sprint("which", p.count), 1+p.next(6), x.Shape()[axis]), axis))
	}},
	{"upsample", func(p *plant) *node { return must(gorgonia.Upsample2D(p.of(4), 1+p.next(3))) }},
	{"conversion", func(p *plant) *node {
		x := p.tensor()
		return must(gorgonia.ConvType(must(gorgonia.ConvType(x, p.Dt, tensor.Int)), tensor.Int, p.Dt))
	}},
	{"diagonal", func(p *plant) *node { return must(gorgonia.DiagFlat(p.of(1))) }},
	{"rectifier", func(p *plant) *node {
		switch x := p.any(); p.next(3) {
		case 0:
			return must(gorgonia.LeakyRelu(x, 0.25))
		case 1:
			return must(gorgonia.Mish(x))
		default:
			return must(gorgonia.Rectify(x))
		}
	}},
	{"noise", func(p *plant) *node {
		x := p.tensor()
		r := []func(*gorgonia.ExprGraph, tensor.Dtype, float64, float64, ...int) *node{gorgonia.UniformRandomNode,
			gorgonia.GaussianRandomNode, gorgonia.BinomialRandomNode}[p.next(3)](p.G, p.Dt, 2, 0.5, x.Shape()...)
		return must(gorgonia.HadamardProd(p.tame(x), r))
	}},
	{"user's operation", func(p *plant) *node {
		x := p.of(2)
		return must(gorgonia.ApplyOp(userOp{name: "user's", do: first}, x, p.like(x.Shape())))
	}},
	{"doubled sum", func(p *plant) *node { // shared subexpressions
		x := p.any()
		y := must(gorgonia.Exp(p.tame(x)))
		return must(gorgonia.Sub(must(gorgonia.Add(y, y)), must(gorgonia.HadamardProd(must(gorgonia.Exp(p.tame(x))), y))))
	}},

	// Ours.
	{"our ReLU", func(p *plant) *node { return p.ours(&op.ReLU{}, p.any()) }},
	{"our sum", func(p *plant) *node {
		x := p.any()
		return p.ours(&op.Add{}, x, p.like(x.Shape()))
	}},
	{"our product", func(p *plant) *node {
		x := p.any()
		return p.ours(&op.Mul{}, p.tame(x), p.like(x.Shape()))
	}},
	{"our scale", func(p *plant) *node { return p.ours(&op.Scale{Factor: 0.75}, p.any()) }},
	{"our bias", func(p *plant) *node {
		x := p.tensor()
		axis := p.next(x.Dims())
		y := p.ours(&op.BiasAdd{Axis: axis}, x, p.like(tensor.Shape{x.Shape()[axis]}))
		if p.next(2) == 0 {
			return p.ours(&op.ReLU{}, y)
		}
		return y
	}},
	{"our product of matrices", func(p *plant) *node {
		x := p.of(2)
		n := p.shapeOf(1)[0]
		y := p.ours(&op.MatMul{}, x, p.like(tensor.Shape{x.Shape()[1], n}))
		if p.next(2) == 0 {
			y = p.ours(&op.ReLU{}, p.ours(&op.BiasAdd{Axis: -1}, y, p.like(tensor.Shape{n})))
		}
		return y
	}},
	{"our convolution", func(p *plant) *node {
		x := p.of(4)
		y := p.ours(&op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}}, x,
			p.like(tensor.Shape{3, 2, x.Shape()[3], p.shapeOf(1)[0]}))
		if p.next(2) == 0 {
			y = p.ours(&op.BiasAdd{Axis: -1}, y, p.like(tensor.Shape{y.Shape()[3]}))
		}
		if p.next(2) == 0 {
			y = p.ours(&op.ReLU{}, y)
		}
		return y
	}},
	{"our pool", func(p *plant) *node {
		a := op.PoolAttrs{Pool: [2]int{2, 3}, Strides: [2]int{1 + p.next(2), 1}, Padding: shape.Padding{Mode: shape.Same}}
		if p.next(2) == 0 {
			return p.ours(&op.MaxPool2D{PoolAttrs: a}, p.of(4))
		}
		return p.ours(&op.AvgPool2D{PoolAttrs: a}, p.of(4))
	}},
	{"our batch norm", func(p *plant) *node {
		x := p.of(2, 3, 4)
		c := tensor.Shape{x.Shape()[x.Dims()-1]}
		if p.next(2) == 0 {
			return p.ours(&op.BatchNormInference{Axis: -1, Epsilon: 1e-2}, x, p.like(c), p.like(c), p.like(c), p.positive(p.like(c)))
		}
		y, _, _, err := op.BatchNormTraining(x, p.like(c), p.like(c), -1, 1e-2)
		require.NoError(p.T, err)
		return y
	}},
	{"our permutation", func(p *plant) *node { return p.ours(&op.Permute{Axes: []int{0, 2, 3, 1}}, p.of(4)) }},
	{"our padding", func(p *plant) *node {
		return p.ours(&op.ZeroPad2D{Top: p.next(2), Bottom: p.next(3), Left: 1, Right: p.next(2)}, p.of(4))
	}},
	{"our softmax", func(p *plant) *node {
		if p.next(2) == 0 {
			return p.ours(&op.Softmax{}, p.of(2))
		}
		return p.ours(&op.LogSoftmax{}, p.of(2))
	}},
	{"our loss", func(p *plant) *node {
		x := p.of(2)
		p.count++
		labels := p.Labels(fmt.Sprint("labels", p.count), x.Shape()[0], x.Shape()[1])
		return p.ours(&op.Mean{}, p.ours(&op.SoftmaxCrossEntropy{}, x, labels))
	}},
	{"our dropout", func(p *plant) *node {
		p.count++
		return p.ours(&op.Dropout{Rate: 0.25, Seed: 3, Stream: uint32(p.count)}, p.tensor(), p.Int(fmt.Sprint("step", p.count), p.next(9)))
	}},
	{"our penalty", func(p *plant) *node { return p.ours(&op.L2Penalty{Lambda: 0.25}, p.tame(p.tensor())) }},
}
