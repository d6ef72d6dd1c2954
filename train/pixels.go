package train

import (
	"fmt"

	"github.com/stheno-ml/stheno/nn"
)

// TakesRawPixels says whether a model rescales pixels of 0 to 255 itself: its first layer, but for a Permute, is a Rescaling by 1/64 or
// less, such as Keras's of 1/255 and of 1/127.5 minus 1, or a Normalization around means of more than 1. Such networks are to be given
// pixels as they are: a Config's RawPixels.
func TakesRawPixels(m *nn.Model) bool {
	if m == nil {
		return false
	}
	for _, l := range m.Layers() {
		switch c := l.Config.(type) {
		case nn.Input, nn.Permute:
			continue
		case nn.Rescaling:
			return c.Scales == nil && c.Scale > 0 && c.Scale <= 1./64
		case nn.Normalization:
			for _, mean := range c.Mean {
				if mean > 1 {
					return !c.Invert
				}
			}
		}
		return false
	}
	return false
}

// feedRaw has networks that rescale pixels themselves be given these as they are.
func (c *Config) feedRaw(m *nn.Model) error {
	if !TakesRawPixels(m) {
		return nil
	}
	if c.Standardise {
		return fmt.Errorf("train: %s takes pixels of 0 to 255 and rescales them itself; leave Standardise out", c.Arch)
	}
	c.RawPixels = true
	return nil
}
