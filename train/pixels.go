package train

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/nn"
)

// TakesRawPixels says whether a model rescales pixels of 0 to 255 itself: its first layer, but for a Permute, is a Rescaling by 1/64 or
// less, such as Keras's of 1/255 and of 1/127.5 minus 1, or a Normalization around means of more than 1, which may be weights with values. Such
// networks are to be given pixels as they are: a Config's RawPixels.
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
			return !c.Invert && (slices.ContainsFunc(c.Mean, aboveOne) || len(c.Mean) == 0 && slices.ContainsFunc(l.Weights, adaptedToPixels))
		}
		return false
	}
	return false
}

func aboveOne[T float32 | float64](mean T) bool { return mean > 1 }

// adaptedToPixels says whether a weight of a Normalization holds means of pixels of 0 to 255.
func adaptedToPixels(w *nn.Weight) bool {
	if w.Value == nil || !strings.HasSuffix(w.Name, "/mean") {
		return false
	}
	switch means := w.Value.Data().(type) {
	case []float32:
		return slices.ContainsFunc(means, aboveOne)
	case []float64:
		return slices.ContainsFunc(means, aboveOne)
	}
	return false
}

// CheckPixels refuses what Mean, Std and RawPixels cannot be; how many channels there are counts where Input is known.
func (c Config) CheckPixels() error {
	if c.RawPixels && len(c.Mean)+len(c.Std) > 0 {
		return errors.New("train: --raw-pixels excludes --mean and --std")
	}
	for _, v := range []struct {
		flag   string
		values []float32
	}{{"mean", c.Mean}, {"std", c.Std}} {
		if n := len(v.values); n > 0 && c.Input[2] > 0 && n != c.Input[2] {
			return fmt.Errorf("train: --%s wants a number for each of %d channels, got %d", v.flag, c.Input[2], n)
		}
	}
	for _, m := range c.Mean {
		if m-m != 0 {
			return fmt.Errorf("train: --mean wants finite numbers, got %v", m)
		}
	}
	for _, s := range c.Std {
		if !(s > 0) || s-s != 0 {
			return fmt.Errorf("train: --std wants positive numbers, got %v", s)
		}
	}
	return nil
}

// feedRaw has networks that rescale pixels themselves be given these as they are.
func (c *Config) feedRaw(m *nn.Model) error {
	if !TakesRawPixels(m) || !c.Standardise && len(c.Mean)+len(c.Std) > 0 { // which the user says
		return nil
	}
	if c.Standardise {
		return fmt.Errorf("train: %s takes pixels of 0 to 255 and rescales them itself; leave Standardise out", c.Arch)
	}
	c.RawPixels = true
	return nil
}
