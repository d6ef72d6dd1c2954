package train

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/suggest"
)

// CheckPrecision refuses what is not the name of a precision; "" is FP32.
func CheckPrecision(name string) error {
	if name == "" || slices.Contains(Precisions(), name) {
		return nil
	}
	meant := name
	if other, ok := otherPrecisions[strings.ToLower(name)]; ok {
		meant = other
	}
	return fmt.Errorf("train: unknown precision %q%s", name, suggest.Then(meant, Precisions(), "known are "+strings.Join(Precisions(), ", ")))
}

// otherPrecisions are what other programs call them, and of those that we have not the nearest.
var otherPrecisions = map[string]string{"fp16": "bf16", "float16": "bf16", "half": "bf16", "amp": "bf16", "bfloat16": "bf16", "float32": "fp32", "single": "fp32",
	"tensorfloat32": "tf32"}

// Validate checks everything that can be checked without the data set: numbers, and the names of architecture,
// optimizer and schedule.
func (c Config) Validate() error {
	for _, v := range []struct {
		flag string
		bad  bool
		want string
		got  any
	}{
		{"--epochs", c.Epochs < 1, "at least 1", c.Epochs},
		{"--batch", c.Batch < 1, "at least 1", c.Batch},
		{"--lr", !(c.LR > 0) || math.IsInf(c.LR, 0), "a positive number", c.LR},
		{"--cutout", c.Cutout < 0, "at least 0", c.Cutout},
		{"--mixup", !(c.Mixup >= 0) || math.IsInf(c.Mixup, 0), "a number of at least 0", c.Mixup},
		{"--lr-batch", c.LRBatch < 0, "at least 0", c.LRBatch},
		{"--batch-norm-momentum", !(c.BatchNormMomentum >= 0 && c.BatchNormMomentum < 1), "a number from 0 to below 1", c.BatchNormMomentum},
		{"--batch-norm-epsilon", !(c.BatchNormEpsilon >= 0 && c.BatchNormEpsilon < 1), "a number from 0 to below 1", c.BatchNormEpsilon},
		{"--momentum", !(c.Momentum >= 0 && c.Momentum < 1), "a number from 0 to below 1", c.Momentum},
		{"--weight-decay", !(c.WeightDecay >= 0) || math.IsInf(c.WeightDecay, 0), "a number of at least 0", c.WeightDecay},
		{"--accumulate", c.Accumulate < 0, "at least 0", c.Accumulate},
		{"--clip-value", !(c.ClipValue >= 0) || math.IsInf(c.ClipValue, 0), "a number of at least 0", c.ClipValue},
		{"--clip-norm", !(c.ClipNorm >= 0) || math.IsInf(c.ClipNorm, 0), "a number of at least 0", c.ClipNorm},
		{"--global-clip-norm", !(c.GlobalClipNorm >= 0) || math.IsInf(c.GlobalClipNorm, 0), "a number of at least 0", c.GlobalClipNorm},
		{"--ema", !(c.EMA >= 0 && c.EMA < 1), "a momentum from 0 to below 1", c.EMA},
		{"--ema-overwrite", c.EMAOverwrite < 0, "at least 0", c.EMAOverwrite},
		{"--swa", c.SWA < 0, "at least 0", c.SWA},
		{"--dropout", !(c.Dropout >= 0 && c.Dropout < 1), "a rate from 0 to below 1", c.Dropout},
		{"--limit-train", c.LimitTrain < 0, "at least 0", c.LimitTrain},
		{"--limit-test", c.LimitTest < 0, "at least 0", c.LimitTest},
		{"--size", c.Size < 0, "at least 0", c.Size},
		{"--val-split", !(c.ValSplit >= 0 && c.ValSplit < 1), "a share from 0 to below 1", c.ValSplit},
		{"--threads", c.Threads < 0 || c.Threads > MaxThreads, fmt.Sprintf("at least 0 and at most %d", MaxThreads), c.Threads},
		{"--keep", c.Keep < 1, "at least 1", c.Keep},
		{"--save-every", c.SaveEvery < 0, "at least 0", c.SaveEvery},
		{"--memory-budget", c.MemoryBudget < 0, "at least 0", c.MemoryBudget},
		{"--tensorboard-steps", c.TensorBoardSteps < 0, "at least 0", c.TensorBoardSteps},
		{"--tensorboard-histograms", c.TensorBoardHistograms < 0, "at least 0", c.TensorBoardHistograms},
		{"--profile-steps", c.ProfileSteps < 0, "at least 0", c.ProfileSteps},
	} {
		if v.bad {
			return fmt.Errorf("train: %s wants %s, got %v", v.flag, v.want, v.got)
		}
	}
	if err := CheckPrecision(c.Precision); err != nil {
		return err
	}
	if err := CheckEXIF(c.EXIF); err != nil {
		return err
	}
	if err := c.GradientNorms.check(); err != nil {
		return err
	}
	if _, err := c.CompileOptions(); err != nil {
		return err
	}
	described := len(c.Model) > 0 && (c.Arch == KerasArch || c.Arch == ONNXArch)
	if !described && (c.Arch != "" || c.Weights == "") { // else the network is in a file
		if _, err := c.architecture(); err != nil {
			return err
		}
	}
	if err := c.checkFreeze(); err != nil {
		return err
	}
	if err := c.CheckPixels(); err != nil {
		return err
	}
	if err := c.checkPictures(); err != nil {
		return err
	}
	switch {
	case c.Mixup > 0 && c.ClassWeight != "":
		return errors.New("train: give --mixup or --class-weight, but not both: images that are mixed have two classes")
	case c.EMA == 0 && c.EMAOverwrite > 0:
		return errors.New("train: --ema-overwrite goes with --ema, the averages that overwrite the weights")
	case c.TensorBoard == "" && (c.TensorBoardSteps > 0 || c.TensorBoardHistograms > 0):
		return errors.New("train: --tensorboard-steps and --tensorboard-histograms go with --tensorboard")
	case c.EMA > 0 && c.SWA > 0:
		return errors.New("train: give --ema or --swa, but not both: there is one average of the weights")
	}
	if _, err := NewOptimizer(c); err != nil {
		return err
	}
	if _, err := parseClassWeight(c.ClassWeight); err != nil {
		return err
	}
	if _, err := c.LossFunction(); err != nil {
		return err
	}
	if _, err := ParseEarlyStop(c.EarlyStop); err != nil {
		return err
	}
	_, err := ParseSchedule(c.Schedule)
	return err
}

// CompileOptions are the options of a training step's graph.Compile: what it computes again to save memory.
func (c Config) CompileOptions() ([]graph.Option, error) {
	r, err := graph.ParseRecompute(c.Recompute)
	if err != nil {
		return nil, unknown("recomputation", c.Recompute, graph.Recomputations())
	}
	if r != graph.RecomputeOff && c.MemoryBudget > 0 {
		return nil, errors.New("train: give --recompute or --memory-budget, which chooses what to compute again, but not both")
	}
	return []graph.Option{graph.WithRecompute(r), graph.WithMemoryBudget(c.MemoryBudget)}, nil
}

// unknown is the error for a name that is not in a list.
func unknown(what, name string, known []string) error {
	return fmt.Errorf("train: unknown %s %q%s", what, name, suggest.Then(name, known, "known are "+strings.Join(known, ", ")))
}
