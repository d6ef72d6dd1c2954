package cpu

import (
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// isMapped says whether large memory comes from the system itself in this build.
func isMapped(t *testing.T) bool {
	t.Helper()
	m, err := newPages(leastMapped)
	require.NoError(t, err)
	require.NoError(t, m.free())
	return m.mapped != nil
}

func TestPages(t *testing.T) {
	before := pace.inUse()
	for _, n := range []int{0, 1, 63, 64, 100, 4096, leastMapped - 1, leastMapped, leastMapped + 1, 3*leastMapped - 7, 1<<26 + 64} {
		m, err := newPages(n)
		require.NoError(t, err)
		require.Len(t, m.bytes, n)
		require.Zero(t, uintptr(unsafe.Pointer(unsafe.SliceData(m.bytes)))%cacheLine)
		for i := range m.bytes {
			if m.bytes[i] != 0 {
				t.Fatalf("byte %d of %d is %d", i, n, m.bytes[i])
			}
			m.bytes[i] = byte(i)
		}
		require.Equal(t, n, cap(m.bytes))
		if m.mapped != nil {
			require.Equal(t, before+n, pace.inUse())
		}
		require.NoError(t, m.free())
		require.Equal(t, before, pace.inUse())
	}
}

// wide compiles Σ softmax(x·w) with an arena of more than leastMapped bytes, and gives back what it built.
func wide(t *testing.T) (*watched, *graph.Machine, *gorgonia.Node) {
	t.Helper()
	const rows, columns = 512, 4096
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(rows, 4), gorgonia.WithName("x"), gorgonia.WithInit(gorgonia.Ones()))
	w := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(4, columns), gorgonia.WithName("w"), gorgonia.WithInit(gorgonia.Ones()))
	y, err := op.Apply(&op.MatMul{}, x, w)
	require.NoError(t, err)
	y, err = op.Apply(&op.Softmax{}, y)
	require.NoError(t, err)
	s, err := op.Apply(&op.Sum{}, y)
	require.NoError(t, err)
	e := newWatched(t)
	m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(s))
	require.NoError(t, err)
	require.Greater(t, e.built[0].plan.ArenaBytes, leastMapped)
	return e, m, s
}

func TestClosedProgramsGiveTheirMemoryBack(t *testing.T) {
	before := pace.inUse()
	e, m, s := wide(t)
	p := e.built[0]
	if isMapped(t) {
		require.Equal(t, before+p.plan.ArenaBytes, pace.inUse())
	}
	require.NoError(t, m.RunAll())
	require.NoError(t, m.Close())
	require.Equal(t, before, pace.inUse())
	require.NoError(t, m.Close())
	require.Equal(t, before, pace.inUse())
	require.ErrorIs(t, p.Run(), graph.ErrClosed)
	require.ErrorIs(t, m.RunAll(), graph.ErrClosed)
	v, err := m.Value(s)
	require.NoError(t, err, "outputs are not in the arena")
	require.InDelta(t, 512, v.Data(), 1e-2)
}

// Nobody closes this one.
func TestLostProgramsGiveTheirMemoryBack(t *testing.T) {
	if !isMapped(t) {
		t.Skip("Go has all memory in this build")
	}
	before := pace.inUse()
	func() {
		_, m, _ := wide(t)
		require.NoError(t, m.RunAll())
		require.Greater(t, pace.inUse(), before)
	}()
	for range 100 {
		if runtime.GC(); pace.inUse() == before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d bytes are still held", pace.inUse()-before)
}

// The collector does not know how much memory hangs on a lost program. Making more of them finds those before.
func TestMappedMemoryBringsTheCollector(t *testing.T) {
	if !isMapped(t) {
		t.Skip("Go has all memory in this build")
	}
	const n = leastPace / 2
	most := 0
	for range 40 {
		p := &program{plan: &graph.Plan{}}
		_, err := p.allocate(n)
		require.NoError(t, err)
		most = max(most, pace.inUse())
		time.Sleep(time.Millisecond)
	}
	require.Less(t, most, 12*n)
}

func TestMemoryThatTheSystemDoesNotHave(t *testing.T) {
	if !isMapped(t) {
		t.Skip("Go has all memory in this build")
	}
	before := pace.inUse()
	v := &graph.Value{Name: "y", Shape: tensor.Shape{1 << 40}, Dtype: tensor.Float32}
	p := &program{plan: &graph.Plan{Values: []*graph.Value{v}}}
	_, err := p.allocate(1 << 50)
	var me *MemoryError
	require.ErrorAs(t, err, &me)
	require.ErrorContains(t, err, `cpu: the system has no 1048576.0 GiB for a program (cannot allocate memory); the largest value is "y" of shape (1099511627776) with 4096.0 GiB; use a smaller batch, or close`)
	require.LessOrEqual(t, pace.inUse(), before, "what programs of other tests held may be given back meanwhile")
}
