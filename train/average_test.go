package train_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights"
)

// everyOptimizer makes one of each kind.
func everyOptimizer(t testing.TB) map[string]train.Optimizer {
	all := map[string]train.Optimizer{}
	for _, text := range append(train.Optimizers(), "adam:amsgrad,decoupled", "rmsprop:momentum=0.5,centered", "lars:nesterov", "muon:exclude=dense") {
		c := train.DefaultConfig()
		c.Optimizer, c.WeightDecay = text, 1e-3
		opt, err := train.NewOptimizer(c)
		require.NoError(t, err)
		all[text] = opt
		c.GlobalClipNorm, c.EMA, c.EMAOverwrite, c.NoDecay = 0.5, 0.9, 2, "bias|gamma|beta"
		if opt, err = train.NewOptimizer(c); text == "adam" || text == "muon" {
			require.NoError(t, err)
			all[text+" with all else"] = opt
		}
	}
	return all
}

// TestEveryOptimizer goes on from its weights and slots bit by bit, and allocates nothing.
func TestEveryOptimizer(t *testing.T) {
	for name, opt := range everyOptimizer(t) {
		t.Run(name, func(t *testing.T) {
			e := engine(t, 2)
			first := newStepper(t, e, tiny(t, 0.4), opt)
			first.run(t, 0, 4, 0)
			middle := first.numbers()
			want := first.run(t, 4, 9, 0)
			second := newStepper(t, e, tiny(t, 0.4), opt)
			second.set(middle)
			require.Equal(t, want, second.run(t, 4, 9, 0))
			require.Equal(t, first.numbers(), second.numbers())

			m := tiny(t, 0)
			s, err := train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), 5, 1)
			require.NoError(t, err)
			defer s.Close()
			images, labels, i := make([]float32, 5*6*6*2), []int{0, 1, 2, 3, 4}, 0
			step := func() {
				_, err := s.Run(images, labels, 1e-3, i)
				require.NoError(t, err)
				i++
			}
			step()
			require.Zero(t, testing.AllocsPerRun(20, step))
		})
	}
}

// features are runs with much of what a configuration can ask for.
var features = map[string]func(*train.Config){
	"rmsprop, clipping, plateau": func(c *train.Config) {
		c.Optimizer, c.GlobalClipNorm, c.Schedule = "rmsprop:centered,momentum=0.9", 1, "plateau:monitor=val_top1,patience=1,min_delta=1,factor=0.5+warmup:1"
	},
	"nadam, averages": func(c *train.Config) {
		c.Optimizer, c.EMA, c.EMAOverwrite, c.ClipValue, c.Schedule = "nadam", 0.9, 4, 0.1, "onecycle"
	},
	"accumulation, averages of epochs": func(c *train.Config) {
		c.Optimizer, c.Momentum, c.Accumulate, c.SWA, c.Batch, c.LR, c.Schedule = "sgd:decoupled", 0.9, 2, 2, 14, 0.01, "cosine-restarts:epochs=1"
		c.WeightDecay, c.NoDecay, c.ClipNorm = 1e-3, "bias", 1
	},
	"as in recipes": func(c *train.Config) {
		c.Optimizer, c.Momentum, c.Nesterov, c.WeightDecay, c.NoDecay, c.LabelSmoothing, c.EMA = "sgd", 0.9, true, 5e-4, "bias|gamma|beta", 0.1, 0.9
		c.LR, c.LRBatch, c.Schedule, c.Augment, c.Standardise = 0.1, 64, "onecycle:pct_start=0.2,linear", true, true
	},
	"accumulation, averages": func(c *train.Config) {
		c.Optimizer, c.Accumulate, c.EMA = "lamb", 3, 0.5
	},
}

// TestFeaturesResume: runs with them, interrupted again and again, are the uninterrupted ones bit by bit.
func TestFeaturesResume(t *testing.T) {
	training := func(epoch, batch int) func(train.Progress) bool {
		return func(p train.Progress) bool { return !p.Validating && p.Epoch == epoch && p.Batch == batch }
	}
	validating := func(epoch int) func(train.Progress) bool {
		return func(p train.Progress) bool { return p.Validating && p.Epoch == epoch && p.Batch == 1 }
	}
	for name, set := range features {
		if numtest.Race && name != "as in recipes" { // the others differ in arithmetic
			continue
		}
		t.Run(name, func(t *testing.T) {
			whole := small(t)
			set(&whole)
			_, err := run(t, whole, nil)
			require.NoError(t, err)
			part := small(t)
			set(&part)
			part.SaveEvery = 2
			for _, stop := range []func(train.Progress) bool{training(1, 1), training(1, 3), validating(1), training(2, 1), training(2, 2), validating(2),
				validating(2), training(3, 4), validating(3)} {
				_, err := run(t, part, stop)
				require.ErrorIs(t, err, train.ErrInterrupted)
				part = resumed(t, part)
			}
			_, err = run(t, part, nil)
			require.NoError(t, err)
			requireOutcome(t, outcomeOf(t, whole.Out), part.Out)
		})
	}
}

// TestPlateauLowersTheRate in a run, and says so.
func TestPlateauLowersTheRate(t *testing.T) {
	c := small(t)
	c.Epochs, c.Schedule = 4, "plateau:patience=1,min_delta=100,factor=0.5,min=0.25"
	w, err := run(t, c, nil)
	require.NoError(t, err)
	for i, want := range []float64{1, 1, 0.5, 0.25} {
		require.Equal(t, want*c.LR, w.rows[i].LearningRate)
	}
	require.Len(t, w.notes, 2)
	require.Contains(t, w.notes[0], "val_loss is ")
	require.Contains(t, w.notes[0], "was not better for 1 epochs; the learning rate is 0.0005 now")
}

// tensorsOf are those of the newest checkpoint of a run.
func tensorsOf(t *testing.T, dir string) map[string][]float32 {
	t.Helper()
	found, err := weights.Latest(filepath.Join(dir, train.CheckpointDir))
	require.NoError(t, err)
	return tensorMap(found.Checkpoint)
}

func tensorMap(c *weights.Checkpoint) map[string][]float32 {
	all := map[string][]float32{}
	for _, x := range c.Tensors {
		all[x.Name] = x.Data.([]float32)
	}
	return all
}

// TestAveragesAreTheModel: a run with averages trains the same weights bit by bit, validates the averages, and its checkpoints hold
// them as the model.
func TestAveragesAreTheModel(t *testing.T) {
	plain, ema, swa := small(t), small(t), small(t)
	plain.Keep, ema.EMA, swa.SWA = 10, 0.9, 2
	_, err := run(t, plain, nil)
	require.NoError(t, err)
	trained := tensorsOf(t, plain.Out)

	average := map[string][]float32{} // of epochs 2 and 3
	for _, step := range []int64{10, 15} {
		c, err := weights.LoadCheckpoint(filepath.Join(plain.Out, train.CheckpointDir, weights.CheckpointName(step)))
		require.NoError(t, err)
		for name, x := range tensorMap(c) {
			if average[name] == nil {
				average[name] = make([]float32, len(x))
			}
			for i, v := range x {
				average[name][i] += v / 2
			}
		}
	}
	for name, c := range map[string]train.Config{"ema": ema, "swa": swa} {
		w, err := run(t, c, nil)
		require.NoError(t, err)
		got := tensorsOf(t, c.Out)
		for key, want := range trained {
			own, isModel := strings.CutPrefix(key, "model/")
			if !isModel {
				require.Equal(t, want, got[key], key)
				continue
			}
			require.Equal(t, want, got["optimizer/trained/"+own], "%s: %s", name, own)
			require.NotEqual(t, want, got[key], "%s: %s", name, own)
			if name == "swa" {
				require.InDeltaSlice(t, average[key], got[key], 1e-6, own)
			}
		}
		r, err := train.LoadRun(c.Out)
		require.NoError(t, err)
		split, err := sample()
		require.NoError(t, err)
		l, err := data.NewLoader(split.Test, data.LoaderConfig{Batch: 100, Limit: c.LimitTest})
		require.NoError(t, err)
		e := train.Evaluator{Model: r.Model, Engine: engine(t, 2)}
		m, err := e.Run(context.Background(), l, nil)
		require.NoError(t, err)
		best := w.rows[0]
		for _, row := range w.rows {
			if row.ValTop1 > best.ValTop1 {
				best = row
			}
		}
		require.InEpsilon(t, best.ValLoss, m.Loss(), 1e-6, "the best checkpoint is what was validated")
		require.NoError(t, e.Close())
	}
}

func TestTrainingConfigErrors(t *testing.T) {
	for want, set := range map[string]func(*train.Config){
		`optimizer "adam" has no option "rho"; it has beta_1, beta_2, epsilon, amsgrad, decoupled`: func(c *train.Config) { c.Optimizer = "adam:rho=0.9" },
		`did you mean "beta_1"?`:                                func(c *train.Config) { c.Optimizer = "adam:beta1=0.9" },
		"beta_1 wants a number above 0 and below 1, got 1":      func(c *train.Config) { c.Optimizer = "lion:beta_1=1" },
		"ns_steps wants a whole number of at least 1":           func(c *train.Config) { c.Optimizer = "muon:ns_steps=0" },
		"exclude is not a pattern of weights' names":            func(c *train.Config) { c.Optimizer = "muon:exclude=(" },
		"give it as --weight-decay":                             func(c *train.Config) { c.Optimizer = "adamw:weight_decay=0.1" },
		"nesterov needs a momentum above 0":                     func(c *train.Config) { c.Optimizer = "lars:momentum=0,nesterov" },
		`unknown optimizer "adammax"; did you mean "adamax"?`:   func(c *train.Config) { c.Optimizer = "adammax" },
		"--nesterov goes with --optimizer sgd, not lars; write": func(c *train.Config) { c.Optimizer, c.Nesterov = "lars", true },
		"only in one of these ways":                             func(c *train.Config) { c.ClipNorm, c.ClipValue = 1, 1 },
		"--clip-norm wants a number of at least 0, got -1":      func(c *train.Config) { c.ClipNorm = -1 },
		"--ema wants a momentum from 0 to below 1, got 1":       func(c *train.Config) { c.EMA = 1 },
		"--ema-overwrite goes with --ema":                       func(c *train.Config) { c.EMAOverwrite = 2 },
		"give --ema or --swa, but not both":                     func(c *train.Config) { c.EMA, c.SWA = 0.9, 1 },
		"--no-decay goes with --weight-decay":                   func(c *train.Config) { c.NoDecay = "bias" },
		"--no-decay is not a pattern":                           func(c *train.Config) { c.NoDecay, c.WeightDecay = "(", 1 },
		"--accumulate wants at least 0":                         func(c *train.Config) { c.Accumulate = -1 },
	} {
		c := train.DefaultConfig()
		set(&c)
		require.ErrorContains(t, c.Validate(), want)
	}
	c := train.DefaultConfig()
	c.Optimizer = "adam:rho=0.9"
	var wrong *train.OptionError
	require.ErrorAs(t, c.Validate(), &wrong)
	require.Equal(t, "rho", wrong.Option)
}

// TestAveragesThatNeverBegin are told of, and the model is the weights.
func TestAveragesThatNeverBegin(t *testing.T) {
	plain, swa := small(t), small(t)
	plain.Epochs, swa.Epochs, swa.SWA = 1, 1, 2
	_, err := run(t, plain, nil)
	require.NoError(t, err)
	w, err := run(t, swa, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"weights are averaged from epoch 2 on, which a run of 1 epochs does not have: nothing is averaged"}, w.notes)
	require.Equal(t, tensorsOf(t, plain.Out)["model/conv2d/kernel"], tensorsOf(t, swa.Out)["model/conv2d/kernel"])
	again := resumed(t, swa)
	again.Epochs = 2
	w, err = run(t, again, nil)
	require.NoError(t, err)
	require.Empty(t, w.notes[1:], "only of the schedule")
}
