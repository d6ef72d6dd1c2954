package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/augment"
)

// Augment makes the numbers that a network is fed of images' bytes: each image moved, mirrored and normalised as package data does
// it, bit by bit. Inputs: images, uint8 (N, H, W, C), and draws, int (N, 3). Result: (N, H, W, C) of type To.
//
// A row of draws is (dy, dx, flip): pixel (y, x) of the result is pixel (y+dy, x+dx) of the image, a black one outside, with x
// counted from the right if flip is 1. That is a crop of the image in a border of Padding black pixels, of which (0, 0) is the
// middle; draws are from −Padding to Padding. A byte v of channel c becomes (v/255 − Mean[c]) / Std[c], rounded once, or with Raw v itself. A draw out of
// range is an error that names the image. Integers have no derivative, and neither has this.
//
// With Cutout a row of draws has two more integers, the row and the column around which a square of Cutout × Cutout numbers of the
// result is 0, as far as it lies in the image: its first row is Cutout/2, rounded down, above the middle. With Mixup it has two more
// behind these: the number in the batch of an image that is mixed in, and the share of the image itself, from 0 to 2²⁴ in units of
// 2⁻²⁴: the result is share·image + (1−share)·other, after all else was done to both.
//
// With Indexed, images are a whole data set (M, H, W, C), which may stay on a device, and a third input, index, int (N), says which of
// them the batch has. An index that is not there is an error.
//
// He et al., "Deep Residual Learning", 2016, section 4.2; DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks
// with Cutout", 2017; Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018; torchvision: RandomCrop(size, padding),
// RandomHorizontalFlip, Normalize.
type Augment struct {
	salted
	Padding int
	Cutout  int          // side of the square; 0: none
	Mixup   bool         // images are mixed
	Indexed bool         // images are chosen from a set
	Raw     bool         // a byte stays what it is, 0 to 255; excludes Mean and Std
	Mean    []float32    // of each channel, on the scale 0–1; nil: 0
	Std     []float32    // of each channel, on the same scale; nil: 1
	To      tensor.Dtype // tensor.Float32 or tensor.Float64; zero: tensor.Float32
}

func (o *Augment) Kind() string { return "Augment" }
func (o *Augment) String() string {
	indexed := ""
	if o.Indexed {
		indexed = ", indexed"
	}
	return fmt.Sprintf("Augment(padding %d%s%s, %s, %v)", o.Padding, more(o.Cutout, o.Mixup), indexed, scaleText(o.normalize()), o.to())
}
func (o *Augment) Arity() int {
	if o.Indexed {
		return 3
	}
	return 2
}
func (o *Augment) Type() hm.Type {
	if o.Indexed {
		return signature(typeOf(4, tensor.Uint8), typeOf(2, tensor.Int), typeOf(1, tensor.Int), typeOf(4, o.to()))
	}
	return signature(typeOf(4, tensor.Uint8), typeOf(2, tensor.Int), typeOf(4, o.to()))
}
func (o *Augment) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Augment) Hashcode() uint32      { return hashcode(o) }
func (o *Augment) DiffWRT(int) []bool    { return make([]bool, o.Arity()) }

// Do computes the operation for Gorgonia's own machines.
func (o *Augment) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Augment) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

func (o *Augment) byteInput(i int) bool                 { return i == 0 }
func (o *Augment) intInput(i int) bool                  { return i >= 1 }
func (o *Augment) resultType(tensor.Dtype) tensor.Dtype { return o.to() }

func (o *Augment) to() tensor.Dtype {
	if o.To.Type == nil {
		return tensor.Float32
	}
	return o.To
}

func (o *Augment) normalize() augment.Normalize {
	return augment.Normalize{Raw: o.Raw, Mean: o.Mean, Std: o.Std}
}

// scaleText says what becomes of bytes.
func scaleText(n augment.Normalize) string {
	if n.Raw && n.Mean == nil && n.Std == nil {
		return "raw"
	}
	return fmt.Sprintf("mean %v, std %v", n.Mean, n.Std) + map[bool]string{true: ", raw"}[n.Raw]
}

// kind is what is done to images besides moving, mirroring and normalising them.
func (o *Augment) kind() augment.Kind { return augment.Kind{Cutout: o.Cutout, Mixup: o.Mixup} }

// Numbers is how many integers draws have for an image: 3, two more with Cutout, two more with Mixup.
func (o *Augment) Numbers() int { return o.kind().Numbers() }

// Infer returns the shape of the batch's images.
func (o *Augment) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantDims(o, in, 0, 4, "images (N, H, W, C)"); err != nil {
		return nil, err
	}
	out := in[0].Clone()
	if o.Indexed {
		if err := wantDims(o, in, 2, 1, "an index (N)"); err != nil {
			return nil, err
		}
		out[0] = in[2][0]
	}
	bad := o.normalize().Check(out[3])
	side := min(out[1], out[2])
	return out, first(
		wantAttribute(o, in, o.Cutout >= 0 && o.Cutout <= side, fmt.Sprintf("Cutout of at least 0 and at most the images' side, %d", side),
			o.Cutout, "it is the side of a square in the image"),
		wantShape(o, in, 1, tensor.Shape{out[0], o.Numbers()}, "draws", "give each image three numbers: dy, dx, and 1 to mirror it"+moreDraws(o.kind())),
		wantAttribute(o, in, o.Padding >= 0 && o.Padding < side, fmt.Sprintf("Padding of at least 0 and below the images' side, %d", side),
			o.Padding, "it is how far an image is moved at most"),
		wantAttribute(o, in, bad == nil, "Mean and Std of the images' channels", bad, "give one of each for every channel, or neither, and neither with Raw"),
		wantAttribute(o, in, o.to() == tensor.Float32 || o.to() == tensor.Float64, "To of float32 or float64", dtypeName(o.to()),
			"leave it out for float32"))
}

// SymDiff returns an error: bytes have no derivative.
func (o *Augment) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return notDifferentiable(o)
}

// CheckDraws returns an error that names the first image whose draw is out of range; shape is that of the images, (…, H, W, C). Engines
// call it, and [Augment.CheckIndex], before their kernels, which cannot fail.
func (o *Augment) CheckDraws(draws []int, shape tensor.Shape) error {
	kind, n := o.kind(), o.Numbers()
	h, w := shape[1], shape[2]
	for i := 0; i+n <= len(draws); i += n {
		d := draws[i : i+n]
		if dy, dx, flip := d[0], d[1], d[2]; min(dy, dx) < -o.Padding || max(dy, dx) > o.Padding || flip != 0 && flip != 1 {
			return fmt.Errorf("op: Augment: the draw of image %d is (%d, %d, %d), want %d to %d twice, then 0 or 1; feed what the loader drew for this padding",
				i/n, dy, dx, flip, -o.Padding, o.Padding)
		}
		if err := checkMore(o.Kind(), kind, draws, i/n, h, w); err != nil {
			return err
		}
	}
	return nil
}

// CheckIndex returns an error that names the first number of an index that is none of the set's n images.
func (o *Augment) CheckIndex(index []int, n int) error {
	for i, k := range index {
		if k < 0 || k >= n {
			return fmt.Errorf("op: Augment: image %d of the batch is number %d of the set, want 0 to %d; feed what the loader of this set drew", i, k, n-1)
		}
	}
	return nil
}

// Reference computes the operation with plain loops.
func (o *Augment) Reference(out Array, in []Array) error {
	if err := o.CheckDraws(in[1].Data.([]int), out.Shape); err != nil {
		return err
	}
	if o.Indexed {
		if err := o.CheckIndex(in[2].Data.([]int), in[0].Shape[0]); err != nil {
			return err
		}
	}
	if single(out) {
		makeImages[float32](o, out, in)
	} else {
		makeImages[float64](o, out, in)
	}
	return nil
}

func makeImages[T float32 | float64](o *Augment, out Array, in []Array) {
	s := out.Shape
	b := augment.Batch{Kind: o.kind(), Shape: [3]int{s[1], s[2], s[3]}, Images: in[0].Data.([]uint8), Draws: in[1].Data.([]int)}
	if o.Indexed {
		b.Index = in[2].Data.([]int)
	}
	y, ts, size := out.Data.([]T), augment.Tables[T](s[3], o.normalize()), s[1]*s[2]*s[3]
	spare := make([]T, size)
	for i := range s[0] {
		augment.Make(y[i*size:(i+1)*size], &b, i, ts, spare)
	}
}
