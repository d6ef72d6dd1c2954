package train_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// The loss of mixed images is that of both labels by their shares: with a share of 1 that of the first, and else what two steps without
// mixing, on the same images with the labels of each, say.
func TestMixedLoss(t *testing.T) {
	split, err := sample()
	require.NoError(t, err)
	c := mixed
	c.Augment.Mixup = 1
	mixing, err := data.NewLoader(split.Train, c)
	require.NoError(t, err)
	for name, loss := range map[string]nn.Loss{"crossentropy": nil, "smoothed": nn.SparseCategoricalCrossentropyLoss{LabelSmoothing: 0.1}} {
		t.Run(name, func(t *testing.T) {
			config := small(t)
			config.Classes, config.Input = split.Train.Classes, split.Train.Shape
			loss1 := func(loader *data.Loader, b *data.Batch) float64 {
				m, err := train.NewModel(config)
				require.NoError(t, err)
				require.NoError(t, m.Initialize(1, tensor.Float32))
				opt := train.SGD{}
				s, err := train.NewConfiguredStep(engine(t, 1), m, opt, train.NewSlots(m, opt), train.StepConfig{Images: b.N, Loader: loader, Loss: loss})
				require.NoError(t, err)
				defer func() { require.NoError(t, s.Close()) }()
				r, err := s.RunBatch(b, 0, 0)
				require.NoError(t, err)
				return r.Loss
			}
			it := mixing.Epoch(0, 0)
			shares := 0
			for it.Next(t.Context()) {
				b := *it.Batch()
				own := loss1(nil, &data.Batch{N: b.N, Images: b.Images, Labels: b.Labels})
				other := loss1(nil, &data.Batch{N: b.N, Images: b.Images, Labels: b.Others})
				require.InEpsilon(t, float64(b.Share)*own+float64(1-b.Share)*other, loss1(mixing, &b), 1e-5)
				if b.Share < 0.9 {
					shares++
				}
				b.Share = 1
				require.InEpsilon(t, own, loss1(mixing, &b), 1e-6)
			}
			require.NoError(t, it.Close())
			require.Positive(t, shares)
		})
	}
	m := small(t)
	m.Classes, m.Input = split.Train.Classes, split.Train.Shape
	model, err := train.NewModel(m)
	require.NoError(t, err)
	require.NoError(t, model.Initialize(1, tensor.Float32))
	opt := train.SGD{}
	_, err = train.NewConfiguredStep(engine(t, 1), model, opt, train.NewSlots(model, opt), train.StepConfig{Images: 2, Loader: mixing, Weighted: true})
	require.ErrorContains(t, err, "images that are mixed have two labels")
}

// Cutout and mixup are a part of what a run is, and leave no trace in the records of those without.
func TestCutoutAndMixupOfARun(t *testing.T) {
	c := small(t)
	c.Epochs, c.Cutout, c.Mixup, c.Batch = 1, 9, 0.2, 32
	_, err := run(t, c, nil)
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(c.Out, train.RunFileName))
	require.NoError(t, err)
	require.Contains(t, string(text), `"cutout": 9`)
	require.Contains(t, string(text), `"mixup": 0.2`)
	again := resumed(t, c)
	again.Epochs, again.Cutout = 2, 8
	_, err = run(t, again, nil)
	require.ErrorContains(t, err, "cutout is 9 in it and 8 here")

	plain := small(t)
	plain.Epochs, plain.Batch = 1, 32
	_, err = run(t, plain, nil)
	require.NoError(t, err)
	text, err = os.ReadFile(filepath.Join(plain.Out, train.RunFileName))
	require.NoError(t, err)
	require.NotContains(t, string(text), "cutout")
	require.NotContains(t, string(text), "mixup")
	a, b := outcomeOf(t, c.Out), outcomeOf(t, plain.Out)
	require.NotEqual(t, a.History[0].Loss, b.History[0].Loss)

	for want, change := range map[string]func(*train.Config){
		"--cutout wants at least 0, got -1":           func(c *train.Config) { c.Cutout = -1 },
		"--mixup wants a number of at least 0":        func(c *train.Config) { c.Mixup = math.NaN() },
		"--mixup wants a number of at least 0, got +": func(c *train.Config) { c.Mixup = math.Inf(1) },
		"give --mixup or --class-weight":              func(c *train.Config) { c.Mixup, c.ClassWeight = 0.1, "balanced" },
	} {
		bad := small(t)
		change(&bad)
		require.ErrorContains(t, bad.Validate(), want)
	}
	large := small(t)
	large.Cutout = 33
	_, err = run(t, large, nil)
	require.ErrorContains(t, err, "--cutout wants at most the side of the images, 32, got 33")
}
