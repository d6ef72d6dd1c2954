package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/train"
)

// optimizerFlags are those of what makes updates of gradients.
func optimizerFlags(f *pflag.FlagSet, c *train.Config) {
	f.StringVar(&c.Optimizer, "optimizer", c.Optimizer, "optimizer: "+strings.Join(train.Optimizers(), ", ")+"; options follow a colon, as in adam:beta_2=0.98,amsgrad")
	f.Float64Var(&c.Momentum, "momentum", c.Momentum, "sgd: momentum")
	f.BoolVar(&c.Nesterov, "nesterov", c.Nesterov, "sgd: Nesterov's look-ahead")
	f.Float64Var(&c.WeightDecay, "weight-decay", c.WeightDecay, "weight decay, added to the gradient; decoupled with adamw, lion, lamb, muon, and with the option decoupled of others")
	f.StringVar(&c.NoDecay, "no-decay", c.NoDecay, "regular expression of names of weights without weight decay, such as 'bias|gamma|beta'")
	f.Float64Var(&c.ClipValue, "clip-value", c.ClipValue, "clip every element of gradients to this size (0: not)")
	f.Float64Var(&c.ClipNorm, "clip-norm", c.ClipNorm, "clip the gradient of each weight to this norm (0: not)")
	f.Float64Var(&c.GlobalClipNorm, "global-clip-norm", c.GlobalClipNorm, "clip the gradients of all weights together to this norm (0: not)")
	f.Float64Var(&c.EMA, "ema", c.EMA, "keep exponential averages of the weights with this momentum, and validate and save those; --ema alone is 0.99 (0: not)")
	f.Lookup("ema").NoOptDefVal = "0.99"
	f.IntVar(&c.EMAOverwrite, "ema-overwrite", c.EMAOverwrite, "set the weights to their averages every N steps (0: never)")
}

// onlyTraining are the flags that say nothing of an inference.
var onlyTraining = []string{"optimizer", "momentum", "nesterov", "weight-decay", "no-decay", "clip-value", "clip-norm", "global-clip-norm", "ema", "ema-overwrite",
	"augment", "cutout", "mixup", "standardise", "loss", "label-smoothing", "class-weight", "accumulate", "freeze", "recompute", "memory-budget"}

// checkMomentum refuses a momentum for optimizers that have none, or have it as an option.
func checkMomentum(f *pflag.FlagSet, optimizer string) error {
	name, options, _ := strings.Cut(optimizer, ":")
	switch has := slices.Contains(train.OptimizerOptions(name), "momentum"); {
	case !f.Changed("momentum") || train.OptimizerOptions(name) == nil: // what does not exist is refused elsewhere
		return nil
	case name != "sgd" && has:
		return fmt.Errorf("--momentum goes with --optimizer sgd, not %s; write --optimizer %s:momentum=%s", name, name, f.Lookup("momentum").Value)
	case name != "sgd":
		return fmt.Errorf("--momentum goes with --optimizer sgd, not %s", name)
	case strings.Contains(options, "momentum"):
		return fmt.Errorf("--momentum and --optimizer %s both say the momentum; leave one out", optimizer)
	}
	return nil
}

// optimizerHelp lists the options of all optimizers.
func optimizerHelp() string {
	var b strings.Builder
	for _, name := range train.Optimizers() {
		fmt.Fprintf(&b, "\n  %-9s %s", name, strings.Join(train.OptimizerOptions(name), ", "))
	}
	return b.String()
}
