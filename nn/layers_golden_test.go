package nn

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	_ "github.com/stheno-ml/stheno/cpu" // the engine that runs the layers
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// goldenLayers says what Keras's layers of the cases of a golden file are here.
func goldenLayers(t *testing.T, file string, layers map[string]Layer) {
	cases := numtest.LoadGolden(t, "testdata/golden/"+file+".json").Cases
	require.Len(t, layers, len(cases))
	for _, c := range cases {
		l := layers[c.Name]
		require.NotNil(t, l, c.Name)
		t.Run(c.Name, func(t *testing.T) {
			for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
				for _, engine := range []bool{false, true} {
					t.Run(fmt.Sprintf("%v engine %v", dt, engine), func(t *testing.T) { checkLayer(t, c.For(t), l, dt, engine) })
				}
			}
		})
	}
}

// checkLayer compares the names, the shapes, the result and the gradients of one layer with Keras's, on Gorgonia's machine or on
// the engine that
// STHENO_TEST_DEVICE names, "cpu" by default.
func checkLayer(t *testing.T, c *numtest.Case, l Layer, dt tensor.Dtype, engine bool) {
	b := NewBuilder("")
	if c.Int("channels_first") == 1 {
		b.DataFormat = ChannelsFirst
	}
	x, dx, shapes := goldenInputs(t, c)
	in := b.Input(Shape(x.Shape[1:]))
	inputs := []*Tensor{in}
	if len(shapes) > 1 {
		inputs = nil
		at := 0
		for _, s := range shapes {
			inputs = append(inputs, b.Add(part{at, s}, in))
			at += s.Size()
		}
	}
	out := b.Add(l, inputs...)
	m, err := b.Model(in, out)
	require.NoError(t, err)
	class, _ := l.Identity()
	require.Equal(t, c.Str("class"), class)
	require.Equal(t, c.Str("layer"), out.Layer(), "the automatic name")
	require.Equal(t, c.Ints("shape")[1:], []int(out.Shape()))
	total, _, _ := m.CountParams()
	require.Equal(t, c.Int("params"), total)

	require.NoError(t, m.Allocate(dt))
	var names []string
	for _, w := range m.Weights() {
		name := strings.TrimPrefix(w.Name, out.Layer()+"/")
		names = append(names, name)
		require.NoError(t, w.Set(c.Tensor(name).Dense(dt)))
	}
	require.Equal(t, c.Str("weights"), strings.Join(names, " "))

	g := gorgonia.NewGraph()
	net, err := m.Build(g, BuildConfig{Batch: x.Shape[0], Training: true, Dtype: dt})
	require.NoError(t, err)
	require.NoError(t, gorgonia.Let(net.Input, x.Dense(dt)))
	dy := c.Tensor("dy")
	up := gorgonia.NewTensor(g, dt, len(dy.Shape), gorgonia.WithShape(dy.Shape...), gorgonia.WithName("dy"), gorgonia.WithValue(dy.Dense(dt)))
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{net.Output}, gorgonia.Nodes{up}, append(gorgonia.Nodes{net.Input}, net.Trainable()...))
	require.NoError(t, err)
	var vm gorgonia.VM = gorgonia.NewTapeMachine(g)
	if engine {
		e, err := graph.Open(cmp.Or(os.Getenv("STHENO_TEST_DEVICE"), "cpu"), graph.Config{})
		require.NoError(t, err)
		defer e.Close()
		vm, err = graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(append(gorgonia.Nodes{net.Output}, grads...)...))
		require.NoError(t, err)
	}
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	value := func(n *gorgonia.Node) gorgonia.Value {
		if !engine {
			return n.Value()
		}
		v, err := vm.(*graph.Machine).Value(n)
		require.NoError(t, err)
		return v
	}
	numtest.AssertClose(t, c.Tensor("y"), value(net.Output), numtest.GoldenTol(dt, numtest.Reduction), "y")
	numtest.AssertClose(t, dx, value(grads[0]), numtest.GoldenTol(dt, numtest.Gradient), "dx")
	for i, name := range names {
		if !c.Has("d" + name) { // it is 0, but for rounding
			zero := numtest.Tolerance{Abs: map[tensor.Dtype]float64{tensor.Float32: 1e-6, tensor.Float64: 1e-14}[dt]}
			numtest.AssertClose(t, make([]float64, net.Trainable()[i].Shape().TotalSize()), value(grads[i+1]), zero, "d"+name)
			continue
		}
		numtest.AssertClose(t, c.Tensor("d"+name), value(grads[i+1]), numtest.GoldenTol(dt, numtest.Gradient), "d"+name)
	}
}

// goldenInputs returns the input x of a case and its gradient, or those of x0, x1, … as parts of one vector a sample, and the
// shapes of the samples.
func goldenInputs(t *testing.T, c *numtest.Case) (x, dx *numtest.Tensor, shapes []Shape) {
	if c.Has("x") {
		x, dx = c.Tensor("x"), c.Tensor("dx")
		return x, dx, []Shape{Shape(x.Shape[1:])}
	}
	join := func(prefix string) *numtest.Tensor {
		shapes = nil
		all := &numtest.Tensor{Dtype: "float32", Shape: []int{c.Tensor("x0").Shape[0], 0}}
		for i := 0; c.Has(fmt.Sprintf("x%d", i)); i++ {
			shapes = append(shapes, Shape(c.Tensor(fmt.Sprintf("x%d", i)).Shape[1:]))
			all.Shape[1] += shapes[i].Size()
		}
		for n := range all.Shape[0] {
			for i, s := range shapes {
				one := c.Tensor(fmt.Sprintf("%s%d", prefix, i)).Data
				all.Data = append(all.Data, one[n*s.Size():(n+1)*s.Size()]...)
			}
		}
		return all
	}
	x, dx = join("x"), join("dx")
	require.Greater(t, len(shapes), 1)
	return x, dx, shapes
}

// part is a layer that takes some elements of a vector as a tensor of a shape.
type part struct {
	from  int
	shape Shape
}

func (l part) Identity() (class, name string) { return "Part", "" }
func (l part) Infer(*Spec) (Shape, error)     { return l.shape, nil }
func (l part) Apply(c *Context) *gorgonia.Node {
	x := op.Of(c.Inputs[0]).Slice(1, l.from, l.from+l.shape.Size())
	return c.Expr(x.Reshape(append([]int{c.Inputs[0].Shape()[0]}, l.shape...)...))
}
