package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/train"
)

// pixels is what a network expects of pixels, as flags say it: 0 to 1 without any of them.
type pixels struct {
	raw       bool
	mean, std []float32
}

func (p *pixels) flags(f *pflag.FlagSet) {
	f.Float32SliceVar(&p.mean, "mean", nil, "mean of each channel, `numbers` with commas between them, that the network wants subtracted from pixels of 0 to 1, such as 0.485,0.456,0.406 of ImageNet")
	f.Float32SliceVar(&p.std, "std", nil, "deviation of each channel to divide by, `numbers` with commas between them, such as 0.229,0.224,0.225 of ImageNet")
	for _, name := range []string{"mean", "std"} {
		f.Lookup(name).DefValue = "" // pflag would print []
	}
	f.BoolVar(&p.raw, "raw-pixels", false, "the network wants pixels of 0 to 255 as they are")
}

// given says whether the flags say something.
func (p *pixels) given(f *pflag.FlagSet) bool {
	return f.Changed("mean") || f.Changed("std") || f.Changed("raw-pixels")
}

// pixelsFor says what a network expects of pixels: "pixels of 0 to 1, in each channel minus 0.485, 0.456, 0.406 divided by 0.229,
// 0.224, 0.225".
func pixelsFor(c train.Config) string {
	if c.RawPixels {
		return "pixels of 0 to 255"
	}
	numbers := func(all []float32) string {
		var texts []string
		for _, x := range all {
			texts = append(texts, fmt.Sprintf("%.6g", x))
		}
		return strings.Join(texts, ", ")
	}
	text := "pixels of 0 to 1"
	if len(c.Mean)+len(c.Std) > 0 {
		text += ", in each channel"
	}
	if len(c.Mean) > 0 {
		text += " minus " + numbers(c.Mean)
	}
	if len(c.Std) > 0 {
		text += " divided by " + numbers(c.Std)
	}
	return text
}

// override puts what the flags say into a configuration; where they say nothing, it stays.
func (p *pixels) override(f *pflag.FlagSet, c *train.Config) error {
	if !p.given(f) {
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
