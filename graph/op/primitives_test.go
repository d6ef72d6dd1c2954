package op

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

type gradientCase = struct {
	program
	wrt []int
}

// expression is a program of an expression.
func expression(name string, build func(x []Expr) Expr, inputs ...Array) program {
	return program{name, inputs, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
		xs := make([]Expr, len(in))
		for i, n := range in {
			xs[i] = Of(n)
		}
		return build(xs).Node()
	}}
}

// primitives lists programs of the primitives, with the inputs that have gradients.
func primitives() []gradientCase {
	rng := rand.New(rand.NewPCG(11, 12))
	var all []gradientCase
	add := func(p program, wrt ...int) { all = append(all, gradientCase{p, wrt}) }
	for fn := range UnaryFns {
		x := normal(rng, 3, 5)
		switch fn {
		case FnSign, FnCeil, FnFloor:
			continue
		case FnLog, FnLog2, FnSqrt, FnInverse, FnInverseSqrt, FnLog1p:
			x = positive(rng, 3, 5)
		}
		add(operation("Unary "+fn.String(), func() Op { return &Unary{Fn: fn} }, x), 0)
	}
	shapes := [][2][]int{{{3, 5}, {3, 5}}, {{3, 5}, {1, 5}}, {{3, 1}, {3, 5}}, {{3, 1}, {1, 5}}, {{2, 3, 5}, {5}}, {{5}, {2, 3, 5}}, {{3, 5}, {}},
		{{}, {3, 5}}, {{}, {}}, {{1, 1}, {3}}, {{2, 1, 5}, {4, 1}}, {{1}, {1}}, {{1, 1, 1}, {}}}
	for _, fn := range []BinaryFn{FnAdd, FnSub, FnMul, FnDiv, FnPow, FnMin, FnMax} {
		for _, s := range shapes {
			a, b := normal(rng, s[0]...), normal(rng, s[1]...)
			if fn == FnPow || fn == FnDiv {
				a, b = positive(rng, s[0]...), positive(rng, s[1]...)
			}
			name := fn.String() + " " + shape.Format(s[0]) + " " + shape.Format(s[1])
			add(operation("Binary "+name, func() Op { return &Binary{Fn: fn} }, a, b), 0, 1)
		}
		for _, first := range []bool{false, true} {
			add(operation("BinaryNumber "+fn.String(), func() Op { return &BinaryNumber{Fn: fn, Number: 1.5, First: first} }, positive(rng, 3, 5)), 0)
		}
	}
	add(operation("Binary when", func() Op { return &Binary{Fn: FnWhen} }, normal(rng, 3, 5), normal(rng, 1, 5)), 1)
	add(operation("BinaryNumber when", func() Op { return &BinaryNumber{Fn: FnWhen, Number: 1, First: true} }, normal(rng, 3, 5)), 0)
	for fn := range ReduceFns {
		for _, keep := range []bool{false, true} {
			for _, axes := range [][]int{nil, {0}, {1}, {-1}, {0, 2}, {2, 1}, {0, 1, 2}} {
				o := &Reduce{Fn: fn, Axes: axes, KeepDims: keep}
				add(operation(o.String(), func() Op { return &Reduce{Fn: fn, Axes: axes, KeepDims: keep} }, normal(rng, 3, 2, 5)), 0)
			}
		}
		add(operation("Reduce a scalar "+fn.String(), func() Op { return &Reduce{Fn: fn} }, number(2)), 0)
		add(operation("Reduce one "+fn.String(), func() Op { return &Reduce{Fn: fn, Axes: []int{1}} }, normal(rng, 4, 1)), 0)
	}
	for _, s := range [][2][]int{{{}, {3}}, {{}, {3, 1, 2}}, {{1}, {1}}, {{5}, {3, 5}}, {{3, 1}, {3, 5}}, {{1, 4, 1}, {3, 4, 2}}, {{3, 5}, {3, 5}}, {{2, 1}, {3, 2, 4}}} {
		add(operation("BroadcastTo "+shape.Format(s[0])+" "+shape.Format(s[1]), func() Op { return &BroadcastTo{Shape: s[1]} }, normal(rng, s[0]...)), 0)
	}
	for axis := -3; axis < 3; axis++ {
		a, b := []int{2, 3, 4}, []int{2, 3, 4}
		b[(axis+3)%3] = 5
		add(operation("Concat", func() Op { return &Concat{Axis: axis} }, normal(rng, a...), normal(rng, b...), normal(rng, a...)), 0, 1, 2)
	}
	add(operation("Concat of one", func() Op { return &Concat{} }, normal(rng, 3)), 0)
	add(expression("Concat of one twice", func(x []Expr) Expr { return Join(0, x[0], x[0]) }, normal(rng, 3, 2)), 0)
	for _, o := range []Slice{
		{Starts: []int{1, 0, 2}, Stops: []int{3, ToEnd, 4}},
		{Starts: []int{-2, 0, 0}, Stops: []int{ToEnd, -1, 99}, Steps: []int{1, 1, 2}},
		{Starts: []int{0, -1, -1}, Stops: []int{1, ToStart, 0}, Steps: []int{1, -1, -2}},
		{Starts: []int{0, 0, 0}, Stops: []int{ToEnd, ToEnd, ToEnd}, Steps: []int{3, 2, 3}},
		{Starts: []int{2, 1, 4}, Stops: []int{3, 2, 5}},
	} {
		add(operation(o.String(), func() Op { return &Slice{Starts: o.Starts, Stops: o.Stops, Steps: o.Steps} }, normal(rng, 4, 3, 5)), 0)
		y, _ := o.Infer([]tensor.Shape{{4, 3, 5}})
		add(operation("SliceGrad "+o.String(), func() Op {
			return &SliceGrad{Starts: o.Starts, Stops: o.Stops, Steps: o.Steps, Shape: tensor.Shape{4, 3, 5}}
		},
			normal(rng, y...)), 0)
	}
	indices := func(n int, s ...int) Array {
		list := make([]int, Len(s))
		for i := range list {
			list[i] = rng.IntN(n)
		}
		return Array{tensor.Shape(s), list}
	}
	for _, c := range []struct {
		axis       int
		x, indices []int
	}{{0, []int{4, 3}, []int{5}}, {0, []int{4, 3}, []int{2, 3}}, {1, []int{2, 4, 3}, []int{5}}, {-1, []int{2, 4}, []int{1, 2}}, {0, []int{4}, []int{}},
		{0, []int{4, 2}, []int{}}, {0, []int{4}, []int{7}}} {
		add(operation("Gather", func() Op { return &Gather{Axis: c.axis} }, normal(rng, c.x...), indices(c.x[(c.axis+len(c.x))%len(c.x)], c.indices...)), 0)
	}
	add(operation("GatherGrad", func() Op { return &GatherGrad{Shape: tensor.Shape{4, 3}} }, normal(rng, 2, 5, 3), indices(4, 2, 5)), 0)
	add(expression("Clip", func(x []Expr) Expr { return x[0].Clip(-0.5, 0.7) }, normal(rng, 3, 5)), 0)
	add(expression("Where", func(x []Expr) Expr { return Where(x[0].Greater(Number(0)), x[1], x[2]) }, normal(rng, 3, 5), normal(rng, 5), normal(rng, 3, 1)), 1, 2)
	add(expression("Flip", func(x []Expr) Expr { return x[0].Flip(1) }, normal(rng, 2, 3, 2)), 0)
	add(expression("Split", func(x []Expr) Expr { s := x[0].Split(-1, 2); return s[0].Mul(s[1].Sigmoid()) }, normal(rng, 3, 6)), 0)
	add(expression("Stack", func(x []Expr) Expr { return Stack(1, x...) }, normal(rng, 2, 3), normal(rng, 2, 3)), 0, 1)
	add(expression("stopped on one way", func(x []Expr) Expr { return x[0].StopGradient().Mul(Number(0)).Add(x[0].Square()) }, normal(rng, 3)), 0)
	add(expression("softmax over the middle", func(x []Expr) Expr {
		e := x[0].Sub(x[0].MaxKeep(1).StopGradient()).Exp()
		return e.Div(e.SumKeep(1))
	}, normal(rng, 2, 3, 4)), 0)
	add(expression("batch norm", func(x []Expr) Expr {
		d := x[0].Sub(x[0].MeanKeep(0))
		return d.Mul(d.Square().MeanKeep(0).Add(Number(1e-3)).InverseSqrt()).Mul(x[1]).Add(x[2])
	}, normal(rng, 5, 3), normal(rng, 3), normal(rng, 3)), 0, 1, 2)
	return all
}

// withoutGradient are programs of the functions that have none.
func withoutGradient() []program {
	rng := rand.New(rand.NewPCG(13, 14))
	var all []program
	for _, fn := range []UnaryFn{FnSign, FnCeil, FnFloor} {
		all = append(all, operation("Unary "+fn.String(), func() Op { return &Unary{Fn: fn} }, normal(rng, 3, 5)))
	}
	for fn := FnLess; fn <= FnNotEqual; fn++ {
		all = append(all, operation("Binary "+fn.String(), func() Op { return &Binary{Fn: fn} }, normal(rng, 3, 5), normal(rng, 5)),
			operation("BinaryNumber "+fn.String(), func() Op { return &BinaryNumber{Fn: fn, Number: 0.5} }, normal(rng, 3, 5)))
	}
	return append(all, operation("BinaryNumber when, x first", func() Op { return &BinaryNumber{Fn: FnWhen, Number: 0.5} }, normal(rng, 3, 5)),
		operation("Full", func() Op { return &Full{Value: 0.5, Shape: tensor.Shape{2, 3}} }, normal(rng, 1)),
		operation("Full scalar", func() Op { return &Full{Value: -2} }, normal(rng, 7)),
		operation("StopGradient", func() Op { return &StopGradient{} }, normal(rng, 2, 3)),
		operation("Random uniform", func() Op { return &Random{A: -1, B: 2, Shape: tensor.Shape{3, 5}, Seed: 3} }, normal(rng, 7), integer(4)),
		operation("Random gaussian", func() Op {
			return &Random{From: Gaussian, A: 1, B: 2, Shape: tensor.Shape{5}, Seed: 3, Stream: 1 << 40}
		}, normal(rng, 2, 3), integer(9)),
		operation("Random binomial", func() Op { return &Random{From: Binomial, A: 9, B: 0.25, Shape: tensor.Shape{2, 1, 3}} }, number(0), integer(0)))
}

// Where functions have no gradient, Gorgonia says so, and a way around them has one.
func TestWithoutGradient(t *testing.T) {
	for _, p := range withoutGradient() {
		t.Run(p.name, func(t *testing.T) {
			in := feedAll(gorgonia.NewGraph(), p.inputs)
			y, err := p.build(in)
			require.NoError(t, err)
			_, err = gorgonia.Grad(costOf(t, y), in[0])
			require.Error(t, err)
			_, err = y.Op().(Op).SymDiff(in, y, y)
			require.Error(t, err)
		})
	}
}

// Where several elements tie, and at the bounds of clip, the gradient is TensorFlow's.
func TestTies(t *testing.T) {
	gradient := func(build func(x Expr) Expr, x ...float64) []float64 {
		in := feed(gorgonia.NewGraph(), "x", vector(x...))
		y, err := build(Of(in)).Sum().Node()
		require.NoError(t, err)
		ds, err := gorgonia.Grad(y, in)
		require.NoError(t, err)
		return wide(stock(t, in.Graph(), ds...)[0])
	}
	require.Equal(t, []float64{0.5, 0, 0.5}, gradient(func(x Expr) Expr { return x.Max() }, 3, 1, 3))
	require.Equal(t, []float64{0, 1, 0}, gradient(func(x Expr) Expr { return x.Min() }, 3, 1, 3))
	require.Equal(t, []float64{0, 1, 1, 1, 0}, gradient(func(x Expr) Expr { return x.Clip(-1, 1) }, -2, -1, 0, 1, 2))
	require.Equal(t, []float64{0, 1, 1}, gradient(func(x Expr) Expr { return x.Maximum(Number(0)) }, -1, 0, 1))
	require.Equal(t, []float64{0, 0, 1}, gradient(func(x Expr) Expr { return Number(0).Maximum(x) }, -1, 0, 1))
	require.Equal(t, []float64{-1, 0, 1}, gradient(Expr.Abs, -1, 0, 1))
	// Not a NaN from the side that is not taken.
	require.Equal(t, []float64{1, 1, 0.5}, gradient(func(x Expr) Expr { return Where(x.Greater(Number(1)), x.Log(), x) }, -1, 0.5, 2))
}

// A NaN is not above anything: Where takes what it takes elsewhere.
func TestWhereOfNaN(t *testing.T) {
	g := gorgonia.NewGraph()
	x := Of(feed(g, "x", vector(math.NaN(), 1, -1)))
	y, err := Where(x, Number(5).Add(x.Mul(Number(0))), Number(7).Add(x.StopGradient().Full(0, 3))).Node()
	require.NoError(t, err)
	require.Equal(t, []float64{7, 5, 7}, wide(stock(t, g, y)[0]))
}

// The first error comes through whatever is made of it, and names what it is about.
func TestExprErrors(t *testing.T) {
	g := gorgonia.NewGraph()
	x, y := Of(feed(g, "x", vector(1, 2, 3))), Of(feed(g, "y", vector(1, 2)))
	single := Of(gorgonia.NewVector(g, tensor.Float32, gorgonia.WithName("single"), gorgonia.WithShape(3)))
	ints := Of(feed(g, "ints", labels(0, 1)))
	for want, e := range map[string]Expr{
		"equal sizes, or a size of 1":         x.Add(y).Mul(x).Sum().Exp(),
		"float":                               x.Add(single),
		"nil":                                 Of(nil).Exp(),
		"number without a tensor":             Number(2).Mul(Number(3)),
		"an axis of a tensor of 1 axes":       x.Sum(1),
		"each named once":                     x.Sum(0, -1),
		"product divides 3 elements":          x.Reshape(2, -1),
		"a shape of 3 elements":               x.Reshape(2, 2),
		"not empty":                           x.Slice(0, 2, 2),
		"a size that 2 divides":               x.Split(0, 2)[1],
		"a known function":                    x.Unary(UnaryFns),
		"There is no":                         {},
		"there is no function":                Number(1).Binary(BinaryFns, Number(2)),
		"at least 1 input":                    Join(0),
		"as in input 0":                       Join(0, x.Reshape(1, 3), y.Reshape(1, 2)),
		"stretches to (2,)":                   x.BroadcastTo(2),
		"a place among 2 axes":                x.Expand(2),
		"must be int":                         x.Gather(0, y),
		"must be float32 or float64":          ints.Exp(),
		"Starts, Stops and Steps for 1 axes":  x.Apply(&Slice{}),
		"input 1 with 3":                      Join(-1, x.Reshape(3, 1), y.Reshape(2, 1)),
		"a Shape without empty axes":          x.Full(1, 0),
		"a gradient of shape (2,)":            x.Apply(&SliceGrad{Starts: []int{0}, Stops: []int{2}, Shape: tensor.Shape{5}}),
		"a gradient of shape (2, 4)":          x.Apply(&GatherGrad{Shape: tensor.Shape{3, 4}}, ints),
		"an axis of a tensor of 2 axes":       x.Reshape(1, 3).Flip(2),
		"an axis of a tensor of 3 axes":       x.Reshape(1, 3, 1).Split(3, 1)[0],
		"want a range of an axis of 3":        x.Slice(0, 7, 9),
		"op: Unary takes 1 inputs, got 2":     x.Apply(&Unary{}, x),
		"an earlier error was probably not c": x.Apply(&Binary{}, Of(nil)),
	} {
		_, err := e.Neg().Node()
		if want == "There is no" {
			require.ErrorContains(t, err, "is a number")
			continue
		}
		require.ErrorContains(t, err, want)
	}
	list := feed(g, "list", labels(0, 3))
	_, err := (&Gather{}).Do(vector(1, 2, 3).Value(), list.Value())
	require.ErrorContains(t, err, "index 1 is 3, want 0 to 2")
	_, err = (&GatherGrad{Shape: tensor.Shape{3}}).Do(vector(1, 2).Value(), list.Value())
	require.ErrorContains(t, err, "index 1 is 3, want 0 to 2")
}

// Numbers compute with each other, and constants are nodes of the element type at hand.
func TestNumbers(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		g := gorgonia.NewGraph()
		x := feed(g, "x", as(t, dt, vector(1, 2)))
		k, err := Const(x, 0.1)
		require.NoError(t, err)
		require.Equal(t, dt, k.Dtype())
		y, err := Of(x).Mul(Number(2).Add(Number(1)).Neg()).Add(Of(k)).Node()
		require.NoError(t, err)
		require.InDeltaSlice(t, []float64{-2.9, -5.9}, wide(stock(t, g, y)[0]), 1e-6)
	}
}
