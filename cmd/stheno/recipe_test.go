package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/recipes"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/train/tensorboard"
)

// settingsOf is the configuration of a command line of flags alone.
func settingsOf(t *testing.T, args ...string) (train.Config, string) {
	t.Helper()
	c := train.DefaultConfig()
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	configFlags(f, &c)
	require.NoError(t, f.Parse(args))
	var notes strings.Builder
	_, err := recipeOf(f, &c, &notes)
	require.NoError(t, err)
	require.NoError(t, checkFlags(f, c))
	return c, notes.String()
}

// TestRecipes: the built-in ones configure the networks whose parameters are PyTorch's, and are settings of this program that it takes.
func TestRecipes(t *testing.T) {
	trainable := map[string]int{"resnet18-cifar100": 11220132, "resnet18-cifar100-fast": 11220132, "resnet50-cifar100": 23705252, "vgg16-cifar100": 34015396}
	for _, name := range recipes.Names() {
		c, notes := settingsOf(t, "--recipe", name)
		require.Empty(t, notes)
		require.Equal(t, name, c.Recipe)
		require.Equal(t, []any{"cifar100", true, true, "sgd", 0.9, true, 5e-4}, []any{c.Data, c.Augment, c.Standardise, c.Optimizer, c.Momentum, c.Nesterov, c.WeightDecay})
		c.Input, c.Classes = [3]int{32, 32, 3}, make([]string, 100)
		m, err := train.NewModel(c)
		require.NoError(t, err)
		_, n, _ := m.CountParams()
		require.EqualValues(t, trainable[name], n, name)
		for _, w := range m.Weights() {
			require.Nil(t, w.Regularizer, "%s: %s would decay twice", name, w.Name)
		}
		opt, err := train.NewOptimizer(c)
		require.NoError(t, err)
		if b, ok := opt.(train.Base); ok { // --no-decay meets what it is meant for
			for _, w := range m.Weights() {
				require.Equal(t, len(w.Shape) == 1, b.NoDecay.MatchString(w.Name) || !w.Trainable, w.Name)
			}
		}
		list := ok(t, "recipes")
		require.Contains(t, list, name+": ")
		require.Equal(t, list, ok(t, "train", "--recipe", "list"))
		require.Contains(t, ok(t, "recipes", name), "  arch: "+c.Arch+"\n")
	}
	c, _ := settingsOf(t, "--recipe", "resnet18-cifar100-fast")
	require.Equal(t, 0.8, c.LearningRate())
}

// TestFlagsChangeRecipes, and what does not go with them is left out.
func TestFlagsChangeRecipes(t *testing.T) {
	c, notes := settingsOf(t, "--recipe", "resnet50-cifar100", "--batch", "512", "--augment=false", "--schedule", "cosine+warmup:1", "--arch", "resnet34")
	require.Empty(t, notes)
	require.Equal(t, []any{512, false, "cosine+warmup:1", "resnet34", "cifar", 200}, []any{c.Batch, c.Augment, c.Schedule, c.Arch, string(c.Stem), c.Epochs})
	require.InDelta(t, 0.4, c.LearningRate(), 1e-12)
	c, notes = settingsOf(t, "--recipe", "vgg16-cifar100", "--arch", "resnet50", "--optimizer", "adam:beta_1=0.8", "--lr", "1e-3", "--lr-batch", "0", "--accumulate", "2")
	require.Equal(t, "note: the recipe's momentum, nesterov left out, which --optimizer adam does not have\n"+
		"note: the recipe's weight-decay 0.0005 is meant for its optimizer, sgd, not for adam; --weight-decay sets what is used\n"+
		"note: the recipe's batch-norm, dropout left out, which --arch resnet50 does not have\n", notes)
	require.Equal(t, []any{false, 0.0, 0.9, 1e-3}, []any{c.Nesterov, c.Dropout, c.BatchNormMomentum, c.LearningRate()})
	c, notes = settingsOf(t, "--recipe", "vgg16-cifar100", "--optimizer", "sgd:momentum=0.8", "--accumulate", "2")
	require.Empty(t, notes)
	require.True(t, c.Nesterov)
	require.Equal(t, 0.2, c.LearningRate())
	_, notes = settingsOf(t, "--recipe", "vgg16-cifar100", "--optimizer", "adamw")
	require.Contains(t, notes, "note: the recipe's lr 0.1 and weight-decay 0.0005 are meant for its optimizer, sgd, not for adamw; --lr or --weight-decay sets what is used\n")
	refused(t, []string{"train", "--recipe", "vgg16-cifar100", "--arch", "simplecnn", "--batch-norm"}, "simplecnn has no --batch-norm")
}

// TestScaledRate: a learning rate that is not the one that was asked for is told.
func TestScaledRate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	args := with(quick, "--lr", "0.05", "--lr-batch", "128", "--batch", "16", "--out", dir)
	require.Equal(t, 1, strings.Count(ok(t, args...), "note: learning rate 0.05 for batches of 128: 0.00625 for 16; --lr-batch 0 takes it as it is\n"))
	refused(t, []string{"train", "--resume", "--out", dir, "--lr", "0.00625"}, "--lr is 0.05 for batches of 128: 0.00625 for 16 there, not 0.00625")
	require.NotContains(t, ok(t, "train", "--resume", "--out", dir), "--lr-batch")
	refused(t, with(quick, "--arch", "vgg16", "--cutout", "33"), "--cutout wants at most the side of the images, 32, got 33")
	refused(t, with(quick, "--cutout", "100"), "--cutout wants at most the side of the images, 32, got 100")
	require.Contains(t, ok(t, with(quick, "--schedule", "step:2,3", "--out", filepath.Join(t.TempDir(), "run"))...),
		"note: the run of 1 epoch ends before milestones 2, 3 of the schedule step:2,3:0.1, and the learning rate never falls")
	refused(t, []string{"train", "--learning_rate", "1"}, "did you mean --lr?")
}

// TestRunOfARecipe trains, and goes on when the recipe is gone.
func TestRunOfARecipe(t *testing.T) {
	own, dir := filepath.Join(t.TempDir(), "own.yaml"), filepath.Join(t.TempDir(), "run")
	text := "about: small\ntrain:\n  data: sample\n  limit-train: 64\n  limit-test: 20\n  epochs: 1\n  batch: 16\n  optimizer: sgd\n  lr: 0.02\n  lr-batch: 32\n  ema: 0.9\n"
	require.NoError(t, os.WriteFile(own, []byte(text), 0o600))
	out := ok(t, "train", "--recipe", own, "--batch", "32", "--out", dir)
	require.Contains(t, out, "learning rate 0.02, cosine; batch 32;")
	c, _, err := train.ReadConfig(dir)
	require.NoError(t, err)
	require.Equal(t, []any{own, 0.9, 32, 64}, []any{c.Recipe, c.EMA, c.LRBatch, c.LimitTrain})
	require.NotContains(t, out, "--lr-batch")

	// The recipe is compared with the run it goes on with, and what flags changed is named again.
	same := []string{"train", "--resume", "--out", dir, "--recipe", own}
	require.Contains(t, ok(t, with(same, "--batch", "32")...), "the run of 1 epoch is done")
	refused(t, same, dir+" holds another run than recipe "+own+":7 says: batch is 32 there, not 16; leave --recipe out")
	require.NoError(t, os.WriteFile(own, []byte(strings.Replace(text, "lr: 0.02", "lr: 0.05", 1)), 0o600))
	refused(t, with(same, "--batch", "32"), "recipe "+own+":9 says: lr is 0.02 there, not 0.05")
	require.NoError(t, os.WriteFile(own, []byte(strings.Replace(text, "epochs: 1", "epochs: 5\n  accumulate: 1\n  loss: sparse_categorical_crossentropy", 1)), 0o600))
	r := stheno(t, with(same, "--batch", "32")...)
	require.Zero(t, r.code, r.stderr)
	require.Equal(t, "note: the recipe says epochs 5, and the run goes on with 1; --epochs changes it\n", r.stderr)
	require.NoError(t, os.WriteFile(own, []byte("train:\n  lr: [1]\n"), 0o600))
	refused(t, same, "lr wants one value")
	require.NoError(t, os.Remove(own))
	require.Contains(t, ok(t, "train", "--resume", "--out", dir, "--recipe", own, "--epochs", "2"), "epoch 2/2")
	require.Contains(t, ok(t, "train", "--resume", "--out", dir, "--epochs", "3"), "epoch 3/3")
	refused(t, []string{"train", "--resume", "--out", dir, "--recipe", "vgg16-cifar100"}, "--recipe is "+own+" there, not vgg16-cifar100")
	plain := filepath.Join(t.TempDir(), "plain")
	ok(t, "train", "--data", "sample", "--limit-train", "64", "--limit-test", "20", "--epochs", "1", "--out", plain)
	refused(t, []string{"train", "--resume", "--out", plain, "--recipe", "vgg16-cifar100"}, "--recipe is not given there, not vgg16-cifar100")
}

// TestEarlyStopAndTensorBoard of a recipe, whose run then goes on with other settings of both.
func TestEarlyStopAndTensorBoard(t *testing.T) {
	own, dir := filepath.Join(t.TempDir(), "own.yaml"), filepath.Join(t.TempDir(), "run")
	text := "train:\n  data: sample\n  limit-train: 64\n  limit-test: 20\n  epochs: 6\n  schedule: constant\n  early-stop: patience=1,min_delta=100\n" +
		"  tensorboard: true\n  tensorboard-histograms: 1\n"
	require.NoError(t, os.WriteFile(own, []byte(text), 0o600))
	out := ok(t, "train", "--recipe", own, "--out", dir)
	logs := filepath.Join(dir, "tensorboard")
	require.Contains(t, out, "look with: tensorboard --logdir "+logs+"\n")
	require.Contains(t, out, "note: stopped early after epoch 2: val_loss was not better for 1 epoch than ")
	curves, err := tensorboard.ReadScalars(filepath.Join(logs, "validation"))
	require.NoError(t, err)
	require.Len(t, curves["epoch_loss"], 2)
	c, _, err := train.ReadConfig(dir)
	require.NoError(t, err)
	require.Equal(t, []any{"patience=1,min_delta=100", "tensorboard", 1}, []any{c.EarlyStop, c.TensorBoard, c.TensorBoardHistograms})

	out = ok(t, "train", "--resume", "--out", dir, "--recipe", own)
	require.Contains(t, out, "the run was stopped early after epoch 2: val_loss was not better for 1 epoch than ")
	require.Contains(t, out, "to go on, raise its patience (patience=1,min_delta=100) with --early-stop")
	require.NotContains(t, out, "raise --epochs")
	out = ok(t, "train", "--resume", "--out", dir, "--early-stop", "off", "--epochs", "3", "--tensorboard=")
	require.Contains(t, out, "epoch 3/3")
	curves, err = tensorboard.ReadScalars(filepath.Join(logs, "validation"))
	require.NoError(t, err)
	require.Len(t, curves["epoch_loss"], 2, "it was told no more")
	refused(t, []string{"train", "--resume", "--out", dir, "--early-stop", "patience=3,restore"}, "keeps the checkpoint with the best val_top1",
		`--early-stop was "off"`)
}

func TestRecipesThatCannotBeUsed(t *testing.T) {
	own := filepath.Join(t.TempDir(), "own.yaml")
	for line, want := range map[string]string{
		"learning-rate: 0.1":  `there is no setting "learning-rate"; did you mean "lr"?`,
		"batch_size: 8":       `did you mean "batch"?`,
		"WD: 8":               `did you mean "weight-decay"?`,
		"label_smoothing: .1": `did you mean "label-smoothing"?`,
		"colour: 1":           `settings have the names of flags, which stheno train --help lists`,
		"epoch: 3":            `there is no setting "epoch"; did you mean "epochs"?`,
		"out: x":              "out is of one run, not of a recipe; give --out on the command line",
		"resume: true":        "resume is of one run",
		"epochs: many":        `epochs wants a whole number, got "many"`,
		"augment: yes":        `augment wants true or false, got "yes"`,
		"lr: [1]":             "lr wants one value, found a list",
		"class-weight: '@'":   "class-weight: ",
		"memory-budget: x":    "memory-budget",
		"precision: fp99":     `unknown precision "fp99"; known are fp32, tf32, bf16`,
		"epochs: 0":           "--epochs wants at least 1, got 0",
		"arch: resnet5":       `unknown architecture "resnet5"; did you mean "resnet50"?`,
		"batch-norm: true":    "simplecnn has no --batch-norm; leave it out",
		"optimizer: sdg":      `unknown optimizer "sdg"; did you mean "sgd"?`,
		"momentum: 0.8":       "--momentum goes with --optimizer sgd, not adam",
		"schedule: cosin":     `unknown kind "cosin"`,
		"early-stop: 3":       `early stop has no option "3"`,
		"data: cifar7":        `there is no data set "cifar7"`,
		"device: cpuu":        `unknown device "cpuu"; did you mean "cpu"?`,
	} {
		require.NoError(t, os.WriteFile(own, []byte("train:\n  lr-batch: 8\n  "+line+"\n"), 0o600))
		refused(t, []string{"train", "--recipe", own}, fmt.Sprintf("error: recipe %s:3: ", own), want)
	}
	for text, want := range map[string]string{ // of two that are wrong, that which the error is about; and what is wrong with another one
		"  precision: fp99\n  epochs: 0\n":                     ":3: --epochs wants at least 1",
		"  arch: resnet18\n  stem: cifra\n  precision: fp99\n": `:4: unknown precision "fp99"`,
		"  arch: resnet18\n  stem: cifra\n":                    `:3: nn: there is no stem "cifra"; did you mean "cifar"?`,
		"  epochs: 2\n  ema: 0.9\n  swa: 1\n":                  ":3: give --ema or --swa",
		// Without the second line there would be another error, but not none.
		"  optimizer: sgd\n  momentum: 0.9\n  epochs: 0\n  lr: -1\n": ":4: --epochs wants at least 1",
		"  optimizer: lion\n  momentum: 0.9\n":                       ":3: --momentum goes with --optimizer sgd, not lion",
	} {
		require.NoError(t, os.WriteFile(own, []byte("train:\n"+text), 0o600))
		got := refused(t, []string{"train", "--recipe", own}, "error: recipe "+own+want)
		require.Equal(t, got, refused(t, []string{"explain", "--recipe", own}), "as in training")
	}
	require.NoError(t, os.WriteFile(own, []byte("train:\n  batch: 2\n  precision: fp99\n"), 0o600))
	refused(t, []string{"train", "--recipe", own, "--batch", "0"}, "error: train: --batch wants at least 1, got 0") // the flag's mistake
	require.NoError(t, os.WriteFile(own, []byte("train:\n  optimizer: sgd\n  momentum: 0.9\n  lr: -1\n"), 0o600))
	refused(t, []string{"train", "--recipe", own, "--epochs", "0"}, "error: train: --epochs wants at least 1, got 0")
	require.NoError(t, os.WriteFile(own, []byte("train:\n  batch: 2\n  precision: fp99\n"), 0o600))
	require.Contains(t, ok(t, "explain", "--recipe", own, "--precision", "fp32"), "Conv2D")
	refused(t, []string{"train", "--recipe", own + ".yml"}, "error: recipe: open "+own+".yml")
	refused(t, []string{"train", "--recipe", "vgg-16-cifar100"}, `did you mean "vgg16-cifar100"?`)
	refused(t, []string{"train", "--recipe="}, "--recipe= is empty; name a recipe: resnet18-cifar100")
	refused(t, []string{"recipes", "vgg"}, `unknown recipe "vgg"; did you mean "vgg16-cifar100"?`)
	refused(t, []string{"train", "--lr-batch", "-1"}, "--lr-batch wants at least 0, got -1")
	refused(t, []string{"train", "--arch", "vgg16", "--batch-norm-momentum", "1"}, "--batch-norm-momentum wants a number from 0 to below 1, got 1")
}
