package main

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/train"
)

// pixels is what a network expects of pixels, as flags say it: 0 to 1 without any of them.
type pixels struct {
	raw       bool
	mean, std []float32
}

func (p *pixels) flags(f *pflag.FlagSet) {
	f.Float32SliceVar(&p.mean, "mean", nil, "mean of each channel that the network wants subtracted from pixels of 0 to 1, such as 0.485,0.456,0.406 of ImageNet")
	f.Float32SliceVar(&p.std, "std", nil, "deviation of each channel to divide by, such as 0.229,0.224,0.225 of ImageNet")
	f.BoolVar(&p.raw, "raw-pixels", false, "the network wants pixels of 0 to 255 as they are")
}

// override puts what the flags say into a configuration; where they say nothing, it stays.
func (p *pixels) override(f *pflag.FlagSet, c *train.Config) error {
	if !f.Changed("mean") && !f.Changed("std") && !f.Changed("raw-pixels") {
		return nil
	}
	if p.raw && (f.Changed("mean") || f.Changed("std")) {
		return errors.New("--raw-pixels excludes --mean and --std")
	}
	for _, v := range []struct {
		flag   string
		values []float32
	}{{"mean", p.mean}, {"std", p.std}} {
		if f.Changed(v.flag) && len(v.values) != c.Input[2] {
			return fmt.Errorf("--%s wants a number for each of %d channels, got %d", v.flag, c.Input[2], len(v.values))
		}
	}
	for _, m := range p.mean {
		if m-m != 0 {
			return fmt.Errorf("--mean wants finite numbers, got %v", m)
		}
	}
	for _, s := range p.std {
		if !(s > 0) || s-s != 0 {
			return fmt.Errorf("--std wants positive numbers, got %v", s)
		}
	}
	c.RawPixels, c.Mean, c.Std = p.raw, nil, nil
	if len(p.mean) > 0 {
		c.Mean = p.mean
	}
	if len(p.std) > 0 {
		c.Std = p.std
	}
	return nil
}
