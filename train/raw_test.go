package train_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/train"
)

// remote is the CPU engine under the name of one that has memory of its own. It keeps the plans that it built.
type remote struct {
	graph.Engine
	plans []*graph.Plan
	free  int64
}

func (*remote) Remote() bool { return true }

func (r *remote) FreeMemory() (int64, error) {
	if r.free == 0 {
		return 0, errors.New("not known")
	}
	return r.free, nil
}

func (r *remote) Build(p *graph.Plan) (graph.Program, error) {
	r.plans = append(r.plans, p)
	return r.Engine.Build(p)
}

// requireBytes says that a plan is fed with bytes, or has those of the whole set, and makes floats of them itself.
func requireBytes(t *testing.T, p *graph.Plan, indexed bool) {
	t.Helper()
	fed := 0
	for _, v := range p.Inputs {
		if !v.Variable && len(v.Shape) == 4 && v.Name == "images" {
			require.Equal(t, "uint8", v.Dtype.String())
			require.Equal(t, indexed, v.Resident)
			fed++
		}
	}
	require.Equal(t, 1, fed)
	require.Equal(t, 1, len(slices.DeleteFunc(slices.Clone(p.Steps), func(s *graph.Step) bool { return s.Instr.Kind() != "Augment" })))
}

// waysOf are loaders of the built-in images that hand out the same ones as floats, as raw batches, and as numbers of images.
func waysOf(t *testing.T, c data.LoaderConfig) (floats, raw, indexed *data.Loader) {
	t.Helper()
	split, err := sample()
	require.NoError(t, err)
	floats, err = data.NewLoader(split.Train, c)
	require.NoError(t, err)
	c.Raw = true
	raw, err = data.NewLoader(split.Train, c)
	require.NoError(t, err)
	c.Indexed = true
	indexed, err = data.NewLoader(split.Train, c)
	require.NoError(t, err)
	return floats, raw, indexed
}

// lossesOf trains a new model on an epoch of a loader. Steps on raw batches are fed with bytes, and with nothing else.
func lossesOf(t *testing.T, e graph.Engine, l *data.Loader) (losses []float64) {
	t.Helper()
	c := small(t)
	c.Classes, c.Input = l.Dataset().Classes, l.Dataset().Shape
	m, err := train.NewModel(c)
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	opt := train.SGD{Momentum: 0.9}
	slots, it := train.NewSlots(m, opt), l.Epoch(1, 0)
	for it.Next(t.Context()) {
		b := it.Batch()
		s, err := train.NewTrainStepFor(l, e, m, opt, slots, b.N, 1)
		require.NoError(t, err)
		r, err := s.RunBatch(b, 0.05, len(losses))
		require.NoError(t, err)
		losses = append(losses, r.Loss)
		if l.Config().Raw {
			indexed := l.Config().Indexed
			requireBytes(t, s.Plan(), indexed)
			words := "raw batches go to steps"
			if indexed {
				words = "numbers of images"
			}
			if b.Others != nil && indexed {
				words = "labels of what is mixed in"
			}
			require.ErrorContains(t, s.Feed(make([]float32, 8), b.Labels, 0, 0), words)
			bad := *b
			bad.Draws = bad.Draws[1:]
			require.ErrorContains(t, s.FeedBatch(&bad, 0, 0), "draws")
			if indexed {
				bad = *b
				bad.Index = append([]int(nil), b.Index...)
				bad.Index[0] = l.Dataset().Len()
				_, err = s.RunBatch(&bad, 0, 0)
				require.ErrorContains(t, err, "image 0 of the batch is number 20 of the set, want 0 to 19")
			}
		}
		require.NoError(t, s.Close())
	}
	require.NoError(t, it.Err())
	require.NoError(t, it.Close())
	return losses
}

// augmented are batches of 8, 8 and 4 with all that a loader can do to them.
var augmented = data.LoaderConfig{Batch: 8, Limit: 20, Seed: 5, Shuffle: true, Augment: data.Augment{PadCrop: 4, HorizontalFlip: true},
	Normalize: data.Normalize{Mean: []float32{0.5, 0.4, 0.3}, Std: []float32{0.2, 0.3, 0.25}}}

// mixed are those with cutout and mixup besides.
var mixed = func() data.LoaderConfig {
	c := augmented
	c.Augment.Cutout, c.Augment.Mixup = 7, 0.4
	return c
}()

// Steps on raw batches have the losses of steps on floats, to the bit; the last batch is smaller, and batches of one work.
func TestRawBatchesTrainAsFloats(t *testing.T) {
	for _, c := range []data.LoaderConfig{augmented, mixed, {Batch: 1, Limit: 20}} {
		floats, raw, indexed := waysOf(t, c)
		want := lossesOf(t, engine(t, 2), floats)
		require.Len(t, want, floats.Batches())
		require.Equal(t, want, lossesOf(t, engine(t, 2), raw))
		require.Equal(t, want, lossesOf(t, engine(t, 2), indexed))
	}
}

// An engine with memory of its own is fed with bytes, or where there is room has the whole set, in training and validation, and a run that changes between engines of both
// kinds ends with the bits of one that does not: every image is the same.
func TestRemoteEngineIsFedWithBytes(t *testing.T) {
	t.Run("bytes", func(t *testing.T) { testRemoteEngine(t, sgd, 0) })
	t.Run("too little room", func(t *testing.T) { testRemoteEngine(t, sgd, 4*200*32*32*3-1) })
	t.Run("numbers", func(t *testing.T) { testRemoteEngine(t, sgd, 4*200*32*32*3) })
	t.Run("raw", func(t *testing.T) {
		testRemoteEngine(t, func(c *train.Config) {
			sgd(c)
			c.RawPixels, c.Standardise, c.LR = true, false, 1e-6
		}, 1<<40)
	})
	t.Run("mixed", func(t *testing.T) {
		testRemoteEngine(t, func(c *train.Config) {
			sgd(c)
			c.Cutout, c.Mixup, c.LabelSmoothing = 8, 0.3, 0.1
		}, 1<<40)
	})
}

// Under a budget for the values of a step, which a set in the device's memory would be, a large set stays where it is.
func TestLargeSetsAreNotKeptUnderABudget(t *testing.T) {
	c := small(t)
	c.LimitTrain, c.LimitTest, c.MemoryBudget = 1600, 400, 20<<20
	w, err := runOn(t, c, &remote{Engine: engine(t, 2), free: 1 << 40}, func(train.Progress) bool { return true })
	require.ErrorIs(t, err, train.ErrInterrupted)
	require.Contains(t, strings.Join(w.notes, "\n"), "the images, 6.1 MB, are more than a quarter of the memory budget, 21.0 MB: every batch is copied to")
}

func testRemoteEngine(t *testing.T, configure func(*train.Config), free int64) {
	whole := small(t)
	configure(&whole)
	_, err := run(t, whole, nil)
	require.NoError(t, err)
	want := outcomeOf(t, whole.Out)

	r := &remote{Engine: engine(t, 2), free: free}
	on := map[bool]graph.Engine{false: engine(t, 2), true: r}
	indexed := free >= 4*200*32*32*3
	for name, turns := range map[string][]bool{"throughout": {true}, "first": {true, false}, "second": {false, true}, "in turns": {true, false, true, false}} {
		if numtest.Race && name != "in turns" { // which has what the others have, and more of it
			continue
		}
		t.Run(name, func(t *testing.T) {
			part := small(t)
			configure(&part)
			part.Out = filepath.Join(t.TempDir(), "part")
			for i, far := range turns {
				var stop func(train.Progress) bool
				if i < len(turns)-1 { // in the middle of an epoch
					stop = func(p train.Progress) bool { return !p.Validating && (p.Epoch-1)*5+p.Batch == 2+3*i }
				}
				w, err := runOn(t, part, on[far], stop)
				if said := strings.Join(w.notes, "\n"); far && free > 0 {
					require.Equal(t, indexed, strings.Contains(said, "all images, 0.6 MB, are kept in the memory of"), said)
					require.Equal(t, !indexed, strings.Contains(said, "are more than a quarter of the free memory"), said)
				}
				require.Equal(t, stop != nil, errors.Is(err, train.ErrInterrupted), "%v", err)
				part = resumed(t, part)
			}
			requireOutcome(t, want, part.Out)
		})
	}
	require.NotEmpty(t, r.plans)
	for _, p := range r.plans {
		requireBytes(t, p, indexed)
	}
}

// One evaluator measures floats and raw batches, with its normalisation each.
func TestEvaluateRawBatches(t *testing.T) {
	split, err := sample()
	require.NoError(t, err)
	config := small(t)
	config.Classes, config.Input = split.Train.Classes, split.Train.Shape
	m, err := train.NewModel(config)
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	e := train.Evaluator{Model: m, Engine: engine(t, 2)}
	defer func() { require.NoError(t, e.Close()) }()
	for _, n := range []data.Normalize{{}, data.Standardize(split.Train)} {
		floats, raw, indexed := waysOf(t, data.LoaderConfig{Batch: 16, Limit: 40, Normalize: n})
		want, err := e.Run(t.Context(), floats, nil)
		require.NoError(t, err)
		for _, l := range []*data.Loader{raw, indexed} {
			got, err := e.Run(t.Context(), l, nil)
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.EqualValues(t, 40, got.Examples())
		}
	}
}
