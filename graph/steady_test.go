package graph_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// trainer is a machine that makes a training step of the suite's residual net with momentum.
func trainer(t testing.TB, threads int, dt tensor.Dtype) (*graph.Machine, *enginetest.B) {
	for _, c := range enginetest.Cases() {
		if c.Name != "residual net with momentum" {
			continue
		}
		e, err := cpu.New(cpu.Config{Threads: threads})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, e.Close()) })
		b := enginetest.NewB(t, dt)
		c.Build(b)
		m := b.Compile(e)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		return m, b
	}
	t.Fatal("the suite has no residual net any more")
	return nil, nil
}

func TestStepsAllocateNothing(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		for _, threads := range []int{1, 2, 3} {
			t.Run(fmt.Sprintf("%v, %d threads", dt, threads), func(t *testing.T) {
				m, _ := trainer(t, threads, dt)
				require.NoError(t, m.RunAll()) // binds inputs and outputs
				var err error
				allocs := testing.AllocsPerRun(50, func() { err = errors.Join(err, m.RunAll()) })
				require.NoError(t, err)
				require.Zero(t, allocs)
			})
		}
	}
}

func TestMemoryDoesNotGrow(t *testing.T) {
	runs := 2000
	if testing.Short() {
		runs = 200
	}
	m, _ := trainer(t, 2, tensor.Float32)
	live := func() uint64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	require.NoError(t, m.RunAll())
	before := live()
	for range runs {
		require.NoError(t, m.RunAll())
	}
	require.LessOrEqual(t, live(), before+64<<10, "%d runs", runs)
}

// A training run is the same bits every time, whatever the number of threads: no kernel lets the split of its work
// decide the order of a sum.
func TestRunsRepeatBitForBit(t *testing.T) {
	var first string
	for _, threads := range []int{1, 1, 2, 2, 3, 3} {
		m, _ := trainer(t, threads, tensor.Float32)
		for range 20 {
			require.NoError(t, m.RunAll())
		}
		got := ""
		for _, v := range m.Plan().Inputs {
			if v.Variable {
				got += fmt.Sprintln(v.Name, v.Node.Value().Data())
			}
		}
		for _, v := range m.Plan().Outputs {
			x, err := m.Value(v.Node)
			require.NoError(t, err)
			got += fmt.Sprintln(v.Name, x.Data())
		}
		if first == "" {
			first = got
		}
		require.Equal(t, first, got, "%d threads", threads)
	}
}

// Machines of different graphs, and of one graph, run at the same time; and one machine may be called from several
// goroutines. Run with -race.
func TestConcurrentMachines(t *testing.T) {
	e := openCPU(t)
	b := enginetest.NewB(t, tensor.Float32)
	x := b.Filled("x", []float32{1, 2, 3, 4}, 2, 2)
	shared := b.Apply(&op.MatMul{}, x, b.Filled("w", []float32{1, 1, 0, 1}, 2, 2))
	host := gorgonia.Must(gorgonia.Tanh(shared))
	outputs := []*gorgonia.Node{shared, b.Apply(&op.ReLU{}, shared), host}
	var machines []*graph.Machine
	for i := range 6 {
		m, err := graph.Compile(b.G, graph.WithEngine(e), graph.WithOutputs(outputs[i%3], shared))
		require.NoError(t, err)
		defer m.Close()
		machines = append(machines, m)
	}
	for range 2 {
		c := enginetest.NewB(t, tensor.Float32)
		w := c.Filled("w", []float32{1, 1}, 2)
		c.Update(w, c.Apply(&op.Scale{Factor: 0.5}, w))
		m := c.Compile(e)
		defer m.Close()
		machines = append(machines, m)
	}
	var group sync.WaitGroup
	failures := make([]error, 2*len(machines))
	for i := range failures {
		group.Add(1)
		go func() {
			defer group.Done()
			for range 50 {
				failures[i] = errors.Join(failures[i], machines[i/2].RunAll())
			}
		}()
	}
	group.Wait()
	require.NoError(t, errors.Join(failures...))
	for _, m := range machines[:6] {
		v, err := m.Value(shared)
		require.NoError(t, err)
		require.Equal(t, []float32{1, 3, 3, 7}, v.Data())
	}
}

// Graphs may be compiled at the same time, one graph as well.
func TestConcurrentCompile(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float32)
	y := b.Input("x", 3)
	for range 20 {
		y = b.Apply(&op.ReLU{}, b.Apply(&op.Scale{Factor: 2}, y))
	}
	var group sync.WaitGroup
	plans := make([]string, 8)
	for i := range plans {
		group.Add(1)
		go func() {
			defer group.Done()
			if p, err := graph.PlanFor(b.G, graph.WithOutputs(y)); err == nil {
				plans[i] = p.String()
			}
		}()
	}
	group.Wait()
	for _, p := range plans {
		require.Equal(t, plans[0], p)
		require.Contains(t, p, "max(r1, 0)") // the ReLU
	}
}

// A net of thousands of layers compiles: no recursion over its depth, and, as the times logged with -v show, about
// linear in its size.
func TestDeepGraph(t *testing.T) {
	sizes := []int{500, 1000, 2000}
	if testing.Short() {
		sizes = sizes[:1]
	}
	for _, layers := range sizes {
		b := enginetest.NewB(t, tensor.Float32)
		y := b.Input("x", 2, 4)
		lr := b.Scalar("lr", 0.1)
		var params []*gorgonia.Node
		for i := range layers {
			w, bias := b.Filled(fmt.Sprintf("w%d", i), make([]float32, 16), 4, 4), b.Filled(fmt.Sprintf("b%d", i), make([]float32, 4), 4)
			params = append(params, w, bias)
			y = b.Apply(&op.ReLU{}, b.Apply(&op.BiasAdd{Axis: -1}, b.Apply(&op.MatMul{}, y, w), bias))
		}
		cost := b.Want("cost", 0, b.Apply(&op.Sum{}, y))
		grads, err := gorgonia.Grad(cost, params...)
		require.NoError(t, err)
		for i, p := range params {
			b.Update(p, b.Apply(&op.Descend{}, p, grads[i], lr))
		}
		start := time.Now()
		m := b.Compile(graph.Null{})
		t.Logf("%d layers, %d nodes, %d steps: compiled in %v", layers, len(b.G.AllNodes()), len(m.Plan().Steps), time.Since(start))
		for _, a := range m.Plan().Assigns {
			require.Equal(t, a.Target, a.New.Root(), "every update is made in place")
		}
		// Backward needs every layer's input; beyond those, a handful of buffers.
		require.Less(t, m.Plan().ArenaBytes, (layers+10)*64)
		require.NoError(t, m.Close())
	}
}
