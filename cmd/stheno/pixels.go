package main

import (
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

func (p *pixels) flags(f *pflag.FlagSet) { pixelFlags(f, &p.raw, &p.mean, &p.std) }

// pixelFlags sets what a network expects of pixels.
func pixelFlags(f *pflag.FlagSet, raw *bool, mean, std *[]float32) {
	f.Float32SliceVar(mean, "mean", *mean, "mean of each channel, `numbers` with commas between them, that the network wants subtracted from pixels of 0 to 1, such as 0.485,0.456,0.406 of ImageNet")
	f.Float32SliceVar(std, "std", *std, "deviation of each channel to divide by, `numbers` with commas between them, such as 0.229,0.224,0.225 of ImageNet")
	for _, name := range []string{"mean", "std"} {
		f.Lookup(name).DefValue = "" // pflag would print []
	}
	f.BoolVar(raw, "raw-pixels", *raw, "the network wants pixels of 0 to 255 as they are")
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
	c.RawPixels, c.Mean, c.Std = p.raw, nil, nil
	if len(p.mean) > 0 {
		c.Mean = p.mean
	}
	if len(p.std) > 0 {
		c.Std = p.std
	}
	return c.CheckPixels()
}
