package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/internal/thousands"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights/convert"
	"github.com/stheno-ml/stheno/weights/keras"
	"github.com/stheno-ml/stheno/weights/onnx"
)

// config describes a network of ours, and what it was trained on.
func (c *conversion) config(f *pflag.FlagSet) (train.Config, error) {
	var cfg train.Config
	if c.layout != "channels_last" {
		return cfg, errors.New("checkpoints are of networks in channels_last; the weights are the same in both formats, so leave --data-format out")
	}
	if err := c.dataSet(&cfg); err != nil {
		return cfg, err
	}
	if c.data != "" {
		if f.Changed("classes") && c.Classes != len(cfg.Classes) {
			return cfg, fmt.Errorf("--classes is %d, %s has %d; give one of --classes and --data", c.Classes, c.data, len(cfg.Classes))
		}
		c.Classes = len(cfg.Classes)
		if !f.Changed("input") {
			c.input = fmt.Sprintf("%dx%dx%d", cfg.Input[0], cfg.Input[1], cfg.Input[2])
		}
	}
	check := func() error { // the flags
		_, err := c.network.architecture(c.arch)
		return err
	}
	if c.data == "" {
		check = func() error {
			_, err := c.network.model(f, c.arch)
			return err
		}
	}
	if err := check(); err != nil {
		return cfg, err
	}
	if cfg.Classes == nil {
		cfg.Classes = classNames(c.Classes)
	}
	cfg.Arch, cfg.BatchNorm, cfg.Dropout, cfg.RescaleInputs = c.arch, c.BatchNorm, c.Dropout, c.RescaleInputs
	cfg.Stem, cfg.ResNetVersion, cfg.Shortcuts = c.Stem, c.Version, c.Shortcuts
	cfg.SymmetricPadding, cfg.BatchNormEpsilon, cfg.Head = c.SymmetricPadding, c.BatchNormEpsilon, c.Head
	copy(cfg.Input[:], c.Input)
	return cfg, c.pixels.override(f, &cfg)
}

// described makes the network that a file of Keras describes itself, and for one of images its configuration.
func (c *conversion) described(f *pflag.FlagSet, in string, model json.RawMessage) (*nn.Model, train.Config, error) {
	var cfg train.Config
	if model == nil {
		return nil, cfg, fmt.Errorf("%s holds weights and no network; name the one that they are for with --arch: %s", in, seeArchitectures())
	}
	if err := refuse(f, in, "input"); err != nil {
		return nil, cfg, err
	}
	size, err := c.size(f)
	if err != nil {
		return nil, cfg, err
	}
	m, err := keras.ModelWith(model, keras.Options{Input: size})
	if err != nil || c.to != "checkpoint" && c.data == "" && !c.pixelsKnown && !isClassifier(m) { // which needs no configuration
		return m, cfg, err
	}
	cfg.Arch, cfg.Model = train.KerasArch, model
	if err := c.ofImages(f, in, m, &cfg); err != nil {
		return nil, cfg, err
	}
	m, err = train.NewModel(cfg)
	return m, cfg, err
}

// isClassifier says whether a network takes an image and returns a number a class.
func isClassifier(m *nn.Model) bool {
	return len(m.Inputs()) == 1 && len(m.Outputs()) == 1 && len(m.InputShape()) == 3 && len(m.OutputShape()) == 1
}

// fromTo says what a network takes and returns.
func fromTo(m *nn.Model) string {
	list := func(ports []nn.Port) string {
		text := make([]string, len(ports))
		for i, p := range ports {
			if text[i] = p.Shape.String(); len(ports) > 1 {
				text[i] = p.Name + " " + text[i]
			}
		}
		return strings.Join(text, ", ")
	}
	return "from " + list(m.Inputs()) + " to " + list(m.Outputs())
}

// ofImages fills in what checkpoints say of images and classes.
func (c *conversion) ofImages(f *pflag.FlagSet, in string, m *nn.Model, cfg *train.Config) error {
	shape, out := m.InputShape(), m.OutputShape()
	if ins, outs := len(m.Inputs()), len(m.Outputs()); ins != 1 || outs != 1 {
		return &train.ArgumentError{What: "the network in " + in, Problem: fmt.Sprintf("has %d inputs and %d outputs; checkpoints, and train, eval and predict, are of networks that take one image and return a number a class", ins, outs),
			Remedy: "convert it with --to onnx or npz, without --data and what is said of pixels, or train it in a Go program: train.Fitter takes models of several"}
	}
	if !isClassifier(m) {
		return fmt.Errorf("the network in %s takes %v and returns %v; checkpoints are of networks that take images and return a number a class", in, shape, out)
	}
	if err := c.dataSet(cfg); err != nil {
		return err
	}
	switch {
	case c.data != "":
		if len(cfg.Classes) != out[0] || !slices.Equal(cfg.Input[:], []int(shape)) {
			return fmt.Errorf("the network in %s takes images of %v with %d classes, %s has %v with %d", in, []int(shape), out[0], c.data, cfg.Input, len(cfg.Classes))
		}
	case len(cfg.Classes) == 0: // a checkpoint of ours knows their names
		cfg.Classes = classNames(out[0])
	}
	copy(cfg.Input[:], shape)
	return c.pixels.override(f, cfg)
}

// whole converts a file that holds a network with its weights: a checkpoint, or ONNX's.
func (c *conversion) whole(cmd *cobra.Command, src *convert.Source, out string) error {
	f, w, in := cmd.Flags(), cmd.OutOrStdout(), src.Path
	for _, name := range []string{"map", "match", "layout", "ignore"} {
		if f.Changed(name) {
			return fmt.Errorf("--%s is for weights of networks that --arch names; %s holds a network itself", name, in)
		}
	}
	var m *nn.Model
	var cfg train.Config
	var err error
	if src.Graph != nil {
		m, cfg, err = c.graph(f, in, src.Graph)
	} else if err = refuse(f, in); err == nil {
		c.pixelsKnown = true
		if m, cfg, err = loadCheckpoint(in); err == nil {
			err = c.ofImages(f, in, m, &cfg)
		}
	}
	if err != nil {
		return err
	}
	total, _, _ := m.CountParams()
	fmt.Fprintf(w, "%s: the network in the file, %s, with %d weights (%s numbers)\n", m.Name(), fromTo(m), len(m.Weights()), thousands.Format(int64(total)))
	if m, err = c.probabilities(w, m, &cfg); err != nil {
		return err
	}
	if c.dry {
		for _, weight := range m.Weights() {
			fmt.Fprintf(w, "  %s %v\n", weight.Name, []int(weight.Shape))
		}
		return nil
	}
	return c.write(w, out, m, cfg)
}

// graph makes the network of an ONNX file, for a checkpoint one that takes images as data sets have them.
func (c *conversion) graph(f *pflag.FlagSet, in string, g *onnx.Graph) (*nn.Model, train.Config, error) {
	var cfg train.Config
	if err := refuse(f, in, "input"); err != nil {
		return nil, cfg, err
	}
	size, err := c.size(f)
	if err != nil {
		return nil, cfg, err
	}
	how := onnx.ModelConfig{Size: size}
	if c.to == "checkpoint" {
		how.Images, how.Dtype = true, tensor.Float32
	}
	m, err := graphModel(in, g, how)
	if err != nil || c.to != "checkpoint" {
		return m, cfg, err
	}
	if err := c.ofImages(f, in, m, &cfg); err != nil {
		return nil, cfg, err
	}
	description, err := g.Describe(how)
	if err != nil {
		return nil, cfg, err
	}
	cfg.Arch = train.ONNXArch
	cfg.Model, err = json.Marshal(description)
	return m, cfg, err
}

// dataSet notes what is known of the data set that is named.
func (c *conversion) dataSet(cfg *train.Config) error {
	cfg.Version = versionLine()
	if c.data == "" {
		return nil
	}
	cfg.DataDir = "" // which is of another data set's, if any
	info, err := data.Lookup(c.data)
	if err != nil {
		return err
	}
	cfg.Data, cfg.Classes, cfg.Input = c.data, info.Classes, info.Shape
	return nil
}

// classNames are what classes are called of which nothing is known.
func classNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("class %d", i)
	}
	return names
}
