package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/nn"
	kerasfile "github.com/stheno-ml/stheno/weights/keras" // "keras" is an epsilon here
	"github.com/stheno-ml/stheno/weights/onnx"
)

// The values of Config.Arch for networks that Config.Model describes.
const (
	KerasArch = "keras"
	ONNXArch  = "onnx"
)

// NewModel makes the model that a configuration describes, without values.
func NewModel(c Config) (*nn.Model, error) {
	if len(c.Classes) == 0 {
		return nil, errors.New("train: the configuration names no classes")
	}
	if len(c.Model) > 0 && (c.Arch == KerasArch || c.Arch == ONNXArch) {
		m, err := c.described()
		if err != nil {
			return nil, err
		}
		if err := checkOne(m); err != nil {
			return nil, err
		}
		if c.NewHead {
			if m, err = m.WithClasses(len(c.Classes)); err != nil {
				return nil, err
			}
		}
		if c.Softmax {
			if m, err = m.WithSoftmax(); err != nil {
				return nil, err
			}
		}
		if in, out := m.InputShape(), m.OutputShape(); !slices.Equal([]int(in), c.Input[:]) || !slices.Equal([]int(out), []int{len(c.Classes)}) {
			return nil, fmt.Errorf("train: the model takes %v and returns %v, its configuration says images of %s and %d classes", in, out, sides(c.Input[:]), len(c.Classes))
		}
		return m, nil
	}
	a, err := c.architecture()
	if err != nil {
		return nil, err
	}
	return a.Model()
}

// described makes the model of Config.Model.
func (c Config) described() (*nn.Model, error) {
	if c.Arch == KerasArch {
		return kerasfile.ModelWith(c.Model, kerasfile.Options{Input: nn.Shape(c.Input[:])})
	}
	var graph []byte
	if err := json.Unmarshal(c.Model, &graph); err != nil {
		return nil, fmt.Errorf("train: the configuration's description of a graph is not base64 in quotes: %w", err)
	}
	return onnx.Described(graph, onnx.ModelConfig{Images: true, Size: nn.Shape(c.Input[:])})
}

func (c Config) architecture() (arch.Architecture, error) {
	return arch.ByName(c.Arch, arch.Config{Input: nn.Shape(c.Input[:]), Classes: len(c.Classes), Seed: c.Seed,
		BatchNorm: c.BatchNorm, Dropout: c.Dropout, NoL2: c.NoL2, Stem: c.Stem, Version: c.ResNetVersion,
		Shortcuts: c.Shortcuts, RescaleInputs: c.RescaleInputs, BatchNormDecay: c.BatchNormMomentum,
		SymmetricPadding: c.SymmetricPadding, BatchNormEpsilon: c.BatchNormEpsilon, Head: c.Head})
}
