package arch

import (
	"fmt"
	"strings"

	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/nn"
)

// Config configures an architecture by name. Fields that an architecture does not have must be zero.
type Config struct {
	Input            nn.Shape      // rows, columns, channels; 32×32×3 by default
	Classes          int           // 100 by default
	Batch            int           // fixed batch size for summaries; 0 means None
	DataFormat       nn.DataFormat // ChannelsLast by default
	Seed             uint64        // of Build's weights and dropout
	BatchNorm        bool          // vgg16
	Dropout          float64       // vgg16
	L2               nn.L2         // vgg16
	NoL2             bool          // resnet50
	RescaleInputs    bool          // resnet50
	BatchNormDecay   float64       // resnet50
	BatchNormEpsilon float64       // resnet50
	Shortcuts        string        // resnet20-cifar and its kin: "A" or "B"
}

// entry is a row of the registry.
type entry struct {
	name    string
	options string // the fields of Config beyond the common ones that it takes
	make    func(Config) Architecture
}

var registry = append([]entry{
	{"simplecnn", "", func(c Config) Architecture {
		return SimpleCNN{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed}
	}},
	{"vgg16", "BatchNorm Dropout L2", func(c Config) Architecture {
		return VGG16{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed,
			BatchNorm: c.BatchNorm, Dropout: c.Dropout, L2: c.L2}
	}},
	{"resnet50", "NoL2 RescaleInputs BatchNormDecay BatchNormEpsilon", func(c Config) Architecture {
		return ResNet50{Input: c.Input, Classes: c.Classes, Batch: c.Batch, DataFormat: c.DataFormat, Seed: c.Seed,
			NoL2: c.NoL2, RescaleInputs: c.RescaleInputs, BatchNormDecay: c.BatchNormDecay, BatchNormEpsilon: c.BatchNormEpsilon}
	}},
}, cifarEntries()...)

// Names lists the architectures that ByName knows.
func Names() []string {
	names := make([]string, len(registry))
	for i, e := range registry {
		names[i] = e.name
	}
	return names
}

// OptionError says that an architecture does not have an option, for programs that call options otherwise than Config does.
type OptionError struct {
	Arch    string   // name of the architecture
	Option  string   // the field of Config that was set
	Options []string // the fields that the architecture has beyond the common ones
}

// Error is one line with Config's names.
func (e *OptionError) Error() string {
	return fmt.Sprintf("architecture %q has no option %s", e.Arch, e.Option)
}

// ByName configures the architecture of that name. An unknown name, or an option that the architecture does not have,
// is an *nn.Error of kind nn.ErrArgument; the latter wraps an *OptionError.
func ByName(name string, c Config) (Architecture, error) {
	for _, e := range registry {
		if e.name != name {
			continue
		}
		for _, o := range c.set() {
			if !strings.Contains(" "+e.options+" ", " "+o+" ") {
				remedy := "leave it out"
				if e.options != "" {
					remedy += "; its options are " + strings.Join(strings.Fields(e.options), ", ")
				}
				wrong := &OptionError{Arch: name, Option: o, Options: strings.Fields(e.options)}
				return nil, &nn.Error{Kind: nn.ErrArgument, Problem: wrong.Error(), Remedy: remedy, Cause: wrong}
			}
		}
		return e.make(c), nil
	}
	return nil, &nn.Error{Kind: nn.ErrArgument, Problem: fmt.Sprintf("unknown architecture %q%s", name, suggest.Phrase(name, Names())),
		Remedy: "the architectures are " + strings.Join(Names(), ", ")}
}

// set names the options beyond the common ones that are not zero.
func (c Config) set() []string {
	var out []string
	for _, o := range []struct {
		name string
		on   bool
	}{{"BatchNorm", c.BatchNorm}, {"Dropout", c.Dropout != 0}, {"L2", c.L2 != 0}, {"NoL2", c.NoL2},
		{"RescaleInputs", c.RescaleInputs}, {"BatchNormDecay", c.BatchNormDecay != 0}, {"BatchNormEpsilon", c.BatchNormEpsilon != 0}, {"Shortcuts", c.Shortcuts != ""}} {
		if o.on {
			out = append(out, o.name)
		}
	}
	return out
}
