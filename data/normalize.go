package data

import (
	"fmt"

	"github.com/stheno-ml/stheno/internal/augment"
)

// Layout is the order of the axes in a batch of float32 images.
type Layout string

const (
	// NHWC is batch, rows, columns, channels: Keras's "channels_last". The empty Layout means the same.
	NHWC Layout = "NHWC"
	// NCHW is batch, channels, rows, columns: Keras's "channels_first".
	NCHW Layout = "NCHW"
)

func (l Layout) check() error {
	switch l {
	case "", NHWC, NCHW:
		return nil
	}
	return fmt.Errorf("data: layout %q; expected %q or %q", string(l), NHWC, NCHW)
}

// Normalize says how a pixel byte becomes a float32. The zero value scales 0–255 to 0–1, as Keras's Rescaling(1./255)
// does. With Mean and Std, given per channel on the scale 0–1, the result is (v/255 - Mean[c]) / Std[c].
type Normalize struct {
	Raw  bool      // keep 0–255, for networks that scale by themselves; excludes Mean and Std
	Mean []float32 // nil: 0
	Std  []float32 // nil: 1
}

// Standardize returns the Normalize that gives the pixels of ds mean 0 and standard deviation 1 in every channel. Use the
// training set's for the test set too. A channel without any variation is only centred. For pictures in files, which are not looked at,
// it is the usual mean and deviation of ImageNet's.
func Standardize(ds *Dataset) Normalize {
	if ds != nil && ds.Files != nil {
		return Normalize{Mean: []float32{0.485, 0.456, 0.406}, Std: []float32{0.229, 0.224, 0.225}}
	}
	s := Describe(ds)
	n := Normalize{Mean: make([]float32, len(s.Mean)), Std: make([]float32, len(s.Std))}
	for c := range s.Mean {
		n.Mean[c], n.Std[c] = float32(s.Mean[c]), float32(s.Std[c])
		if n.Std[c] == 0 {
			n.Std[c] = 1
		}
	}
	return n
}

// tables makes one table per channel.
func (n Normalize) tables(channels int) ([]augment.Table[float32], error) {
	if err := augment.Normalize(n).Check(channels); err != nil {
		return nil, fmt.Errorf("data: Normalize: %w", err)
	}
	return augment.Tables[float32](channels, augment.Normalize(n)), nil
}

// affine is what tables are, for numbers between bytes.
func (n Normalize) affine(channels int) augment.Affine[float32] {
	return augment.NewAffine[float32](channels, augment.Normalize(n))
}

// Apply turns src, whole images of the given shape (height, width, channels; bytes in NHWC), into dst, as many float32 in
// layout l. It serves single images; a Loader does the same for batches.
func (n Normalize) Apply(dst []float32, src []byte, shape [3]int, l Layout) error {
	if err := l.check(); err != nil {
		return err
	}
	size := shape[0] * shape[1] * shape[2]
	if shape[0] <= 0 || shape[1] <= 0 || shape[2] <= 0 || len(src)%size != 0 || len(dst) != len(src) {
		return fmt.Errorf("data: Normalize.Apply: %d bytes into %d floats; expected equally many, whole images of %d×%d×%d",
			len(src), len(dst), shape[0], shape[1], shape[2])
	}
	ts, err := n.tables(shape[2])
	if err != nil {
		return err
	}
	for at := 0; at < len(src); at += size {
		augment.Place(dst[at:at+size], src[at:at+size], shape, ts, l == NCHW, augment.Crop{})
	}
	return nil
}
