package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/train"
)

// TestMuchAskedFor trains with much of what the flags can ask for, goes on, and evaluates the averages.
func TestMuchAskedFor(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	flags := []string{"train", "--data", "sample", "--limit-train", "128", "--limit-test", "50", "--epochs", "1", "--batch", "32", "--out", dir,
		"--optimizer", "nadam:beta_1=0.8,decoupled", "--weight-decay", "1e-3", "--no-decay", "bias", "--global-clip-norm", "1", "--ema", "--accumulate", "3",
		"--class-weight", "balanced", "--schedule", "polynomial:power=2+warmup:0.5"}
	out := ok(t, flags...)
	require.Contains(t, out, "nadam:beta_1=0.8,decoupled")
	c, _, err := train.ReadConfig(dir)
	require.NoError(t, err)
	require.Equal(t, 0.99, c.EMA, "--ema alone")
	require.Zero(t, c.Momentum)
	again := ok(t, append(flags, "--resume", "--epochs", "2")...)
	require.Contains(t, again, "the polynomial schedule is stretched from 1 to 2 epochs")
	require.Contains(t, ok(t, "eval", "--run", dir, "--limit-test", "50"), "50 test images")
	refused(t, []string{"train", "--resume", "--out", dir, "--optimizer", "nadam"}, "--optimizer is nadam:beta_1=0.8,decoupled there, not nadam")
}

func TestOptimizerFlags(t *testing.T) {
	for line, want := range map[string]string{
		"train --optimizer adam:rho=0.9":                  `optimizer "adam" has no option "rho"; it has beta_1, beta_2, epsilon, amsgrad, decoupled`,
		"train --optimizer rmsprop --momentum 0.5":        "--momentum goes with --optimizer sgd, not rmsprop; write --optimizer rmsprop:momentum=0.5",
		"train --optimizer sgd:momentum=0.5 --momentum 1": "both say the momentum",
		"train --optimizer lion --nesterov":               "--nesterov goes with --optimizer sgd, not lion",
		"train --clip-norm 1 --clip-value 1":              "only in one of these ways",
		"train --ema 0.9":                                 `got "0.9"; a momentum of the averages is --ema=0.9`,
		"train --ema --swa 2":                             "give --ema or --swa, but not both",
		"train --schedule plateau:monitor=val_los":        `did you mean "val_loss"?`,
		"train --early-stop patience=x":                   `early stop: patience wants a whole number of at least 0, got "x"`,
		"train --early-stop patience=3,restor":            `did you mean "restore"?`,
		"train --tensorboard logs":                        `got "logs"; a folder for TensorBoard is --tensorboard=logs`,
		"train --tensorboard-steps 100":                   "--tensorboard-steps and --tensorboard-histograms go with --tensorboard",
		"train --tensorboard-histograms -1":               "--tensorboard-histograms wants at least 0, got -1",
		"train --class-weight balancd":                    `got "balancd"`,
		"explain vgg16 --inference --clip-norm 1":         "--clip-norm goes with a training step",
	} {
		refused(t, strings.Fields(line), want)
	}
	require.Contains(t, ok(t, "explain", "simplecnn", "--optimizer", "muon", "--device", "null"), "MatMul+add")
	for _, name := range train.Optimizers() {
		require.Contains(t, ok(t, "train", "--help"), "\n  "+name+" ")
	}
}
