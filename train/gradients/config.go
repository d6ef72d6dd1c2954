package gradients

import (
	"errors"
	"fmt"
	"math"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// Config is an experiment. [DefaultConfig] has all fields; the zero value has not.
type Config struct {
	Depth       int     `json:"depth"` // layers with weights, 6n+2: arch.CIFARResNet
	BatchNorm   bool    `json:"batch_norm"`
	Initializer string  `json:"initializer"` // of kernels, one of Initializers
	Steps       int     `json:"steps"`
	Every       int     `json:"every"` // steps between two looks at the gradients; the first and the last step are always looked at
	Batch       int     `json:"batch"`
	Optimizer   string  `json:"optimizer"` // as of train.Config
	LR          float64 `json:"learning_rate"`
	Seed        uint64  `json:"seed"` // of weights and order
}

// DefaultConfig is 20 layers without normalization, their kernels as Keras initializes them: gradients vanish where there are
// no shortcuts.
func DefaultConfig() Config {
	return Config{Depth: 20, Initializer: "glorot_uniform", Steps: 600, Every: 20, Batch: 64, Optimizer: "sgd:momentum=0.9", LR: 0.01, Seed: 1}
}

var initializers = map[string]nn.Initializer{"glorot_uniform": nn.GlorotUniform{}, "he_normal": nn.HeNormal{}}

// Initializers are the names of Config.Initializer.
func Initializers() []string { return []string{"glorot_uniform", "he_normal"} }

// Validate checks everything but the data.
func (c Config) Validate() error {
	for _, v := range []struct {
		flag string
		bad  bool
		want string
		got  any
	}{
		{"--steps", c.Steps < 1, "at least 1", c.Steps},
		{"--every", c.Every < 1, "at least 1", c.Every},
		{"--batch", c.Batch < 1, "at least 1", c.Batch},
		{"--lr", !(c.LR > 0) || math.IsInf(c.LR, 0), "a positive number", c.LR},
	} {
		if v.bad {
			return fmt.Errorf("gradients: %s wants %s, got %v", v.flag, v.want, v.got)
		}
	}
	if initializers[c.Initializer] == nil {
		return fmt.Errorf("gradients: unknown initializer %q%s", c.Initializer, suggest.Then(c.Initializer, Initializers(), "known are glorot_uniform and he_normal"))
	}
	if _, err := c.optimizer(); err != nil {
		return err
	}
	for _, plain := range []bool{true, false} {
		if _, err := c.network(plain, nn.Shape{32, 32, 3}, 10).Model(); err != nil {
			return err
		}
	}
	return nil
}

func (c Config) optimizer() (train.Optimizer, error) {
	return train.NewOptimizer(train.Config{Optimizer: c.Optimizer, LR: c.LR})
}

// network is one of the two.
func (c Config) network(plain bool, input nn.Shape, classes int) arch.CIFARResNet {
	return arch.CIFARResNet{Depth: c.Depth, Plain: plain, NoBatchNorm: !c.BatchNorm, KernelInitializer: initializers[c.Initializer],
		Input: input, Classes: classes, NoL2: true} // a penalty would have a gradient of its own
}

// ErrNothing says that not even one step was done, so that there is nothing to write.
var ErrNothing = errors.New("gradients: no step was done")
