package ir_test

import (
	"io"
	"log"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// stock is a graph of Gorgonia's own operations with float64 inputs.
type stock struct {
	t      *testing.T
	g      *gorgonia.ExprGraph
	values map[*gorgonia.Node]gorgonia.Value
}

func newStock(t *testing.T) *stock {
	return &stock{t, gorgonia.NewGraph(), map[*gorgonia.Node]gorgonia.Value{}}
}

// input is a node with a value.
func (s *stock) input(name string, a op.Array) *gorgonia.Node {
	n := gorgonia.NewTensor(s.g, a.Dtype(), len(a.Shape), gorgonia.WithShape(a.Shape...), gorgonia.WithName(name))
	s.values[n] = a.Value()
	return n
}

// must takes a node that was made.
func (s *stock) must(n *gorgonia.Node, err error) *gorgonia.Node {
	s.t.Helper()
	require.NoError(s.t, err)
	return n
}

// do runs the operation of a node on the values of its operands; the node then has the result as its value.
func (s *stock) do(n *gorgonia.Node) op.Array {
	s.t.Helper()
	var in []gorgonia.Value
	for _, c := range op.Children(n) {
		v, ok := s.values[c]
		require.True(s.t, ok, "operand %v of %v has no value", c, n)
		in = append(in, v)
	}
	v, err := n.Op().Do(in...)
	require.NoError(s.t, err)
	s.values[n] = v
	a, err := op.AsArray(v)
	require.NoError(s.t, err)
	return a
}

// gradient is the first gradient of a node, whose own gradient is dy.
func (s *stock) gradient(n *gorgonia.Node, dy op.Array) *gorgonia.Node {
	s.t.Helper()
	s.do(n)
	grads, err := n.Op().(gorgonia.SDOp).SymDiff(op.Children(n), n, s.input("dy", dy))
	require.NoError(s.t, err)
	return grads[0]
}

// agrees compares ours with Gorgonia's: the shape with the node's, the numbers with those that its Do returns.
func (s *stock) agrees(o ir.Op, n *gorgonia.Node, in ...op.Array) {
	s.t.Helper()
	ours, theirs := compute(s.t, o, in...), s.do(n)
	require.True(s.t, shape.Equal(ours.Shape, n.Shape()), "%v: shape %v, Gorgonia's node has %v", o, ours.Shape, n.Shape())
	numtest.AssertClose(s.t, theirs.Data, ours.Data, numtest.Tol(tensor.Float64, numtest.Gradient), o.String())
}

func TestStockRepeat(t *testing.T) {
	for _, c := range []struct {
		axis int
		x    tensor.Shape
	}{{0, tensor.Shape{4}}, {1, tensor.Shape{4}}, {0, tensor.Shape{3, 4}}, {1, tensor.Shape{3, 1}}, {0, tensor.Shape{1, 4}},
		{0, tensor.Shape{2, 3, 4}}, {1, tensor.Shape{2, 3, 4}}, {2, tensor.Shape{2, 3, 4}}, {2, tensor.Shape{2, 3, 4, 5}}} {
		// The operation of a repetition along an axis is that of the gradient of a sum over it.
		s := newStock(t)
		summed := make(tensor.Shape, max(len(c.x), c.axis+1, 2))
		for i := range summed {
			summed[i] = 2
		}
		sum := s.must(gorgonia.Sum(s.input("s", normal(0, summed...)), c.axis))
		repeat := s.gradient(sum, normal(1, sum.Shape()...)).Op()

		x, o := normal(2, c.x...), &ir.Repeat{Axis: c.axis, Times: 3}
		counts := make(tensor.Shape, c.axis+1)
		counts[c.axis] = o.Times
		want, err := repeat.InferShape(c.x, counts)
		require.NoError(t, err)
		v, err := repeat.Do(x.Value(), gorgonia.NewI(o.Times))
		require.NoError(t, err)
		got := compute(t, o, x)
		require.True(t, shape.Equal(want, got.Shape), "%v of %v: %v, not %v", o, c.x, got.Shape, want)
		require.Equal(t, v.Data(), got.Data)
	}
}

func TestStockSlice(t *testing.T) {
	for _, c := range []struct {
		x tensor.Shape
		o ir.Slice
	}{
		{tensor.Shape{5}, ir.Slice{Start: 1, End: 4, Step: 1}}, {tensor.Shape{5}, ir.Slice{Start: 2, End: 3, Step: 1}},
		{tensor.Shape{4, 5}, ir.Slice{Axis: 0, Start: 1, End: 3, Step: 1}}, {tensor.Shape{4, 5}, ir.Slice{Axis: 1, Start: 1, End: 5, Step: 2}},
		{tensor.Shape{4, 5}, ir.Slice{Axis: 1, Start: 4, End: 5, Step: 1}}, {tensor.Shape{4, 5}, ir.Slice{Axis: 0, Start: 0, End: 1, Step: 1}},
		{tensor.Shape{2, 3, 4}, ir.Slice{Axis: 1, Start: 0, End: 2, Step: 1}}, {tensor.Shape{2, 3, 4}, ir.Slice{Axis: 2, Start: 1, End: 2, Step: 1}},
		{tensor.Shape{2, 3, 4}, ir.Slice{Axis: 2, Start: 0, End: 4, Step: 2}},
	} {
		s := newStock(t)
		x := normal(3, c.x...)
		ranges := make([]tensor.Slice, c.o.Axis+1)
		n := s.input("x", x)
		ranges[c.o.Axis] = gorgonia.S(c.o.Start, c.o.End, c.o.Step)
		for _, r := range ranges[:c.o.Axis] { // Gorgonia makes an operation for each axis, also where nothing is cut
			require.Nil(t, r)
		}
		all, err := gorgonia.Slice(n, ranges...)
		require.NoError(t, err)
		for _, copied := range chain(all, n) {
			s.do(copied)
		}
		s.agrees(&c.o, all, x)
		dy := normal(4, all.Shape()...)
		g := s.gradient(all, dy)
		s.agrees(&ir.SliceGrad{Slice: &c.o, InputShape: c.x}, g, dy)
	}
}

// chain are the nodes between from and its only ancestor to, the first to compute first.
func chain(from, to *gorgonia.Node) (nodes []*gorgonia.Node) {
	for n := op.Children(from)[0]; n != to; n = op.Children(n)[0] {
		nodes = append([]*gorgonia.Node{n}, nodes...)
	}
	return nodes
}

func TestStockConcatAtGatherDiag(t *testing.T) {
	for axis := range 3 {
		s := newStock(t)
		a, b := normal(5, 2, 3, 4), normal(6, with([]int{2, 3, 4}, axis, 5)...)
		s.agrees(&ir.Concat{Axis: axis}, s.must(gorgonia.Concat(axis, s.input("a", a), s.input("b", b), s.input("c", a))), a, b, a)
	}
	s := newStock(t)
	x := normal(7, 3, 4)
	n := s.input("x", x)
	s.agrees(&ir.At{Coordinates: []int{2, 1}}, s.must(gorgonia.At(n, 2, 1)), x)
	s.agrees(&ir.DiagFlat{}, s.must(gorgonia.DiagFlat(n)), x)
	indices := vector(2, 0, 2, 1, 1)
	gather := s.must(gorgonia.ByIndices(n, s.input("i", indices), 0))
	s.agrees(&ir.Gather{}, gather, x, indices)
	dy := normal(8, 5, 4)
	s.agrees(&ir.GatherGrad{InputShape: x.Shape}, s.gradient(gather, dy), dy, indices)
}

// Gorgonia's sums over inner axes of tensors of four are wrong, and so are not asked.
func TestStockReduce(t *testing.T) {
	for _, c := range []struct {
		x    tensor.Shape
		axes []int
	}{
		{tensor.Shape{5}, nil}, {tensor.Shape{5}, []int{0}}, {tensor.Shape{3, 4}, []int{0}}, {tensor.Shape{3, 4}, []int{1}},
		{tensor.Shape{3, 4}, []int{0, 1}}, {tensor.Shape{2, 3, 4}, []int{0}}, {tensor.Shape{2, 3, 4}, []int{1}}, {tensor.Shape{2, 3, 4}, []int{2}},
		{tensor.Shape{2, 3, 4, 5}, []int{0}}, {tensor.Shape{2, 3, 4, 5}, []int{3}}, {tensor.Shape{3, 1}, []int{1}}, {tensor.Shape{1, 3}, []int{1}},
	} {
		s := newStock(t)
		x := normal(9, c.x...)
		n := s.input("x", x)
		s.agrees(&ir.Reduce{Axes: c.axes}, s.must(gorgonia.Sum(n, c.axes...)), x)
		s.agrees(&ir.Reduce{Fn: ir.ReduceMax, Axes: c.axes}, s.must(gorgonia.Max(n, c.axes...)), x)
	}
}

func TestStockBatchMatMul(t *testing.T) {
	for i := range 4 {
		o := &ir.BatchMatMul{TransA: i&1 != 0, TransB: i&2 != 0}
		a, b := normal(10, 2, 3, 4), normal(11, 2, 4, 5)
		if o.TransA {
			a = normal(10, 2, 4, 3)
		}
		if o.TransB {
			b = normal(11, 2, 5, 4)
		}
		s := newStock(t)
		s.agrees(o, s.must(gorgonia.BatchedMatMul(s.input("a", a), s.input("b", b), o.TransA, o.TransB)), a, b)
	}
}

func TestStockWindows(t *testing.T) {
	x := normal(12, 2, 3, 7, 6)
	for _, o := range []ir.Im2Col{
		{Kernel: [2]int{3, 3}, Pad: [2]int{1, 1}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}},
		{Kernel: [2]int{3, 2}, Pad: [2]int{0, 2}, Stride: [2]int{2, 1}, Dilation: [2]int{1, 3}},
	} {
		s := newStock(t)
		y := s.must(gorgonia.Im2Col(s.input("x", x), o.Kernel[:], o.Pad[:], o.Stride[:], o.Dilation[:]))
		s.agrees(&o, y, x)
		dy := normal(13, y.Shape()...)
		s.agrees(&ir.Col2Im{Im2Col: o, InputShape: x.Shape}, s.gradient(y, dy), dy)
	}
	s := newStock(t)
	y := s.must(gorgonia.Upsample2D(s.input("x", x), 3))
	s.agrees(&ir.Upsample{Scale: 3}, y, x)
	dy := normal(14, y.Shape()...)
	s.agrees(&ir.UpsampleGrad{Scale: 3}, s.gradient(y, dy), dy)
}

func TestStockGroupNorm(t *testing.T) {
	log.SetOutput(io.Discard) // Gorgonia logs the gradient
	defer log.SetOutput(os.Stderr)
	s := newStock(t)
	x := normal(15, 2, 6, 3, 4)
	scaled := s.must(gorgonia.GroupNorm(s.input("x", x), s.input("scale", normal(16, 1, 6, 1, 1)), s.input("bias", normal(17, 1, 6, 1, 1)), 3, 6, 1e-5))
	var norm *gorgonia.Node
	for _, n := range scaled.Graph().AllNodes() {
		if _, ok := n.Op().(*gorgonia.GroupNormOp); ok {
			norm = n
		}
	}
	s.agrees(&ir.GroupNorm{Groups: 3, Epsilon: 1e-5}, norm, x)
	dy := normal(18, x.Shape...)
	s.agrees(&ir.GroupNormGrad{Groups: 3, Epsilon: 1e-5}, s.gradient(norm, dy), x, dy)
}
