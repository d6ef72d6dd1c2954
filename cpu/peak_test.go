package cpu

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/train"
)

// watched is an engine that keeps what it built, and how many bytes that took.
type watched struct {
	*Engine
	built []*program
	bytes []int
}

func (w *watched) Build(p *graph.Plan) (graph.Program, error) {
	var before, after runtime.MemStats
	mapped := pace.inUse()
	runtime.ReadMemStats(&before)
	prog, err := w.Engine.Build(p)
	runtime.ReadMemStats(&after)
	if err == nil {
		w.built = append(w.built, prog.(*program))
		w.bytes = append(w.bytes, int(after.TotalAlloc-before.TotalAlloc)+pace.inUse()-mapped)
	}
	return prog, err
}

// requirePeak says that a plan's PeakBytes is what its program holds.
func requirePeak(t *testing.T, p *program) {
	t.Helper()
	held := len(p.mem.arena)
	require.Equal(t, p.plan.ArenaBytes, held)
	for v := range p.mem.shared {
		a := p.mem.arrays[v.ID]
		require.NotNil(t, a.Data, "%q is bound", v.Name)
		held += op.Len(a.Shape) * int(a.Dtype().Size())
	}
	require.Equal(t, p.plan.PeakBytes(), held)
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	e, err := New(Config{Threads: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return &watched{Engine: e}
}

func TestPeakBytesOfRandomGraphs(t *testing.T) {
	for seed := range uint64(60) {
		e := newWatched(t)
		b := enginetest.NewB(t, tensor.Float32)
		enginetest.Random(seed, 25).Build(b)
		m := b.Compile(e, graph.WithRecompute([]graph.Recompute{graph.RecomputeOff, graph.RecomputeCheap, graph.RecomputeSegments(3)}[seed%3]))
		require.NoError(t, m.RunAll())
		requirePeak(t, e.built[0])
		require.NoError(t, m.Close())
	}
}

// The arena and the working memory of kernels are what building a net's program allocates, but for the kernels themselves.
func TestPeakBytesOfNets(t *testing.T) {
	names := []string{"simplecnn", "vgg16", "resnet50", "mobilenetv2"}
	if testing.Short() {
		names = names[:1]
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			a, err := arch.ByName(name, arch.Config{})
			require.NoError(t, err)
			m, err := a.Model()
			require.NoError(t, err)
			require.NoError(t, m.Initialize(1, tensor.Float32))
			opt := train.SGD{Momentum: 0.9}
			e := newWatched(t)
			s, err := train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), 8, 1)
			require.NoError(t, err)
			defer s.Close()
			_, err = s.Run(make([]float32, 8*32*32*3), make([]int, 8), 0, 0)
			require.NoError(t, err)
			p := e.built[0]
			requirePeak(t, p)
			t.Logf("arena %d, scratch %d, allocated %d, peak %d bytes", p.plan.ArenaBytes, p.scratch, e.bytes[0], p.plan.PeakBytes())
			rest := e.bytes[0] - p.plan.ArenaBytes - p.scratch
			require.Positive(t, rest)
			require.Less(t, rest, 4<<20)
		})
	}
}
