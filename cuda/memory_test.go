//go:build gpu && cgo && linux

package cuda_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

func vector(x ...float32) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(x)), tensor.WithBacking(x))
}

// counter compiles w ← w + x, with outputs w + x, for the given tensors.
func counter(t *testing.T, e graph.Engine, w, x *tensor.Dense) (*graph.Machine, gorgonia.Value) {
	g := gorgonia.NewGraph()
	wn := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(w.Shape()...), gorgonia.WithName("w"), gorgonia.WithValue(w))
	xn := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(x.Shape()...), gorgonia.WithName("x"), gorgonia.WithValue(x))
	sum, err := op.Apply(&op.Add{}, wn, xn)
	require.NoError(t, err)
	m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(sum), graph.WithUpdates(op.Update{Target: wn, New: sum}))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	v, err := m.Value(sum)
	require.NoError(t, err)
	return m, v
}

// reader compiles 2·w, with w resident.
func reader(t *testing.T, e graph.Engine, w *tensor.Dense, opts ...graph.Option) (*graph.Machine, gorgonia.Value) {
	g := gorgonia.NewGraph()
	wn := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(w.Shape()...), gorgonia.WithName("w"), gorgonia.WithValue(w))
	y, err := op.Apply(&op.Scale{Factor: 2}, wn)
	require.NoError(t, err)
	m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(y), graph.WithResident(wn))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	v, err := m.Value(y)
	require.NoError(t, err)
	return m, v
}

// Variables live on the device between runs; Sync and Close bring them back.
func TestVariablesStayOnTheDevice(t *testing.T) {
	e := open(t, cuda.Config{})
	w, x := vector(1, 2, 3), vector(10, 20, 30)
	m, sum := counter(t, e, w, x)
	for range 3 {
		require.NoError(t, m.RunAll())
	}
	require.Equal(t, []float32{31, 62, 93}, sum.Data())
	require.Equal(t, []float32{1, 2, 3}, w.Data(), "not brought back yet")
	require.NoError(t, m.Sync())
	require.Equal(t, []float32{31, 62, 93}, w.Data())

	copy(w.Float32s(), []float32{0, 0, 0})
	require.NoError(t, m.Refresh())
	require.NoError(t, m.RunAll())
	require.Equal(t, []float32{10, 20, 30}, sum.Data(), "tensors changed after Sync count after Refresh")
	require.NoError(t, m.Refresh())
	require.NoError(t, m.RunAll())
	require.Equal(t, []float32{20, 40, 60}, sum.Data(), "what the device has is newer than the tensor")
	require.NoError(t, m.Close())
	require.Equal(t, []float32{20, 40, 60}, w.Data(), "Close brings it back")
}

// Programs that are bound to one tensor share its memory on the device.
func TestProgramsShareTensors(t *testing.T) {
	e := open(t, cuda.Config{})
	w := vector(1, 2, 3)
	train, _ := counter(t, e, w, vector(1, 1, 1))
	ragged, _ := counter(t, e, w, vector(100, 0, 0))
	eval, doubled := reader(t, e, w)
	require.NoError(t, eval.RunAll())
	require.Equal(t, []float32{2, 4, 6}, doubled.Data())
	require.NoError(t, train.RunAll())
	require.NoError(t, ragged.RunAll())
	require.NoError(t, train.RunAll())
	require.NoError(t, eval.RunAll())
	require.Equal(t, []float32{206, 8, 10}, doubled.Data())
	require.NoError(t, ragged.Sync())
	require.Equal(t, []float32{103, 4, 5}, w.Data())
	require.NoError(t, train.RunAll())
	require.NoError(t, train.Close())
	require.Equal(t, []float32{104, 5, 6}, w.Data())
	require.NoError(t, eval.RunAll())
	require.Equal(t, []float32{208, 10, 12}, doubled.Data(), "the memory lives as long as one program is bound to it")
}

// The next inputs arrive while a run is under way, and never in it.
func TestInputsArriveAhead(t *testing.T) {
	e := open(t, cuda.Config{})
	const n = 1 << 18 // too large to go straight to its place
	w, x := tensor.New(tensor.WithShape(n), tensor.Of(tensor.Float32)), tensor.New(tensor.WithShape(n), tensor.Of(tensor.Float32))
	m, sum := counter(t, e, w, x)
	fill := func(v float32) {
		for i := range x.Float32s() {
			x.Float32s()[i] = v
		}
		require.NoError(t, m.Feed())
	}
	fill(1)
	total := float32(0)
	for i := range 20 {
		require.NoError(t, m.Start())
		total += float32(i + 1)
		fill(float32(i + 2))
		require.NoError(t, m.Wait())
		got := sum.Data().([]float32)
		require.Equal(t, []float32{total, total, total}, []float32{got[0], got[n/2], got[n-1]}, "run %d", i)
	}
}

// Nothing grows from run to run, and closing gives everything back.
func TestMemoryDoesNotGrow(t *testing.T) {
	e := open(t, cuda.Config{})
	empty, _ := e.Memory()
	require.Zero(t, empty)
	m, _ := counter(t, e, vector(1, 2, 3), vector(4, 5, 6))
	var used, held int64
	for i := range 1000 {
		require.NoError(t, m.RunAll())
		if i == 2 {
			used, held = e.Memory()
		}
	}
	after, heldAfter := e.Memory()
	require.Equal(t, used, after)
	require.Equal(t, held, heldAfter)
	require.NoError(t, m.Close())
	after, _ = e.Memory()
	require.Zero(t, after)
}

// Weights that are set again, as those of a loaded checkpoint, come to the device without memory for the next ones.
func TestWeightsThatAreSetTakeNoMemory(t *testing.T) {
	e := open(t, cuda.Config{})
	const n = 1 << 18 // too large to come with the small inputs
	w := tensor.New(tensor.WithShape(n), tensor.Of(tensor.Float32))
	m, sum := counter(t, e, w, tensor.New(tensor.WithShape(n), tensor.Of(tensor.Float32)))
	require.NoError(t, m.RunAll())
	before := inputs(e)
	for i := range 3 {
		require.NoError(t, m.Sync())
		w.Float32s()[n-1] = float32(i + 1)
		require.NoError(t, m.Refresh())
		require.NoError(t, m.RunAll())
		require.Equal(t, float32(i+1), sum.Data().([]float32)[n-1])
	}
	require.Equal(t, before, inputs(e), "what the input needs alone")
}

// inputs is the memory that is held for inputs and the next batch.
func inputs(e *cuda.Engine) int64 {
	for _, u := range e.MemoryUses() {
		if u.Purpose == "inputs and the next batch" {
			return u.Bytes
		}
	}
	return 0
}

// A plan that does not fit is an error that says what was asked for, and a smaller one works afterwards.
func TestOutOfMemory(t *testing.T) {
	e := open(t, cuda.Config{MemoryLimit: 64 << 20})
	big := func(n int) error {
		b := enginetest.NewB(t, tensor.Float32)
		x := b.Input("x", n, 256)
		b.Want("y", 0, b.Apply(&op.MatMul{TransB: true}, b.Apply(&op.ReLU{}, x), x))
		m, err := graph.Compile(b.G, b.Options(e)...)
		if err != nil {
			return err
		}
		defer func() { require.NoError(t, m.Close()) }()
		return m.RunAll()
	}
	err := big(8192)
	require.ErrorContains(t, err, "out of device memory")
	require.ErrorContains(t, err, "256.0 MiB")
	require.ErrorContains(t, err, "limited to 64.0 MiB")
	require.ErrorContains(t, err, "smaller batch")
	m, _ := counter(t, e, vector(1), vector(2))
	other, _ := counter(t, e, vector(3), vector(4))
	require.ErrorContains(t, big(8192), "programs are open, of which those that are done with can be closed")
	require.NoError(t, errors.Join(m.Close(), other.Close()))
	require.NoError(t, big(64))
	used, _ := e.Memory()
	require.Zero(t, used)
}

func TestClosedEngine(t *testing.T) {
	e := open(t, cuda.Config{})
	m, _ := reader(t, e, vector(1, 2, 3))
	require.NoError(t, m.RunAll())
	require.NoError(t, e.Close())
	require.NoError(t, e.Close())
	require.ErrorContains(t, m.RunAll(), "closed")
	_, err := e.Wrap(op.Array{Shape: tensor.Shape{1}, Data: []float32{1}})
	require.ErrorContains(t, err, "closed")
	require.NoError(t, m.Close())
}

// A tensor that one program computes and another updates holds what the last of them made of it.
func TestOutputsThatAreVariablesElsewhere(t *testing.T) {
	e := open(t, cuda.Config{})
	first, doubled := reader(t, e, vector(1, 2, 3))
	require.NoError(t, first.RunAll())
	w := doubled.(*tensor.Dense)
	second, _ := counter(t, e, w, vector(10, 10, 10))
	require.NoError(t, first.Start())
	require.NoError(t, second.RunAll())
	require.NoError(t, second.Sync())
	require.Equal(t, []float32{12, 14, 16}, w.Data(), "updated last")
	require.NoError(t, first.Wait())
	require.NoError(t, second.RunAll())
	require.NoError(t, first.RunAll())
	require.Equal(t, []float32{2, 4, 6}, w.Data(), "computed last")
	require.NoError(t, second.Sync())
	require.Equal(t, []float32{2, 4, 6}, w.Data())
}

// Machines that nobody closes and nobody can reach any more give back what they have on the device.
func TestMachinesThatNobodyCloses(t *testing.T) {
	e := open(t, cuda.Config{})
	func() {
		for range 3 {
			b := enginetest.NewB(t, tensor.Float32)
			x := b.Input("x", 100, 10)
			b.Want("y", 0, b.Apply(&op.MatMul{TransB: true}, b.Apply(&op.ReLU{}, x), x))
			m, err := graph.Compile(b.G, b.Options(e)...)
			require.NoError(t, err)
			require.NoError(t, m.RunAll())
		}
	}()
	require.Eventually(t, func() bool {
		runtime.GC()
		used, _ := e.Memory()
		return used == 0
	}, 10*time.Second, time.Millisecond)
}

// Results that nobody has asked for outlive the program and its other buffers.
func TestResultsAreThereLater(t *testing.T) {
	e := open(t, cuda.Config{})
	a := op.Array{Shape: tensor.Shape{2}, Data: []float32{1, 4}}
	p := stepOf(&ir.Unary{Fn: ir.Sqrt}, a, []op.Array{a})
	prog, err := e.Build(p)
	require.NoError(t, err)
	wrap := func(v *graph.Value, a op.Array) graph.Buffer {
		b, err := e.Wrap(a)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, b.Close()) })
		require.NoError(t, b.Upload(a))
		require.NoError(t, prog.Bind(v, b))
		return b
	}
	wrap(p.Inputs[0], a)
	var buffers []graph.Buffer
	results := []op.Array{{Shape: tensor.Shape{2}, Data: []float32{0, 0}}, {Shape: tensor.Shape{2}, Data: []float32{0, 0}}}
	for _, r := range results {
		buffers = append(buffers, wrap(p.Outputs[0], r))
		require.NoError(t, prog.Run())
	}
	require.NoError(t, prog.Close())
	for i, b := range buffers {
		require.NoError(t, b.Download(results[i]))
		require.Equal(t, []float32{1, 2}, results[i].Data)
	}
}

// Indices that another program has just computed are looked at as they are on the device.
func TestComputedIndicesAreChecked(t *testing.T) {
	e := open(t, cuda.Config{})
	bind := func(prog graph.Program, v *graph.Value, a op.Array) graph.Buffer {
		b, err := e.Wrap(a)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, b.Close()) })
		require.NoError(t, b.Upload(a))
		require.NoError(t, prog.Bind(v, b))
		return b
	}
	one, indices := op.Array{Shape: tensor.Shape{2}, Data: []int{1, 1}}, op.Array{Shape: tensor.Shape{2}, Data: []int{0, 0}}
	table, out := op.Array{Shape: tensor.Shape{3}, Data: []float32{5, 6, 7}}, op.Array{Shape: tensor.Shape{2}, Data: []float32{0, 0}}
	x := op.Array{Shape: tensor.Shape{2}, Data: []int{0, 1}}
	sum, gather := stepOf(&ir.Binary{Fn: ir.Add}, indices, []op.Array{x, one}), stepOf(&ir.Gather{}, out, []op.Array{table, indices})
	adds, err := e.Build(sum)
	require.NoError(t, err)
	defer func() { require.NoError(t, adds.Close()) }()
	gathers, err := e.Build(gather)
	require.NoError(t, err)
	defer func() { require.NoError(t, gathers.Close()) }()
	from := bind(adds, sum.Inputs[0], x)
	bind(adds, sum.Inputs[1], one)
	bind(adds, sum.Outputs[0], indices)
	bind(gathers, gather.Inputs[0], table)
	computed := bind(gathers, gather.Inputs[1], indices)
	result := bind(gathers, gather.Outputs[0], out)
	for range 3 {
		require.NoError(t, from.Upload(x))
		require.NoError(t, adds.Run())
		require.NoError(t, computed.Upload(indices), "the device has newer ones")
		require.NoError(t, gathers.Run())
		require.NoError(t, result.Download(out))
		require.Equal(t, []float32{6, 7}, out.Data)
	}
	copy(x.Data.([]int), []int{0, 2})
	require.NoError(t, from.Upload(x))
	require.NoError(t, adds.Run())
	var failed *graph.StepError
	require.ErrorAs(t, gathers.Run(), &failed)
	require.ErrorContains(t, failed, "3")
}
