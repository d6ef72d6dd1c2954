//go:build gpu && cgo && linux

package cuda_test

import (
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chewxy/hm"
	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// tripled is an operation that nobody has a kernel for: three times a vector of float32. It fails if told to.
type tripled struct{ fails error }

func (tripled) Arity() int { return 1 }
func (tripled) Type() hm.Type {
	v := gorgonia.TensorType{Dims: 1, Of: tensor.Float32}
	return hm.NewFnType(v, v)
}
func (tripled) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	return in[0].(tensor.Shape).Clone(), nil
}
func (o tripled) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	if o.fails != nil {
		return nil, o.fails
	}
	x := in[0].Data().([]float32)
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = 3 * v
	}
	return tensor.New(tensor.WithBacking(y)), nil
}
func (tripled) ReturnsPtr() bool        { return true }
func (tripled) CallsExtern() bool       { return false }
func (tripled) OverwritesInput() int    { return -1 }
func (o tripled) WriteHash(h hash.Hash) { fmt.Fprint(h, o.String()) }
func (o tripled) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}
func (tripled) String() string { return "tripled" }

// An operation without a kernel runs on the host in the middle of the program: its results are right, the log says so once, and a
// profile shows what is copied.
func TestStepsOnTheHost(t *testing.T) {
	needGPU(t)
	var lines []string
	e, err := cuda.New(cuda.Config{Log: func(line string) { lines = append(lines, line) }})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	g := gorgonia.NewGraph()
	x := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(3), gorgonia.WithName("x"), gorgonia.WithValue(vector(1, 2, 3)))
	h, err := op.Apply(&op.Scale{Factor: 2}, x)
	require.NoError(t, err)
	h, err = gorgonia.ApplyOp(tripled{}, h)
	require.NoError(t, err)
	y, err := op.Apply(&op.Scale{Factor: 10}, h)
	require.NoError(t, err)
	for range 2 {
		m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(y))
		require.NoError(t, err)
		require.NoError(t, m.StartProfile())
		v, err := m.Value(y)
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, m.RunAll())
			require.Equal(t, []float32{60, 120, 180}, v.Data())
		}
		require.Contains(t, m.Profile().String(), "host (12 bytes copied from the device, 12 to it)")
		require.NoError(t, m.Close())
	}
	n := 0
	for _, line := range lines {
		if strings.Contains(line, "HostOp") {
			n++
			require.Contains(t, line, "runs on the host")
		}
	}
	require.Equal(t, 1, n, "%q", lines)
}

func TestStepOnTheHostFails(t *testing.T) {
	e := open(t, cuda.Config{})
	g := gorgonia.NewGraph()
	x := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(3), gorgonia.WithName("x"), gorgonia.WithValue(vector(1, 2, 3)))
	wanted := errors.New("no")
	y, err := gorgonia.ApplyOp(tripled{wanted}, x)
	require.NoError(t, err)
	m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(y))
	require.NoError(t, err)
	defer m.Close()
	var failed *graph.StepError
	require.ErrorAs(t, m.RunAll(), &failed)
	require.ErrorIs(t, failed, wanted)
}

// A wrong label is an error before anything is updated, and the machine goes on with right ones.
func TestLabelsOutOfRange(t *testing.T) {
	e := open(t, cuda.Config{})
	for _, o := range []op.Op{&op.SoftmaxCrossEntropy{}, &op.CrossEntropy{}, &op.TopKCorrect{K: 1}} {
		g := gorgonia.NewGraph()
		scores := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(3, 4), gorgonia.WithName("scores"),
			gorgonia.WithValue(tensor.New(tensor.WithShape(3, 4), tensor.Of(tensor.Float32))))
		classes := []int{0, 3, 1}
		labels := gorgonia.NewVector(g, tensor.Int, gorgonia.WithShape(3), gorgonia.WithName("labels"), gorgonia.WithValue(tensor.New(tensor.WithBacking(classes))))
		y, err := op.Apply(o, scores, labels)
		require.NoError(t, err)
		w := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(2), gorgonia.WithName("w"), gorgonia.WithValue(vector(1, 2)))
		twice, err := op.Apply(&op.Scale{Factor: 2}, w)
		require.NoError(t, err)
		m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(y), graph.WithUpdates(op.Update{Target: w, New: twice}))
		require.NoError(t, err)
		require.NoError(t, m.RunAll())
		for _, bad := range []int{-1, 4} {
			classes[1] = bad
			var failed *graph.StepError
			require.ErrorAs(t, m.RunAll(), &failed)
			require.ErrorContains(t, failed, "label of row 1 is")
			require.ErrorContains(t, failed, "want 0 to 3")
		}
		classes[1] = 9
		require.NoError(t, m.Feed())
		classes[1] = 2
		require.ErrorContains(t, m.RunAll(), "label of row 1 is 9", "what was fed counts, not what the tensor holds now")
		require.NoError(t, m.RunAll())
		require.NoError(t, m.Close())
		require.Equal(t, []float32{4, 8}, w.Value().Data(), "%s: the refused runs updated nothing", o.Kind())
	}
}

// observer writes down what it is told.
type observer struct {
	begun  []int
	values [][]float32
}

func (o *observer) Before(i int) { o.begun = append(o.begun, i) }

func (o *observer) After(_ int, out []op.Array) error {
	for _, a := range out {
		o.values = append(o.values, slices.Clone(a.Data.([]float32)))
	}
	return nil
}

func TestProgram(t *testing.T) {
	e, other := open(t, cuda.Config{}), open(t, cuda.Config{})
	b := enginetest.NewB(t, tensor.Float32)
	x := b.Input("x", 1, 2)
	h := b.Apply(&op.Scale{Factor: 2}, x)
	b.Want("y", 0, b.Apply(&op.MatMul{TransB: true}, h, x))
	p, err := graph.PlanFor(b.G, b.Options(e)...)
	require.NoError(t, err)
	prog, err := e.Build(p)
	require.NoError(t, err)
	wrap := func(e graph.Engine, data any, dims ...int) graph.Buffer {
		a := op.Array{Shape: dims, Data: data}
		buf, err := e.Wrap(a)
		require.NoError(t, err)
		require.NoError(t, buf.Upload(a))
		t.Cleanup(func() { require.NoError(t, buf.Close()) })
		return buf
	}
	in, out := p.Inputs[0], p.Outputs[0]
	require.ErrorContains(t, prog.Run(), "was never bound")
	require.ErrorContains(t, prog.Bind(in, wrap(other, []float32{1, 3}, 1, 2)), "another engine")
	require.ErrorContains(t, prog.Bind(in, wrap(e, make([]float32, 5), 5)), `value "x" wants 2 elements of float32, got 5`)
	require.ErrorContains(t, prog.Bind(in, wrap(e, make([]float64, 2), 2)), "got 2 of float64")
	require.ErrorContains(t, prog.Bind(p.Steps[0].Out[0], wrap(e, make([]float32, 2), 2)), "lives in the arena")
	y := make([]float32, 1)
	result := wrap(e, y, 1)
	require.NoError(t, prog.Bind(out, result))
	require.ErrorContains(t, prog.Run(), "was never bound", "refused buffers do not count")
	require.NoError(t, prog.Bind(in, wrap(e, []float32{1, 3}, 1, 2)))
	download := func() float32 {
		require.NoError(t, result.Download(op.Array{Shape: tensor.Shape{1}, Data: y}))
		return y[0]
	}
	for range 3 { // kernel by kernel, then as a graph
		require.NoError(t, prog.Run())
		require.Equal(t, float32(20), download())
	}
	require.NoError(t, prog.Bind(in, wrap(e, []float32{2, 0}, 1, 2)))
	for range 3 {
		require.NoError(t, prog.Run())
		require.Equal(t, float32(8), download(), "another buffer counts at once")
	}
	o := &observer{}
	require.NoError(t, prog.(graph.Observable).RunObserved(o))
	require.Equal(t, []int{0, 1}, o.begun)
	require.Equal(t, [][]float32{{4, 0}, {8}}, o.values)
	require.Len(t, prog.(graph.KernelTeller).Kernels(), 2)
	require.NoError(t, prog.Close())
	require.NoError(t, prog.Close())
	require.ErrorIs(t, prog.Run(), graph.ErrClosed)
	require.ErrorIs(t, prog.Bind(in, wrap(e, make([]float32, 2), 2)), graph.ErrClosed)
}

// A program written for Gorgonia's tape machine, with its own solver on the host, learns the same as on the CPU.
func TestTapeMachine(t *testing.T) {
	learned := func(e graph.Engine) []float32 {
		g := gorgonia.NewGraph()
		x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(4, 3), gorgonia.WithName("x"), gorgonia.WithValue(
			tensor.New(tensor.WithShape(4, 3), tensor.WithBacking([]float32{1, 2, 3, 2, 1, 0, -1, 1, 1, 0, 2, -1}))))
		w := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(3), gorgonia.WithName("w"), gorgonia.WithValue(vector(0.1, -0.2, 0.3)))
		want := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(4), gorgonia.WithName("want"), gorgonia.WithValue(vector(1, 2, 3, 4)))
		cost := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(gorgonia.Must(gorgonia.Mul(x, w)), want))))))
		_, err := gorgonia.Grad(cost, w)
		require.NoError(t, err)
		opts := []gorgonia.VMOpt{gorgonia.BindDualValues(w)}
		if e != nil {
			opts = append(opts, graph.Using(graph.WithEngine(e)))
		}
		m := graph.NewTapeMachine(g, opts...)
		defer func() { require.NoError(t, m.Close()) }()
		solver := gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.05))
		for range 20 {
			require.NoError(t, m.RunAll())
			require.NoError(t, solver.Step(gorgonia.NodesToValueGrads(gorgonia.Nodes{w})))
			m.Reset()
		}
		return w.Value().Data().([]float32)
	}
	cpuEngine, gpuEngine := learned(openCPU(t)), learned(open(t, cuda.Config{}))
	require.InDeltaSlice(t, cpuEngine, gpuEngine, 1e-6)
}

// timekeeper adds up what it is told.
type timekeeper struct {
	observer
	steps []int
	end   time.Duration
	sum   time.Duration
}

func (*timekeeper) TimesOnly() bool { return true }

func (k *timekeeper) Took(step int, begin, length time.Duration) {
	k.steps = append(k.steps, step)
	k.end = begin + length
	k.sum += length
}

// An observer that wants times alone gets the device's own, of all steps in their order, without gaps; the results are those of any
// other run.
func TestTimesOfTheDevice(t *testing.T) {
	e := open(t, cuda.Config{})
	b := enginetest.NewB(t, tensor.Float32)
	x := b.Input("x", 8, 5)
	b.Want("y", 0, b.Apply(&op.MatMul{TransB: true}, b.Apply(&op.ReLU{}, x), x))
	p, err := graph.PlanFor(b.G, b.Options(e)...)
	require.NoError(t, err)
	prog, err := e.Build(p)
	require.NoError(t, err)
	defer func() { require.NoError(t, prog.Close()) }()
	in, out := op.Array{Shape: tensor.Shape{8, 5}, Data: x.Value().Data()}, op.Array{Shape: tensor.Shape{8, 8}, Data: make([]float32, 64)}
	bind := func(v *graph.Value, a op.Array) graph.Buffer {
		buf, err := e.Wrap(a)
		require.NoError(t, err)
		require.NoError(t, buf.Upload(a))
		require.NoError(t, prog.Bind(v, buf))
		return buf
	}
	bind(p.Inputs[0], in)
	result := bind(p.Outputs[0], out)
	for range 3 {
		k := &timekeeper{}
		require.NoError(t, prog.(graph.Observable).RunObserved(k))
		require.Equal(t, []int{0, 1}, k.steps)
		require.Empty(t, k.begun, "nothing else is told")
		require.Equal(t, k.end, k.sum)
		require.Positive(t, k.sum)
	}
	require.NoError(t, result.Download(out))
	y := out.Data.([]float32)
	sum := float32(0)
	for _, v := range x.Value().Data().([]float32)[:5] { // the first row with itself
		sum += max(v, 0) * v
	}
	require.InDelta(t, sum, y[0], 1e-5)
}
