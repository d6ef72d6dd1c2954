package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights/keras"
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
	if _, err := c.network.architecture(c.arch); err != nil { // which checks the flags
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

// likeTorch is the network with PyTorch's padding and epsilon, as far as it has options for them.
func likeTorch(cfg train.Config) (train.Config, bool) {
	changed := false
	for _, option := range []func(*train.Config){func(c *train.Config) { c.SymmetricPadding = true }, func(c *train.Config) { c.BatchNormEpsilon = 1e-5 }} {
		with := cfg
		option(&with)
		if _, err := train.NewModel(with); err == nil {
			cfg, changed = with, true
		}
	}
	return cfg, changed
}

// described makes the configuration of a network that the file describes itself.
func (c *conversion) described(f *pflag.FlagSet, in, format string, model json.RawMessage) (train.Config, error) {
	var cfg train.Config
	if model == nil && format == "ONNX" {
		return cfg, fmt.Errorf("%s is ONNX, whose networks package weights/onnx builds; convert takes their weights alone: name a network of the same layers with --arch: %s", in, strings.Join(arch.Names(), ", "))
	}
	if model == nil {
		return cfg, fmt.Errorf("%s holds weights and no network; name the one that they are for with --arch: %s", in, strings.Join(arch.Names(), ", "))
	}
	if err := networkFlags(f, in); err != nil {
		return cfg, err
	}
	m, err := keras.Model(model)
	if err != nil {
		return cfg, err
	}
	shape, out := m.InputShape(), m.OutputShape()
	if len(shape) != 3 || len(out) != 1 {
		return cfg, fmt.Errorf("the network in %s takes %v and returns %v; checkpoints are of networks that take images and return a number a class", in, shape, out)
	}
	if err := c.dataSet(&cfg); err != nil {
		return cfg, err
	}
	switch {
	case c.data == "":
		cfg.Classes = classNames(out[0])
	case len(cfg.Classes) != out[0] || !slices.Equal(cfg.Input[:], []int(shape)):
		return cfg, fmt.Errorf("the network in %s takes images of %v with %d classes, %s has %v with %d", in, []int(shape), out[0], c.data, cfg.Input, len(cfg.Classes))
	}
	copy(cfg.Input[:], shape)
	cfg.Arch, cfg.Model = train.KerasArch, model
	return cfg, c.pixels.override(f, &cfg)
}

// trained is the configuration that a checkpoint carries.
func (c *conversion) trained(f *pflag.FlagSet, in string) (train.Config, error) {
	if err := networkFlags(f, in); err != nil {
		return train.Config{}, err
	}
	_, cfg, err := train.LoadModel(in)
	if err != nil {
		return cfg, err
	}
	if c.data != "" {
		info, err := data.Lookup(c.data)
		if err != nil {
			return cfg, err
		}
		if len(info.Classes) != len(cfg.Classes) || info.Shape != cfg.Input {
			return cfg, fmt.Errorf("the network in %s takes images of %v with %d classes, %s has %v with %d", in, cfg.Input, len(cfg.Classes), c.data, info.Shape, len(info.Classes))
		}
		cfg.Data, cfg.Classes = c.data, info.Classes
	}
	return cfg, c.pixels.override(f, &cfg)
}

// networkFlags refuses flags that say what a file says itself.
func networkFlags(f *pflag.FlagSet, in string) (wrong error) {
	var own pflag.FlagSet
	(&network{}).flags(&own)
	own.VisitAll(func(flag *pflag.Flag) {
		if f.Changed(flag.Name) && wrong == nil {
			wrong = fmt.Errorf("--%s is for networks that --arch names; %s holds a network itself", flag.Name, in)
		}
	})
	return wrong
}

// dataSet notes what is known of the data set that is named.
func (c *conversion) dataSet(cfg *train.Config) error {
	cfg.Version = versionLine()
	if c.data == "" {
		return nil
	}
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
