//go:build gpu && cgo && linux

package cuda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/cuda/internal/cache"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// asked is a context that is done when it was asked so many times.
type asked struct {
	context.Context
	left atomic.Int64
}

func askedTimes(n int) *asked {
	a := &asked{Context: context.Background()}
	a.left.Store(int64(n))
	return a
}

func (a *asked) Err() error {
	if a.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// Wherever building is stopped, it ends with the context's error and nothing is left behind but what was measured until then, which the next
// engine does not measure again.
func TestBuildingIsStopped(t *testing.T) {
	needSimulator(t)
	dir := t.TempDir()
	if !inChild(t, "STHENO_CUDA_CACHE="+dir, "STHENO_SIM_LIBRARY_DELAY=2") {
		return
	}
	dir = os.Getenv(cache.Env)
	ways := filepath.Join(dir, "ways")
	cuda.Patient(t)
	cuda.GatherAll(t)
	b := enginetest.NewB(t, tensor.Float32)
	a := b.Input("a", 16, 16)
	b.Want("y", numtest.Reduction, b.Apply(&op.MatMul{}, a, a))
	b.Want("conv", numtest.Reduction, b.Apply(&op.Conv2D{}, b.Input("x", 1, 4, 4, 4), b.Input("w", 3, 3, 4, 8)))
	b.Want("softmax", numtest.Reduction, b.Apply(&op.Softmax{}, a))
	b.Want("pointwise", numtest.Reduction, b.Apply(&op.Conv2D{}, b.Input("x", 1, 4, 4, 4), b.Input("v", 1, 1, 4, 8)))
	plan := b.Plan()
	var lines []string
	life := func(ctx context.Context, tuning string) (kernels []string, err error) {
		lines = nil
		e, err := cuda.New(cuda.Config{Tuning: tuning, Context: ctx, Log: func(l string) { lines = append(lines, l) }})
		if err != nil {
			return nil, err
		}
		p, err := e.Build(plan)
		if err == nil {
			kernels = p.(graph.KernelTeller).Kernels()
			err = p.Close()
		}
		return kernels, errors.Join(err, e.Close())
	}
	want, err := life(nil, "measure")
	require.NoError(t, err)
	tried := func() map[string]int { // by entry, of how many ways it is the fastest
		all := map[string]int{}
		for _, f := range entries(t, ways) {
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			var entry struct{ Of int }
			require.NoError(t, json.Unmarshal(text[32:], &entry)) // behind the digest
			all[filepath.Base(f)] = entry.Of
		}
		return all
	}
	whole := tried()
	all := len(whole)
	require.GreaterOrEqual(t, all, 4, "three calls and an alternative")
	before := hold(t)

	said := regexp.MustCompile(`^stopped: (\d+) of those (\d+) are measured and kept$`)
	stops, kept := 0, map[int]bool{}
	for n := 0; ; n += 2 {
		require.NoError(t, os.RemoveAll(ways))
		kernels, err := life(askedTimes(n), "measure")
		requireLive(t, before, fmt.Sprint(n))
		if err == nil {
			require.Equal(t, want, kernels)
			break
		}
		require.ErrorIs(t, err, context.Canceled)
		stops++
		found := tried()
		measured := len(found)
		kept[measured] = true
		for entry, of := range found {
			require.Equal(t, whole[entry], of, "a part of the ways is no measurement")
		}
		if 0 < measured && measured < all {
			require.Len(t, lines, 2, "%q", lines)
			require.Equal(t, []string{fmt.Sprint(measured), fmt.Sprint(all)}, said.FindStringSubmatch(lines[1])[1:], "%q", lines)
		}
	}
	require.Greater(t, stops, 10)
	require.Len(t, kept, all+1, "after each of them, and before the first")

	// Half of it, and then the other half alone.
	require.NoError(t, os.RemoveAll(ways))
	_, err = life(askedTimes(stops), "measure")
	require.ErrorIs(t, err, context.Canceled)
	measured := len(entries(t, ways))
	require.Greater(t, measured, 0)
	require.Less(t, measured, all)
	kernels, err := life(context.Background(), "measure")
	require.NoError(t, err)
	require.Equal(t, want, kernels)
	require.Len(t, entries(t, ways), all)

	// Without measuring, the libraries' plans and the compilations are what takes time.
	for n := 0; ; n++ {
		if _, err = life(askedTimes(n), "off"); err == nil {
			require.Greater(t, n, len(plan.Steps), "between kernels, too")
			break
		}
		require.ErrorIs(t, err, context.Canceled)
		requireLive(t, before, fmt.Sprint(n))
	}
}

// A context that ends leaves what was built as it is: a run that is to be saved goes on, also where its first steps compile what they need.
func TestStoppedEngineRuns(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	e := open(t, cuda.Config{Context: ctx})
	g := gorgonia.NewGraph()
	node := func(name string, value float32) (*gorgonia.Node, []float32) {
		values := []float32{value, value, value}
		return gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(3), gorgonia.WithName(name),
			gorgonia.WithValue(tensor.New(tensor.WithShape(3), tensor.WithBacking(values)))), values
	}
	lr := gorgonia.NewScalar(g, tensor.Float32, gorgonia.WithName("lr"), gorgonia.WithValue(gorgonia.NewF32(1)))
	var updates []op.Update
	var weights [][]float32
	for i := range 2 { // two small inputs arrive together, and two updates are one launch
		x, _ := node(fmt.Sprint("x", i), 1)
		w, values := node(fmt.Sprint("w", i), 10)
		next, err := op.Apply(&op.Descend{}, w, x, lr)
		require.NoError(t, err)
		updates, weights = append(updates, op.Update{Target: w, New: next}), append(weights, values)
	}
	m, err := graph.Compile(g, graph.WithEngine(e), graph.WithUpdates(updates...))
	require.NoError(t, err)
	stop()
	for range 3 { // the third is one CUDA graph
		require.NoError(t, m.RunAll())
	}
	_, err = e.Build(m.Plan())
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, m.RunAll())
	require.NoError(t, m.Close())
	require.Equal(t, [][]float32{{6, 6, 6}, {6, 6, 6}}, weights)
}
