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

	"github.com/stheno-ml/stheno/graph"
)

// together runs functions at the same time, many times each.
func together(t *testing.T, fs ...func() error) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, len(fs))
	for i, f := range fs {
		wg.Go(func() {
			for range 20 {
				errs[i] = errors.Join(errs[i], f())
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
}

// Machines of one graph run at the same time: two that train, two that evaluate, and some that are made meanwhile. The race
// detector sees this test too.
func TestTapeMachinesOfOneGraph(t *testing.T) {
	n := newNormNet(t, tensor.Float64, 5, 3)
	built(gorgonia.Grad(built(gorgonia.Sum(built(gorgonia.Square(n.y)))), n.model...))
	dropped := built(gorgonia.Dropout(n.y, 0.3))
	built(gorgonia.ApplyOp(userOp{name: "on the host", do: first}, dropped, dropped))
	var read gorgonia.Value // by all of them
	gorgonia.Read(n.y, &read)
	bind := gorgonia.BindDualValues(n.model...)
	train, another := tape(t, n.G, bind), tape(t, n.G, bind)
	eval, second := tape(t, n.G, gorgonia.EvalMode()), tape(t, n.G, gorgonia.EvalMode())
	require.NoError(t, train.RunAll())
	once := numbers(t, grad(t, n.model[0]))
	together(t, train.RunAll, another.RunAll, eval.RunAll, second.RunAll, func() error {
		m := graph.NewTapeMachine(n.G, gorgonia.EvalMode())
		return errors.Join(m.Err(), m.RunAll(), m.Close())
	})
	for i, want := range once { // no addition is lost
		require.InDelta(t, 41*want, numbers(t, grad(t, n.model[0]))[i], 1e-9)
	}
	// all evaluations of the same statistics are equal
	require.NoError(t, eval.RunAll())
	want := numbers(t, built(eval.Value(n.y)))
	require.NoError(t, second.RunAll())
	require.Equal(t, want, numbers(t, built(second.Value(n.y))))
}

// One machine may be used from several goroutines, which take turns.
func TestTapeMachineOfManyGoroutines(t *testing.T) {
	n := perceptron(t, tensor.Float32)
	m := tape(t, n.G, gorgonia.BindDualValues(n.weights...))
	require.NoError(t, m.RunAll())
	once := numbers(t, grad(t, n.weights[0]))
	together(t, m.RunAll, m.RunAll, m.RunAll, func() error { m.Reset(); return m.Err() })
	for i, want := range once {
		require.InDelta(t, 61*want, numbers(t, grad(t, n.weights[0]))[i], 2e-3)
	}
}

// Machines of different graphs have nothing to do with each other but the engine.
func TestTapeMachinesOfManyGraphs(t *testing.T) {
	var runs []func() error
	for i := range 4 {
		n := convnet(t, floatTypes[i%2])
		m := tape(t, n.G, gorgonia.BindDualValues(n.weights...))
		require.NoError(t, m.RunAll())
		want := numbers(t, n.read)[0]
		runs = append(runs, func() error {
			if err := m.RunAll(); err != nil {
				return err
			}
			if got := numbers(t, n.read)[0]; got != want {
				return fmt.Errorf("cost %v, alone %v", got, want)
			}
			return nil
		})
	}
	together(t, runs...)
}

// Machines that nobody closes leave nothing behind: no goroutines, no memory.
func TestTapeMachinesAreCollected(t *testing.T) {
	n := perceptron(t, tensor.Float32)
	require.NoError(t, tape(t, n.G).RunAll()) // the engine, which stays
	before := runtime.NumGoroutine()
	collected := make(chan bool, 100)
	const machines, graphs = 20, 10
	for range machines {
		m := graph.NewTapeMachine(n.G, gorgonia.BindDualValues(n.weights...))
		require.NoError(t, m.RunAll())
		runtime.AddCleanup(m, func(struct{}) { collected <- true }, struct{}{})
	}
	for range graphs {
		n := perceptron(t, tensor.Float32)
		require.NoError(t, graph.NewTapeMachine(n.G).RunAll())
		runtime.AddCleanup(n.G, func(struct{}) { collected <- true }, struct{}{})
	}
	deadline := time.After(20 * time.Second)
	for i := range machines + graphs {
		runtime.GC()
		select {
		case <-collected:
		case <-deadline:
			t.Fatalf("%d of %d machines and graphs were collected", i, machines+graphs)
		}
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before+2)
	runtime.KeepAlive(n)
}

// A run allocates nothing, whatever it leaves bound to nodes: nothing at all where every step has a kernel.
func TestTapeAllocations(t *testing.T) {
	allocations := func(m *graph.Machine) float64 {
		require.NoError(t, m.RunAll())
		var err error
		allocs := testing.AllocsPerRun(20, func() { err = errors.Join(err, m.RunAll()) })
		require.NoError(t, err)
		return allocs
	}
	c := chainNet(t, 8)
	built(gorgonia.Grad(c.cost, c.G.Inputs()...))
	var number, values gorgonia.Value
	gorgonia.Read(c.cost, &number)
	require.Zero(t, allocations(tape(t, c.G, gorgonia.BindDualValues())))
	require.Zero(t, allocations(tape(t, c.G, graph.Keep(c.product))))
	gorgonia.Read(c.active, &values) // into a tensor: Gorgonia's copy allocates
	require.LessOrEqual(t, allocations(tape(t, c.G, gorgonia.BindDualValues())), 2.)

	for _, dt := range floatTypes { // steps that run their reference allocate a little
		for _, n := range []*tapeNet{perceptron(t, dt), convnet(t, dt)} {
			require.LessOrEqual(t, allocations(tape(t, n.G, gorgonia.BindDualValues(n.weights...))), 4.)
		}
	}
}
