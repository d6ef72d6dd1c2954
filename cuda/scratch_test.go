//go:build gpu && cgo && linux

package cuda_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/train"
)

// square is a program whose arena has n×n numbers: (x·xᵀ)·x, for n×1 numbers x, which are all v.
type square struct {
	t *testing.T
	n int
	x *tensor.Dense
	y gorgonia.Value
	*graph.Machine
}

func compileSquare(t *testing.T, e graph.Engine, n int) (*square, error) {
	g := gorgonia.NewGraph()
	s := &square{t: t, n: n, x: tensor.New(tensor.WithShape(n, 1), tensor.Of(tensor.Float32))}
	x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(n, 1), gorgonia.WithName("x"), gorgonia.WithValue(s.x))
	outer, err := op.Apply(&op.MatMul{TransB: true}, x, x)
	require.NoError(t, err)
	y, err := op.Apply(&op.MatMul{}, outer, x)
	require.NoError(t, err)
	if s.Machine, err = graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(y)); err != nil {
		return nil, err
	}
	require.Equal(t, 4*n*n, s.Plan().ArenaBytes)
	s.y, err = s.Value(y)
	require.NoError(t, err)
	return s, nil
}

func newSquare(t *testing.T, e graph.Engine, n int) *square {
	s, err := compileSquare(t, e, n)
	require.NoError(t, err)
	return s
}

func (s *square) feed(v float32) {
	for i := range s.x.Float32s() {
		s.x.Float32s()[i] = v
	}
	require.NoError(s.t, s.Feed())
}

func (s *square) requireFor(v float32) {
	s.t.Helper()
	for _, got := range s.y.Data().([]float32) {
		require.Equal(s.t, v*v*v*float32(s.n), got)
	}
}

// runs often enough that the program is a CUDA graph.
func (s *square) run() {
	s.t.Helper()
	for v := range 4 {
		s.feed(float32(v))
		require.NoError(s.t, s.RunAll())
		s.requireFor(float32(v))
	}
}

func heldFor(e *cuda.Engine, purpose string) int {
	for _, u := range e.MemoryUses() {
		if u.Purpose == purpose {
			return int(u.Bytes)
		}
	}
	return 0
}

const steps = "activations and working memory"

// Programs share the memory that no run needs after it: there is as much as the largest needs.
func TestProgramsShareScratch(t *testing.T) {
	e := open(t, cuda.Config{Without: []string{"cublaslt"}})
	large := newSquare(t, e, 512)
	needs := heldFor(e, steps)
	require.GreaterOrEqual(t, needs, 4*512*512)
	large.run()
	small := newSquare(t, e, 256)
	require.Equal(t, needs, heldFor(e, steps))
	small.run()
	large.run()
	require.NoError(t, large.Close())
	require.Zero(t, heldFor(e, steps), "the largest is gone")
	small.run()
	require.Less(t, heldFor(e, steps), needs/2)
	require.NotZero(t, heldFor(e, steps))
	require.NoError(t, small.Close())
	require.Zero(t, heldFor(e, steps))
}

// A larger program that is built later makes the memory move, under programs that are CUDA graphs, and under runs that are under way.
func TestScratchMoves(t *testing.T) {
	e := open(t, cuda.Config{})
	small := newSquare(t, e, 64)
	small.run()
	require.True(t, small.Queues())
	small.feed(2)
	require.NoError(t, small.StartNext())
	small.feed(3)
	require.NoError(t, small.StartNext())
	large := newSquare(t, e, 512)
	require.NoError(t, small.Wait())
	small.requireFor(2)
	small.feed(5)
	require.NoError(t, small.StartNext())
	require.NoError(t, small.Wait())
	small.requireFor(3)
	require.NoError(t, small.Wait())
	small.requireFor(5)
	large.run()
	small.run()
	require.NoError(t, large.Close())
	small.run()
	require.NoError(t, small.Close())
}

// Where a larger program does not fit, those that are there go on.
func TestScratchThatCannotGrow(t *testing.T) {
	e := open(t, cuda.Config{MemoryLimit: 16 << 20})
	small := newSquare(t, e, 256)
	small.run()
	_, err := compileSquare(t, e, 4096)
	require.ErrorContains(t, err, "out of device memory: a program of 2 steps, for values and working memory, needs 64.0 MiB")
	require.ErrorContains(t, err, "limited to 16.0 MiB, holds ")
	small.run()
	_, err = compileSquare(t, e, 1600) // 10 MiB, which fits
	require.NoError(t, err)
	small.run()
}

// Training steps and other programs take turns with the same memory, and compute what they do alone.
func TestTrainingSharesScratch(t *testing.T) {
	m, b := residualNet(t, open(t, cuda.Config{}))
	for range 6 {
		require.NoError(t, m.RunAll())
	}
	require.NoError(t, m.Close())
	alone := inputsOf(b)

	e := open(t, cuda.Config{})
	first, ofFirst := residualNet(t, e)
	other := newSquare(t, e, 300)
	second, ofSecond := residualNet(t, e)
	for range 6 {
		require.NoError(t, first.RunAll())
		other.run()
		require.NoError(t, second.RunAll())
	}
	for _, m := range []*graph.Machine{first, second, other.Machine} {
		require.NoError(t, m.Close())
	}
	require.True(t, slices.Equal(alone, inputsOf(ofFirst)))
	require.True(t, slices.Equal(alone, inputsOf(ofSecond)))
}

// The steps of a training, for full batches, for a last one and for evaluation, hold little more than the largest alone.
func TestStepsOfATrainingShareMemory(t *testing.T) {
	e, opt := open(t, cuda.Config{Precision: "bf16"}), train.SGD{Momentum: 0.9}
	m, images, labels := smallResNet(t)
	slots := train.NewSlots(m, opt)
	step := func(s *train.Step, err error) *train.Step {
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
	full := step(train.NewTrainStep(e, m, opt, slots, 3, 1))
	for i := range 3 {
		_, err := full.Run(images, labels, 0.05, i)
		require.NoError(t, err)
	}
	needs := heldFor(e, steps)
	_, held := e.Memory()
	last, eval := step(train.NewTrainStep(e, m, opt, slots, 2, 1)), step(train.NewEvalStep(e, m, 3))
	for i := range 3 {
		_, err := last.Run(images[:2*8*8*3], labels[:2], 0.05, 3+i)
		require.NoError(t, err)
		_, err = eval.Run(images, labels, 0, 0)
		require.NoError(t, err)
	}
	require.Equal(t, needs, heldFor(e, steps))
	_, now := e.Memory()
	require.Less(t, now-held, int64(64<<10), "inputs and lists of updates: %v", e.MemoryUses())
	total := int64(0)
	for _, u := range e.MemoryUses() {
		total += u.Bytes
	}
	require.Equal(t, now, total)
}

// A plan that is laid open says what the engine keeps instead of its arena.
func TestExplainTellsOfRoom(t *testing.T) {
	m, _ := residualNet(t, open(t, cuda.Config{}))
	x := m.Explain()
	require.GreaterOrEqual(t, x.RoomBytes, x.RoomLiveBytes)
	require.GreaterOrEqual(t, x.RoomLiveBytes, x.LiveBytes)
	require.Positive(t, x.LiveBytes)
	require.Contains(t, x.String(), "\nwith the working memory of kernels and libraries, ")
	require.NoError(t, m.Close())
}
