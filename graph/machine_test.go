package graph_test

import (
	"bytes"
	"errors"
	"hash"
	"hash/fnv"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/chewxy/hm"
	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

func TestReferenceEngineConforms(t *testing.T) {
	numtest.Sequential(t)
	enginetest.Run(t, func(*testing.T) graph.Engine { return enginetest.Reference{} }, tensor.Float32)
}

// onlyCPU skips a test of what is so on the CPU alone.
func onlyCPU(t testing.TB, why string) {
	if *graph.DefaultDevice != "cpu" {
		t.Skip(why)
	}
}

// openCPU opens the engine that the tests are run on: the CPU's, but see device_gpu_test.go.
func openCPU(t testing.TB) graph.Engine {
	e, err := graph.Open(*graph.DefaultDevice, graph.Config{Threads: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func compile(t testing.TB, g *gorgonia.ExprGraph, opts ...graph.Option) *graph.Machine {
	t.Helper()
	m, err := graph.Compile(g, append([]graph.Option{graph.WithEngine(openCPU(t))}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// value runs the machine and returns an output's numbers.
func value(t testing.TB, m *graph.Machine, n *gorgonia.Node) any {
	t.Helper()
	require.NoError(t, m.RunAll())
	v, err := m.Value(n)
	require.NoError(t, err)
	return v.Data()
}

func vector(x ...float32) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(x)), tensor.WithBacking(x))
}

// doubled is a graph that computes twice its input of 3 numbers.
func doubled(t testing.TB) (g *gorgonia.ExprGraph, x, y *gorgonia.Node) {
	g = gorgonia.NewGraph()
	x = gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(3), gorgonia.WithName("x"))
	y, err := op.Apply(&op.Scale{Factor: 2}, x)
	require.NoError(t, err)
	return g, x, y
}

func TestRunsSeeNewValues(t *testing.T) {
	g, x, y := doubled(t)
	m := compile(t, g)
	first := vector(1, 2, 3)
	require.NoError(t, gorgonia.Let(x, first))
	require.Equal(t, []float32{2, 4, 6}, value(t, m, y))
	require.Equal(t, []float32{2, 4, 6}, value(t, m, y), "RunAll without Reset runs again")
	m.Reset()
	require.Equal(t, []float32{2, 4, 6}, value(t, m, y))

	first.Data().([]float32)[1] = 7 // the same tensor, changed
	require.Equal(t, []float32{2, 14, 6}, value(t, m, y))
	require.NoError(t, gorgonia.Let(x, vector(5, 5, 5))) // another tensor
	require.Equal(t, []float32{10, 10, 10}, value(t, m, y))
	require.NoError(t, gorgonia.Let(x, first))
	require.Equal(t, []float32{2, 14, 6}, value(t, m, y))
	require.Equal(t, []float32{2, 14, 6}, y.Value().Data(), "outputs are bound to their nodes")

	v, err := m.Value(y)
	require.NoError(t, err)
	require.NoError(t, gorgonia.Let(x, vector(0, 0, 1)))
	require.NoError(t, m.RunAll())
	require.Equal(t, []float32{0, 0, 2}, v.Data(), "a value is overwritten by the next run")
}

// Slices and transposes are tensors like others.
func TestFedViews(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(2, 2), gorgonia.WithName("x"))
	y, err := op.Apply(&op.Scale{Factor: 2}, x)
	require.NoError(t, err)
	m := compile(t, g)
	feed := func(v gorgonia.Value) { require.NoError(t, gorgonia.UnsafeLet(x, v)) }
	whole := tensor.New(tensor.WithShape(3, 3), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9}))
	slice := func(slices ...tensor.Slice) *tensor.Dense {
		v, err := whole.Slice(slices...)
		require.NoError(t, err)
		return v.(*tensor.Dense)
	}

	block := slice(gorgonia.S(1, 3), gorgonia.S(0, 2)) // columns are missing between the rows
	feed(block)
	require.Equal(t, []float32{8, 10, 14, 16}, value(t, m, y))
	whole.Data().([]float32)[3] = 40
	require.Equal(t, []float32{80, 10, 14, 16}, value(t, m, y), "changes of what the view shows are seen")

	square := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{1, 2, 3, 4}))
	feed(square)
	require.Equal(t, []float32{2, 4, 6, 8}, value(t, m, y))
	require.NoError(t, square.T()) // the same tensor is another matrix now, without a new Let
	require.Equal(t, []float32{2, 6, 4, 8}, value(t, m, y))
	square.UT()
	require.Equal(t, []float32{2, 4, 6, 8}, value(t, m, y))
	require.NoError(t, square.Reshape(4))
	var fe *graph.FeedError
	require.ErrorAs(t, m.RunAll(), &fe)
	require.NoError(t, square.Reshape(2, 2))
	require.Equal(t, []float32{2, 4, 6, 8}, value(t, m, y))

	fortran := tensor.New(tensor.WithShape(2, 2), tensor.AsFortran([]float32{1, 2, 3, 4}))
	feed(fortran)
	require.ErrorAs(t, m.RunAll(), &fe)
	require.Contains(t, fe.Error(), "column-major")

	// Rows of a tensor lie together: no copy, and still the right rows.
	tall := tensor.New(tensor.WithShape(4, 2), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6, 7, 8}))
	rows, err := tall.Slice(gorgonia.S(1, 3))
	require.NoError(t, err)
	feed(rows)
	require.Equal(t, []float32{6, 8, 10, 12}, value(t, m, y))
	tall.Data().([]float32)[2] = 30
	require.Equal(t, []float32{60, 8, 10, 12}, value(t, m, y))
}

func TestFedScalars(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(2), gorgonia.WithName("x"), gorgonia.WithValue(vector(1, 2)))
	s := gorgonia.NewScalar(g, tensor.Float32, gorgonia.WithName("lr"))
	y, err := op.Apply(&op.Descend{}, x, x, s)
	require.NoError(t, err)
	m := compile(t, g)
	lr := gorgonia.NewF32(0.5)
	require.NoError(t, gorgonia.Let(s, lr))
	require.Equal(t, []float32{0.5, 1}, value(t, m, y))
	*lr = 0 // in place
	require.Equal(t, []float32{1, 2}, value(t, m, y))
	require.NoError(t, gorgonia.Let(s, float32(1))) // Gorgonia boxes Go numbers
	require.Equal(t, []float32{0, 0}, value(t, m, y))
	boxed := tensor.New(tensor.FromScalar(float32(2)))
	require.NoError(t, gorgonia.Let(s, boxed))
	require.Equal(t, []float32{-1, -2}, value(t, m, y))
	boxed.Set(0, float32(3)) // in place
	require.Equal(t, []float32{-2, -4}, value(t, m, y))
	require.Zero(t, testing.AllocsPerRun(10, func() { err = errors.Join(err, m.RunAll()) }))
	require.NoError(t, err)
	row, err := vector(4, 5, 6).Slice(gorgonia.S(1)) // a scalar that is a view
	require.NoError(t, err)
	require.NoError(t, gorgonia.Let(s, row))
	require.Equal(t, []float32{-4, -8}, value(t, m, y))
}

func TestFeedErrorsNameTheNode(t *testing.T) {
	g, x, y := doubled(t)
	m := compile(t, g)
	refused := func(words ...string) {
		t.Helper()
		var fe *graph.FeedError
		require.ErrorAs(t, m.RunAll(), &fe)
		require.Equal(t, "x", fe.Node)
		for _, w := range append(words, `input "x" wants float32 of shape (3)`) {
			require.Contains(t, fe.Error(), w)
		}
	}
	refused("no value", "gorgonia.Let")
	bind := func(v gorgonia.Value) { letAnyway(x, v) }
	bind(vector(1, 2))
	refused("float32 of shape (2)")
	bind(tensor.New(tensor.WithShape(3, 1), tensor.WithBacking([]float32{1, 2, 3})))
	refused("shape (3, 1)")
	bind(tensor.New(tensor.WithShape(3), tensor.WithBacking([]float64{1, 2, 3})))
	refused("float64")
	bind(gorgonia.NewF32(1))
	refused("shape ()")
	bind(vector(1, 2, 3))
	require.Equal(t, []float32{2, 4, 6}, value(t, m, y), "the machine is usable after refusals")
}

// letAnyway binds a value that gorgonia.Let would refuse. Other ways to bind are less strict, and a tensor can change
// after it was bound.
func letAnyway(n *gorgonia.Node, v gorgonia.Value) {
	bound := reflect.ValueOf(n).Elem().FieldByName("boundTo")
	reflect.NewAt(bound.Type(), unsafe.Pointer(bound.UnsafeAddr())).Elem().Set(reflect.ValueOf(v))
}

func TestValueOfOtherNodes(t *testing.T) {
	g, x, y := doubled(t)
	m := compile(t, g)
	require.NoError(t, gorgonia.Let(x, vector(1, 2, 3)))
	v, err := m.Value(y)
	require.NoError(t, err)
	require.Equal(t, []float32{0, 0, 0}, v.Data(), "before the first run")
	_, err = m.Value(x)
	require.ErrorContains(t, err, `"x" is not an output`)
	_, err = m.Value(nil)
	require.ErrorContains(t, err, "not an output")
}

func TestClosedMachine(t *testing.T) {
	g, x, y := doubled(t)
	require.NoError(t, gorgonia.Let(x, vector(1, 2, 3)))
	m, err := graph.Compile(g) // opens its own engine
	require.NoError(t, err)
	require.Equal(t, []float32{2, 4, 6}, value(t, m, y))
	require.NoError(t, m.Close())
	require.NoError(t, m.Close())
	require.ErrorIs(t, m.RunAll(), graph.ErrClosed)
	require.ErrorIs(t, m.Sync(), graph.ErrClosed)
	m.Reset()
	v, err := m.Value(y)
	require.NoError(t, err)
	require.Equal(t, []float32{2, 4, 6}, v.Data())
}

func TestClosedEngine(t *testing.T) {
	g, x, _ := doubled(t)
	require.NoError(t, gorgonia.Let(x, vector(1, 2, 3)))
	e, err := cpu.New(cpu.Config{Threads: 2})
	require.NoError(t, err)
	m, err := graph.Compile(g, graph.WithEngine(e))
	require.NoError(t, err)
	require.NoError(t, e.Close())
	require.ErrorContains(t, m.RunAll(), "closed")
	_, err = graph.Compile(g, graph.WithEngine(e))
	require.ErrorContains(t, err, "closed")
	require.NoError(t, m.Close())
}

// userOp is an operation of a user's own, which graph does not know.
type userOp struct {
	name string
	do   func(in []gorgonia.Value) (gorgonia.Value, error)
}

func first(in []gorgonia.Value) (gorgonia.Value, error) { return in[0], nil }

func (o userOp) Arity() int { return -1 }
func (o userOp) Type() hm.Type {
	m := gorgonia.TensorType{Dims: 2, Of: hm.TypeVariable('a')}
	return hm.NewFnType(m, m, m)
}
func (o userOp) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	return in[0].(tensor.Shape).Clone(), nil
}
func (o userOp) Do(in ...gorgonia.Value) (gorgonia.Value, error) { return o.do(in) }
func (o userOp) ReturnsPtr() bool                                { return false }
func (o userOp) CallsExtern() bool                               { return false }
func (o userOp) OverwritesInput() int                            { return -1 }
func (o userOp) WriteHash(h hash.Hash)                           { h.Write([]byte(o.name)) }
func (o userOp) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}
func (o userOp) String() string { return o.name }

// Whatever a user's operation does, the process lives and the error names the operation.
func TestUserOperations(t *testing.T) {
	cause := errors.New("no luck")
	for name, c := range map[string]struct {
		do   func(in []gorgonia.Value) (gorgonia.Value, error)
		want string // in the error; none if it works
		is   error
	}{
		"works":                {do: first},
		"writes to its inputs": {do: func(in []gorgonia.Value) (gorgonia.Value, error) { in[0].(*tensor.Dense).Zero(); return in[0], nil }},
		"panics with a text":   {do: func([]gorgonia.Value) (gorgonia.Value, error) { panic("oh") }, want: "panic: oh"},
		"panics with an error": {do: func([]gorgonia.Value) (gorgonia.Value, error) { panic(cause) }, want: "no luck", is: cause},
		"indexes too far": {do: func(in []gorgonia.Value) (gorgonia.Value, error) { return in[len(in)], nil },
			want: "index out of range"},
		"returns an error": {do: func([]gorgonia.Value) (gorgonia.Value, error) { return nil, cause }, want: "no luck", is: cause},
		"returns nothing":  {do: func([]gorgonia.Value) (gorgonia.Value, error) { return nil, nil }, want: "neither a value nor an error"},
		"returns the transposed shape": {do: func([]gorgonia.Value) (gorgonia.Value, error) {
			return tensor.New(tensor.WithShape(3, 2), tensor.Of(tensor.Float32)), nil
		}, want: "it returned float32 of shape (3, 2), its node has float32 of shape (2, 3)"},
		"returns another type": {do: func([]gorgonia.Value) (gorgonia.Value, error) {
			return tensor.New(tensor.WithShape(2, 3), tensor.Of(tensor.Float64)), nil
		}, want: "it returned float64"},
		"returns a scalar": {do: func([]gorgonia.Value) (gorgonia.Value, error) { return gorgonia.NewF32(1), nil }, want: "shape ()"},
	} {
		t.Run(name, func(t *testing.T) {
			b := enginetest.NewB(t, tensor.Float32)
			x, z := b.Input("x", 2, 3), b.Input("z", 2, 3)
			before := append([]float32(nil), x.Value().Data().([]float32)...)
			u, err := gorgonia.ApplyOp(userOp{"user's op", c.do}, x, z)
			require.NoError(t, err)
			m := compile(t, b.G, graph.WithOutputs(b.Apply(&op.ReLU{}, u)))
			for range 2 {
				err = m.RunAll()
				if c.want == "" {
					require.NoError(t, err)
					continue
				}
				var se *graph.StepError
				require.ErrorAs(t, err, &se)
				require.Contains(t, se.Op, "user's op")
				require.Equal(t, u.Name(), se.Node)
				require.ErrorContains(t, err, c.want)
				require.Equal(t, strings.HasPrefix(name, "panics") || name == "indexes too far", bytes.Contains(se.Stack, []byte("machine_test.go")), "the stack of a panic")
				if c.is != nil {
					require.ErrorIs(t, err, c.is)
				}
			}
			require.Equal(t, before, x.Value().Data(), "the caller's tensor")
		})
	}
}

// Machines of Compile have all methods of tape machines.
func TestLetAndSetOfCompiledMachine(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float64)
	x := b.Filled("x", []float32{1, 2, 3}, 3)
	y := b.Apply(&op.Scale{Factor: 2}, x)
	m, err := graph.Compile(b.G, graph.WithEngine(openCPU(t)), graph.WithOutputs(y))
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, m.Let(x, tensor.New(tensor.WithBacking([]float64{4, 5, 6}))))
	require.NoError(t, m.RunAll())
	require.Equal(t, []float64{8, 10, 12}, y.Value().Data())
	require.NoError(t, m.Set(x, y))
	require.NoError(t, m.RunAll())
	require.Equal(t, []float64{16, 20, 24}, y.Value().Data())
	other := enginetest.NewB(t, tensor.Float64)
	require.ErrorContains(t, m.Let(other.Input("z", 3), nil), "another graph")
}
