package train_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights"
)

// TestLoadedModelIsTheTrainedOne evaluates and predicts with a checkpoint and compares with what the run said itself.
func TestLoadedModelIsTheTrainedOne(t *testing.T) {
	c := small(t)
	c.Standardise = true
	w, err := run(t, c, nil)
	require.NoError(t, err)
	path := checkpoints(t, c.Out)[2]
	m, cfg, err := train.LoadModel(path)
	require.NoError(t, err)
	require.Len(t, cfg.Mean, 3)
	split, err := data.Sample()
	require.NoError(t, err)
	require.Equal(t, split.Test.Classes, cfg.Classes)

	e := engine(t, 2)
	l, err := data.NewLoader(split.Test, data.LoaderConfig{Batch: 100, Normalize: cfg.Normalize(), Limit: c.LimitTest})
	require.NoError(t, err)
	ev := train.Evaluator{Model: m, Engine: e}
	got, err := ev.Run(t.Context(), l, nil)
	require.NoError(t, err)
	require.NoError(t, ev.Close())
	last := w.rows[2]
	require.Equal(t, [3]float64{last.ValLoss, last.ValTop1, last.ValTop5}, [3]float64{got.Loss(), got.Top1(), got.Top5()})

	p, err := train.NewPredictor(e, m)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	image := make([]float32, 32*32*3)
	right, loss := 0, 0.0
	for i := range c.LimitTest {
		require.NoError(t, cfg.Normalize().Apply(image, split.Test.Image(i), split.Test.Shape, data.NHWC))
		probs, err := p.Run(image)
		require.NoError(t, err)
		sum, best := 0.0, 0
		for k, v := range probs {
			sum += float64(v)
			if v > probs[best] {
				best = k
			}
		}
		require.InDelta(t, 1, sum, 1e-6)
		label := split.Test.Labels[i]
		loss -= math.Log(float64(probs[label])) / float64(c.LimitTest)
		if best == int(label) {
			right++
		}
	}
	require.Equal(t, last.ValTop1, float64(right)/float64(c.LimitTest))
	require.InDelta(t, last.ValLoss, loss, 1e-5)
	_, err = p.Run(image[1:])
	require.ErrorContains(t, err, "images of 3072 numbers, got 3071")
}

func TestLoadModelRefuses(t *testing.T) {
	dir := t.TempDir()
	save := func(name string, change func(*train.Config)) string {
		c := train.DefaultConfig()
		c.Input, c.Classes = [3]int{32, 32, 3}, []string{"a", "b"}
		change(&c)
		run, err := json.Marshal(c)
		require.NoError(t, err)
		path := filepath.Join(dir, name)
		require.NoError(t, weights.SaveCheckpoint(path, &weights.Checkpoint{Arch: "simplecnn", Run: run}))
		return path
	}
	text := filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(text, []byte("not a checkpoint at all"), 0o644))
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o644))
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "nowhere"), "no such file"},
		{text, "expected"},
		{empty, "empty"},
		{save("no-weights", func(*train.Config) {}), "conv2d/kernel"},
		{save("no-classes", func(c *train.Config) { c.Classes = nil }), "no classes"},
		{save("no-arch", func(c *train.Config) { c.Arch = "" }), "unknown architecture"},
		{save("no-image", func(c *train.Config) { c.Input = [3]int{} }), "input"},
		{save("small-image", func(c *train.Config) { c.Input = [3]int{4, 4, 3} }), "wants at least"},
	} {
		_, _, err := train.LoadModel(c.path)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, c.path)
	}
}

// TestPredictorOfManyGoroutines: goroutines that share a predictor get the outputs of their own samples, for batches of any size the same
// as one by one, and keep them.
func TestPredictorOfManyGoroutines(t *testing.T) {
	e, m := engine(t, 2), tiny(t, 0)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	p, err := train.NewBatchPredictor(e, m, 4)
	require.NoError(t, err)
	in, out, samples := m.InputShape().Size(), m.OutputShape().Size(), 11
	x := make([]float32, samples*in)
	for i := range x {
		x[i] = float32(i*i%31) / 31
	}
	var want []float32
	for i := range samples {
		y, err := p.Run(x[i*in:][:in])
		require.NoError(t, err)
		want = append(want, y...)
	}
	require.NotEqual(t, want[:out], want[out:2*out])
	var wait sync.WaitGroup
	errs := make([]error, 8)
	for g := range errs {
		wait.Go(func() {
			for n := range samples + 1 {
				first := (g + n) % (samples + 1 - n)
				y, err := p.RunBatch(x[first*in:][:n*in])
				if err == nil && !slices.EqualFunc(y, want[first*out:][:n*out], func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-5 }) {
					err = fmt.Errorf("samples from %d, %d of them: got %v, want %v", first, n, y, want[first*out:][:n*out])
				}
				errs[g] = errors.Join(errs[g], err)
			}
		})
	}
	wait.Wait()
	require.NoError(t, errors.Join(errs...))
	_, err = p.RunBatch(x[:in+1])
	require.ErrorContains(t, err, "which is no multiple of it")
	_, err = p.Run(x[:2*in])
	require.ErrorContains(t, err, "got ")
	require.NoError(t, p.Close())
	_, err = p.Run(x[:in])
	require.ErrorIs(t, err, graph.ErrClosed)
}
