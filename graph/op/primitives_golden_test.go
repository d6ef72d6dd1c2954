package op

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/numtest"
)

// checkExpression compares an expression and its gradients with a golden case. The case's other operands are integers.
func checkExpression(t *testing.T, c *numtest.Case, dt tensor.Dtype, names []string, build func(x []Expr) Expr) {
	t.Helper()
	g := gorgonia.NewGraph()
	var in, wrt gorgonia.Nodes
	var xs []Expr
	for _, name := range append(slices.Clone(names), "dy") {
		a := goldenArray(t, c, name, dt)
		n := feed(g, name, a)
		in, xs = append(in, n), append(xs, Of(n))
	}
	y, err := build(xs[:len(names)]).Node()
	require.NoError(t, err)
	cost, err := Of(y).Mul(xs[len(names)]).Sum().Node()
	require.NoError(t, err)
	for _, n := range in[:len(names)] {
		if n.Dtype() == dt && gradientOf(cost, n) {
			wrt = append(wrt, n)
		} else if n.Dtype() == dt {
			require.Equal(t, make([]float64, n.Shape().TotalSize()), c.Tensor("d"+n.Name()).Data, "d%s", n.Name())
		}
	}
	ds, err := gorgonia.Grad(cost, wrt...)
	require.NoError(t, err)
	got := stock(t, g, append(gorgonia.Nodes{y}, ds...)...)
	goldenClose(t, c, "y", got[0], numtest.Reduction)
	for i, n := range wrt {
		goldenClose(t, c, "d"+n.Name(), got[i+1], numtest.Gradient)
	}
}

// gradientOf says whether a way on which gradients flow leads from a node to what it is made of.
func gradientOf(from, to *gorgonia.Node) bool {
	if from == to {
		return true
	}
	o, ok := from.Op().(Op)
	if !ok {
		return false
	}
	children := Children(from)
	for i, d := range o.DiffWRT(len(children)) {
		if d && gradientOf(children[i], to) {
			return true
		}
	}
	return false
}

func TestGoldenUnary(t *testing.T) {
	eachGolden(t, []string{"primitives_unary"}, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
		fn := UnaryFn(slices.Index(unaryNames[:], c.Str("fn")))
		checkExpression(t, c, dt, []string{"x"}, func(x []Expr) Expr { return x[0].Unary(fn) })
	})
}

func TestGoldenBinary(t *testing.T) {
	eachGolden(t, []string{"primitives_binary"}, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
		fn := BinaryFn(slices.Index(binaryNames[:], c.Str("fn")))
		checkExpression(t, c, dt, []string{"a", "b"}, func(x []Expr) Expr { return x[0].Binary(fn, x[1]) })
	})
}

func TestGoldenReduce(t *testing.T) {
	eachGolden(t, []string{"primitives_reduce"}, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
		for fn := range ReduceFns {
			if fn.String() == c.Str("fn") {
				o := &Reduce{Fn: fn, Axes: c.Ints("axes"), KeepDims: c.Int("keep") == 1}
				checkExpression(t, c, dt, []string{"x"}, func(x []Expr) Expr { return x[0].Apply(o) })
			}
		}
	})
}

func TestGoldenProducts(t *testing.T) {
	eachGolden(t, []string{"primitives_products"}, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
		checkExpression(t, c, dt, []string{"a", "b"}, func(x []Expr) Expr { return x[0].BatchMatMul(x[1], c.Int("trans_a") == 1, c.Int("trans_b") == 1) })
	})
}

func TestGoldenMoves(t *testing.T) {
	expressions := map[string]struct {
		names []string
		build func(x []Expr) Expr
	}{
		"join":  {[]string{"a", "b", "c"}, func(x []Expr) Expr { return Join(1, x...) }},
		"stack": {[]string{"a", "b"}, func(x []Expr) Expr { return Stack(-1, x...) }},
		"slice": {[]string{"x"}, func(x []Expr) Expr {
			return x[0].Apply(&Slice{Starts: []int{1, 0, 0}, Stops: []int{3, -1, 6}, Steps: []int{1, 1, 3}})
		}},
		"reversed":  {[]string{"x"}, func(x []Expr) Expr { return x[0].Stride(1, -1, ToStart, -2).Stride(2, 1, 6, 3) }},
		"broadcast": {[]string{"x"}, func(x []Expr) Expr { return x[0].BroadcastTo(2, 3, 5) }},
		"embedding": {[]string{"x", "indices"}, func(x []Expr) Expr { return x[0].Gather(0, x[1]) }},
		"take":      {[]string{"x", "indices"}, func(x []Expr) Expr { return x[0].Gather(1, x[1]) }},
		"clip":      {[]string{"x"}, func(x []Expr) Expr { return x[0].Clip(-0.5, 0.75) }},
		"where":     {[]string{"x", "a", "b"}, func(x []Expr) Expr { return Where(x[0].Greater(Number(0)), x[1], x[2]) }},
		"gelu": {[]string{"x"}, func(x []Expr) Expr {
			return x[0].Mul(Number(0.5)).Mul(x[0].Mul(Number(0.7071067811865476)).Erf().Add(Number(1)))
		}},
	}
	eachGolden(t, []string{"primitives_move"}, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
		e := expressions[c.Name]
		require.NotNil(t, e.build, c.Name)
		checkExpression(t, c, dt, e.names, e.build)
	})
}
