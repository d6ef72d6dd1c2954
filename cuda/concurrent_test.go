//go:build gpu && cgo && linux

package cuda_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// scaled compiles factor·(w + x), where w, which several share, is resident.
func scaled(e graph.Engine, w *tensor.Dense, x []float32, factor float64) (*graph.Machine, gorgonia.Value, error) {
	g := gorgonia.NewGraph()
	wn := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(len(x)), gorgonia.WithName("w"), gorgonia.WithValue(w))
	xn := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(len(x)), gorgonia.WithName("x"), gorgonia.WithValue(vector(x...)))
	sum, err := op.Apply(&op.Add{}, wn, xn)
	if err != nil {
		return nil, nil, err
	}
	y, err := op.Apply(&op.Scale{Factor: factor}, sum)
	if err != nil {
		return nil, nil, err
	}
	m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(y), graph.WithResident(wn))
	if err != nil {
		return nil, nil, err
	}
	v, err := m.Value(y)
	return m, v, err
}

// users compile and run machines on an engine from goroutines of their own until they have had enough or see an error, and return
// it. They panic on wrong numbers.
func users(e graph.Engine, w *tensor.Dense, n, machines, runs int) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for k := 0; k < machines && errs[i] == nil; k++ {
				x := float32(10*i + k)
				m, y, err := scaled(e, w, []float32{x, 2 * x}, float64(i+1))
				for r := 0; r < runs && err == nil; r++ {
					if err = m.RunAll(); err != nil {
						break
					}
					got, f := y.Data().([]float32), float32(i+1)
					if got[0] != f*(1+x) || got[1] != f*(2+2*x) {
						panic(got)
					}
				}
				if m != nil {
					err = errors.Join(err, m.Close())
				}
				errs[i] = err
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// in fails a test that takes too long, with all stacks.
func in(d time.Duration) func() {
	t := time.AfterFunc(d, func() { panic("the test hangs") })
	return func() { t.Stop() }
}

// Machines of one engine compile and run at the same time, with weights that they share.
func TestConcurrentMachines(t *testing.T) {
	defer in(2 * time.Minute)()
	e := open(t, cuda.Config{})
	require.NoError(t, users(e, vector(1, 2), 6, 4, 40))
	used, _ := e.Memory()
	require.Zero(t, used)
}

// inputsOf are the numbers of all inputs of a graph, weights among them.
func inputsOf(b *enginetest.B) (all []float32) {
	for _, n := range b.G.AllNodes() {
		if v, ok := n.Value().(*tensor.Dense); ok && n.Op() == nil && v.Dtype() == tensor.Float32 {
			all = append(all, v.Float32s()...)
		}
	}
	return all
}

// So do training steps, each of its own.
func TestConcurrentTraining(t *testing.T) {
	defer in(2 * time.Minute)()
	e := open(t, cuda.Config{})
	var results [4][]float32
	var all sync.WaitGroup
	for i := range results {
		m, b := residualNet(t, e)
		all.Go(func() {
			for range 8 {
				if err := m.RunAll(); err != nil {
					t.Error(err)
				}
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
			results[i] = inputsOf(b)
		})
	}
	all.Wait()
	for _, r := range results[1:] {
		require.Equal(t, results[0], r, "the order in which they take turns changes nothing")
	}
}

// Two engines on one device, and engines on two devices.
func TestConcurrentEngines(t *testing.T) {
	defer in(2 * time.Minute)()
	needGPU(t)
	t.Setenv("STHENO_SIM_DEVICES", "2")
	devices, err := driver.Devices()
	require.NoError(t, err)
	w := vector(1, 2)
	var all sync.WaitGroup
	for i := range 4 {
		e := open(t, cuda.Config{Device: i % len(devices)})
		all.Go(func() {
			if err := users(e, w, 2, 3, 20); err != nil {
				t.Error(err)
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// Close while others compile and run: they get an error, nobody hangs, and nothing is used that is no more.
func TestConcurrentClose(t *testing.T) {
	defer in(2 * time.Minute)()
	for i := range 12 {
		e := open(t, cuda.Config{})
		var all sync.WaitGroup
		var told error
		all.Go(func() { told = users(e, vector(1, 2), 4, 1000, 20) })
		time.Sleep(time.Duration(i) * 3 * time.Millisecond)
		for range 2 {
			all.Go(func() {
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		require.ErrorContains(t, told, "closed")
		require.NotContains(t, told.Error(), "panic")
		require.NotContains(t, told.Error(), "CUDA_ERROR")
	}
}

// What the engine calls may call the engine.
func TestEngineIsCalledByWhatItCalls(t *testing.T) {
	defer in(time.Minute)()
	needGPU(t)
	var e *cuda.Engine
	lines := 0
	e, err := cuda.New(cuda.Config{Log: func(line string) {
		if lines++; e == nil {
			return // it is being made
		}
		_, held := e.Memory()
		if held < 0 || e.Device().Name == "" {
			t.Error(line)
		}
	}})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	b := enginetest.NewB(t, tensor.Float32)
	x := b.Input("x", 3)
	var inner error
	var got any
	y, err := gorgonia.ApplyOp(calling{tripled{}, func() {
		var nested *graph.Machine
		var v gorgonia.Value
		if nested, v, inner = scaled(e, vector(1, 2), []float32{3, 4}, 2); inner == nil {
			inner = errors.Join(nested.RunAll(), nested.RunAll(), nested.Close())
			got = v.Data()
		}
	}}, x)
	require.NoError(t, err)
	m, err := graph.Compile(b.G, graph.WithEngine(e), graph.WithOutputs(y))
	require.NoError(t, err)
	require.Positive(t, lines)
	require.NoError(t, m.RunAll())
	require.NoError(t, inner)
	require.Equal(t, []float32{8, 12}, got)
	require.NoError(t, m.Close())
}

// calling is an operation that does something else on the way.
type calling struct {
	tripled
	call func()
}

func (c calling) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	c.call()
	return c.tripled.Do(in...)
}
func (c calling) String() string { return strings.ToUpper(c.tripled.String()) }
