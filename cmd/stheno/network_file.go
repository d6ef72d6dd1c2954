package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights/convert"
	"github.com/stheno-ml/stheno/weights/keras"
	"github.com/stheno-ml/stheno/weights/onnx"
)

// loadCheckpoint makes the network of a checkpoint, with its values.
func loadCheckpoint(path string) (*nn.Model, train.Config, error) {
	m, cfg, err := train.LoadModel(path)
	if err != nil && cfg.Arch == "" {
		return nil, cfg, fmt.Errorf("%s is a checkpoint that does not say of which network: it was not written by train or convert; name the network with convert --arch", path)
	}
	return m, cfg, err
}

// refuse says that flags which describe a network of ours are not for one that a file holds.
func refuse(f *pflag.FlagSet, in string, but ...string) error {
	var own pflag.FlagSet
	(&network{}).flags(&own)
	var wrong error
	own.VisitAll(func(flag *pflag.Flag) {
		if f.Changed(flag.Name) && wrong == nil && !slices.Contains(but, flag.Name) {
			wrong = fmt.Errorf("--%s is for networks that --arch names; %s holds a network itself", flag.Name, in)
		}
	})
	return wrong
}

// size is what --input says of images whose size a file leaves open, nil without it.
func (n *network) size(f *pflag.FlagSet) (nn.Shape, error) {
	if !f.Changed("input") {
		return nil, nil
	}
	return parseInput(n.input)
}

// openSizes says where a graph leaves the sizes of its input open.
func openSizes(in string, g *onnx.Graph) error {
	for _, v := range g.Inputs {
		if len(v.Dims) == 4 && slices.ContainsFunc(v.Dims[1:], func(d onnx.Dim) bool { return d.Size < 0 }) {
			return fmt.Errorf("%s leaves the size of its images open: its input %q is %v; give it, as rows x columns x channels, such as --input 224x224x3", in, v.Name, v.Dims)
		}
	}
	return nil
}

// graphModel makes the model of an ONNX file.
func graphModel(in string, g *onnx.Graph, c onnx.ModelConfig) (*nn.Model, error) {
	if c.Size == nil {
		if err := openSizes(in, g); err != nil {
			return nil, err
		}
	}
	return g.Model(c)
}

// named is the network that an argument of summary or plot names: an architecture, a file, or the folder of a run.
func (n *network) named(f *pflag.FlagSet, name string) (*nn.Model, error) {
	_, err := os.Stat(name)
	if slices.Contains(arch.Names(), name) || err != nil {
		if err != nil && (strings.ContainsAny(name, `/\`) || filepath.Ext(name) != "") {
			return nil, fmt.Errorf("%w, and no architecture has that name", err)
		}
		return n.model(f, name)
	}
	if err := refuse(f, name, "input"); err != nil {
		return nil, errors.New(strings.Replace(err.Error(), "that --arch names", "of ours", 1))
	}
	if f.Changed("batch") {
		return nil, fmt.Errorf("--batch is for architectures; %s says itself what batch size it has", name)
	}
	size, err := n.size(f)
	if err != nil {
		return nil, err
	}
	path, err := train.CheckpointIn(name)
	if err != nil {
		return nil, err
	}
	src, err := convert.Open(path)
	if err != nil {
		return nil, err
	}
	switch {
	case src.Format == "checkpoint":
		m, _, err := loadCheckpoint(path)
		return m, err
	case src.Graph != nil:
		return graphModel(name, src.Graph, onnx.ModelConfig{Size: size})
	case src.Config != nil:
		return keras.ModelWith(src.Config, keras.Options{Input: size})
	}
	return nil, fmt.Errorf("%s holds weights and no network; name the architecture that they are for: %s", name, seeArchitectures())
}

// seeArchitectures is where the names of all architectures are found.
func seeArchitectures() string { return programName + " summary --help lists them" }

// architectures lists all names, in lines.
func architectures() string {
	var b strings.Builder
	width := 0
	for i, name := range arch.Names() {
		if i > 0 {
			b.WriteString(", ")
		}
		if width += len(name) + 2; width > 110 {
			b.WriteString("\n")
			width = len(name) + 2
		}
		b.WriteString(name)
	}
	return strings.ReplaceAll(b.String(), " \n", "\n")
}
