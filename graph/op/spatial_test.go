package op

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/numtest"
)

// spatialCase is an operation of images with the shapes of its inputs; the tests of this file hold for all of them.
type spatialCase struct {
	name string
	op   Op
	in   []tensor.Shape
}

// spatialCases returns every geometry of the convolutions, poolings and the smaller image operations.
func spatialCases() []spatialCase {
	cases := append(convCases(), poolCases()...)
	add := func(name string, o Op, in ...tensor.Shape) { cases = append(cases, spatialCase{name, o, in}) }
	for _, f := range []Layout{NHWC, NCHW} {
		x := imageShape(f, 2, 5, 3, 4)
		add(fmt.Sprintf("global average %v", f), &GlobalAvgPool2D{Format: f}, x)
		add(fmt.Sprintf("global average gradient %v", f), &GlobalAvgPool2DGrad{Format: f, InputShape: x}, tensor.Shape{2, 4})
		add(fmt.Sprintf("zero pad %v", f), &ZeroPad2D{Top: 1, Bottom: 2, Left: 3, Format: f}, x)
		add(fmt.Sprintf("crop %v", f), &Crop2D{Top: 1, Bottom: 2, Right: 2, Format: f}, x)
	}
	for _, axis := range []int{0, 1, -1} {
		x := tensor.Shape{2, 3, 5, 4}
		c := tensor.Shape{x[(axis+4)%4]}
		add(fmt.Sprintf("bias axis %d", axis), &BiasAdd{Axis: axis}, x, c)
		add(fmt.Sprintf("bias gradient axis %d", axis), &BiasGrad{Axis: axis}, x)
		add(fmt.Sprintf("channel broadcast axis %d", axis), &ChannelBroadcast{Axis: axis, Shape: x}, c)
		add(fmt.Sprintf("affine axis %d", axis), &ChannelAffine{Axis: axis, Scale: -1.5, Shift: make([]float64, c[0])}, x)
	}
	add("bias of a matrix", &BiasAdd{Axis: -1}, tensor.Shape{3, 4}, tensor.Shape{4})
	add("bias gradient of a matrix", &BiasGrad{Axis: -1}, tensor.Shape{3, 4})
	add("bias of a vector", &BiasAdd{}, tensor.Shape{3}, tensor.Shape{3})
	add("affine without shift", &ChannelAffine{Axis: -1, Scale: 255}, tensor.Shape{2, 3})
	add("permute to NCHW", &Permute{Axes: []int{0, 3, 1, 2}}, tensor.Shape{2, 3, 5, 4})
	add("permute to NHWC", &Permute{Axes: []int{0, 2, 3, 1}}, tensor.Shape{2, 3, 5, 4})
	add("transpose", &Permute{Axes: []int{1, 0}}, tensor.Shape{3, 7})
	add("permute a vector", &Permute{Axes: []int{0}}, tensor.Shape{3})
	return cases
}

// randomArray returns numbers between -1 and 1; all differ, so that no two maxima tie.
func randomArray(dt tensor.Dtype, seed uint64, s tensor.Shape) Array {
	a, err := NewArray(dt, s)
	if err != nil {
		panic(err)
	}
	rng := rand.New(rand.NewPCG(seed, 7))
	for i := range Len(s) {
		v := 2*rng.Float64() - 1
		if x, ok := a.Data.([]float32); ok {
			x[i] = float32(v)
		} else {
			a.Data.([]float64)[i] = v
		}
	}
	return a
}

// reference runs an operation's reference as package graph does: Infer, an output full of rubbish, Reference.
func reference(t *testing.T, o Op, in ...Array) Array {
	t.Helper()
	shapes := make([]tensor.Shape, len(in))
	for i, a := range in {
		shapes[i] = a.Shape
	}
	s, err := o.Infer(shapes)
	require.NoError(t, err)
	out := randomArray(in[0].Dtype(), 99, s)
	require.NoError(t, o.Reference(out, in))
	return out
}

// inputs returns random inputs. The gradient of a max pooling gets the pooling's own result as y.
func (c spatialCase) inputs(t *testing.T, dt tensor.Dtype) []Array {
	in := make([]Array, len(c.in))
	for i, s := range c.in {
		in[i] = randomArray(dt, uint64(i+1), s)
	}
	switch o := c.op.(type) {
	case *MaxPool2DGrad:
		in[1] = reference(t, &MaxPool2D{PoolAttrs: o.PoolAttrs}, in[0])
	case *MaxPool2DGather:
		in[1] = reference(t, &MaxPool2D{PoolAttrs: o.PoolAttrs}, in[0])
	}
	return in
}

// evaluate computes a node from the values of others by the references.
func evaluate(t *testing.T, n *gorgonia.Node, known map[*gorgonia.Node]Array) Array {
	t.Helper()
	if a, ok := known[n]; ok {
		return a
	}
	o, ok := n.Op().(Op)
	require.True(t, ok, "node %v has no value", n)
	var in []Array
	for _, c := range Children(n) {
		in = append(in, evaluate(t, c, known))
	}
	known[n] = reference(t, o, in...)
	return known[n]
}

// dense returns arrays as tensors that share their memory.
func dense(in []Array) []*tensor.Dense {
	out := make([]*tensor.Dense, len(in))
	for i, a := range in {
		out[i] = a.Value().(*tensor.Dense)
	}
	return out
}

// TestSpatialGradients compares every derivative with central differences. The table holds the backward operations too,
// so second derivatives are checked as well.
func TestSpatialGradients(t *testing.T) {
	for _, c := range spatialCases() {
		t.Run(c.op.Kind()+"/"+c.name, func(t *testing.T) {
			in := c.inputs(t, tensor.Float64)
			diff := c.op.DiffWRT(len(in))
			require.Len(t, diff, len(in))
			var fixed []int
			for i, d := range diff {
				if !d {
					fixed = append(fixed, i)
				}
			}
			numtest.CheckGrad(t, func(_ *gorgonia.ExprGraph, ins []*gorgonia.Node) (*gorgonia.Node, error) {
				return Apply(c.op, ins...)
			}, dense(in), numtest.GradOptions{Fixed: fixed, Directions: 2, Coords: 4})
		})
	}
}

// TestSpatialStockMachine runs every operation through Gorgonia's own machine, in both precisions.
func TestSpatialStockMachine(t *testing.T) {
	for _, c := range spatialCases() {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			t.Run(fmt.Sprintf("%s/%s/%v", c.op.Kind(), c.name, dt), func(t *testing.T) {
				g := gorgonia.NewGraph()
				in := c.inputs(t, dt)
				y, err := Apply(c.op, feedAll(g, in)...)
				require.NoError(t, err)
				want, a := reference(t, c.op, in...), stock(t, g, y)[0]
				require.Equal(t, []int(want.Shape), []int(a.Shape))
				require.Equal(t, want.Data, a.Data)
				require.Equal(t, dt, y.Dtype())
			})
		}
	}
}

// TestSpatialFloat32 checks that the float32 reference is the float64 result rounded once.
func TestSpatialFloat32(t *testing.T) {
	for _, c := range spatialCases() {
		t.Run(c.op.Kind()+"/"+c.name, func(t *testing.T) {
			in := c.inputs(t, tensor.Float32)
			widened := make([]Array, len(in))
			for i, a := range in {
				widened[i] = Array{a.Shape, wide(a)}
			}
			want, got := reference(t, c.op, widened...), reference(t, c.op, in...)
			for i, v := range want.Data.([]float64) {
				require.Equal(t, float32(v), got.Data.([]float32)[i])
			}
		})
	}
}

// TestSpatialOpsKeepInputs checks that references leave their inputs alone.
func TestSpatialOpsKeepInputs(t *testing.T) {
	for _, c := range spatialCases() {
		in, again := c.inputs(t, tensor.Float64), c.inputs(t, tensor.Float64)
		reference(t, c.op, in...)
		require.Equal(t, again, in, "%s %s", c.op.Kind(), c.name)
	}
}

// TestSpatialStrings checks that String tells apart every two cases that compute something else: hashing and merging
// rest on it.
func TestSpatialStrings(t *testing.T) {
	seen := map[string]string{}
	for _, c := range spatialCases() {
		key := fmt.Sprint(c.op, c.in)
		require.Empty(t, seen[key], "%s and %s print alike: %s", seen[key], c.name, key)
		seen[key] = c.name
		require.Contains(t, c.op.String(), c.op.Kind())
	}
}

// TestSpatialChain differentiates a small network: the operations work together, in either layout.
func TestSpatialChain(t *testing.T) {
	for _, f := range []Layout{NHWC, NCHW} {
		t.Run(f.String(), func(t *testing.T) {
			_, _, channels := f.Axes()
			in := []*tensor.Dense{
				numtest.Normal(1, tensor.Float64, imageShape(f, 2, 7, 6, 3)...),
				numtest.Normal(2, tensor.Float64, 3, 3, 3, 4),
				numtest.Normal(3, tensor.Float64, 4),
			}
			numtest.CheckGrad(t, func(_ *gorgonia.ExprGraph, ins []*gorgonia.Node) (*gorgonia.Node, error) {
				h, err := ins[0], error(nil)
				step := func(o Op, more ...*gorgonia.Node) {
					if err == nil {
						h, err = Apply(o, append([]*gorgonia.Node{h}, more...)...)
					}
				}
				step(&ChannelAffine{Axis: channels, Scale: 2, Shift: []float64{0.1, -0.2, 0.3}})
				step(&ZeroPad2D{Top: 1, Right: 2, Format: f})
				step(&Conv2D{ConvAttrs: ConvAttrs{Padding: Padding{Mode: Same}, Format: f}}, ins[1])
				step(&BiasAdd{Axis: channels}, ins[2])
				step(&ReLU{})
				step(&MaxPool2D{PoolAttrs: PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}, Padding: Padding{Mode: Same}, Format: f}})
				step(&AvgPool2D{PoolAttrs: PoolAttrs{Strides: [2]int{1, 1}, Format: f}})
				step(&GlobalAvgPool2D{Format: f})
				return h, err
			}, in, numtest.GradOptions{})
		})
	}
}
