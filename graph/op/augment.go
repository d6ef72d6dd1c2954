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
// middle; draws are from −Padding to Padding. A byte v of channel c becomes (v/255 − Mean[c]) / Std[c], rounded once. A draw out of
// range is an error that names the image. Integers have no derivative, and neither has this.
//
// He et al., "Deep Residual Learning", 2016, section 4.2; torchvision: RandomCrop(size, padding), RandomHorizontalFlip, Normalize.
type Augment struct {
	salted
	Padding int
	Mean    []float32    // of each channel, on the scale 0–1; nil: 0
	Std     []float32    // of each channel, on the same scale; nil: 1
	To      tensor.Dtype // tensor.Float32 or tensor.Float64; zero: tensor.Float32
}

func (o *Augment) Kind() string { return "Augment" }
func (o *Augment) String() string {
	return fmt.Sprintf("Augment(padding %d, mean %v, std %v, %v)", o.Padding, o.Mean, o.Std, o.to())
}
func (o *Augment) Arity() int { return 2 }
func (o *Augment) Type() hm.Type {
	return signature(typeOf(4, tensor.Uint8), typeOf(2, tensor.Int), typeOf(4, o.to()))
}
func (o *Augment) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Augment) Hashcode() uint32      { return hashcode(o) }
func (o *Augment) DiffWRT(int) []bool    { return []bool{false, false} }

// Do computes the operation for Gorgonia's own machines.
func (o *Augment) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Augment) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

func (o *Augment) byteInput(i int) bool                 { return i == 0 }
func (o *Augment) intInput(i int) bool                  { return i == 1 }
func (o *Augment) resultType(tensor.Dtype) tensor.Dtype { return o.to() }

func (o *Augment) to() tensor.Dtype {
	if o.To.Type == nil {
		return tensor.Float32
	}
	return o.To
}

// Infer returns the shape of the images.
func (o *Augment) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantDims(o, in, 0, 4, "images (N, H, W, C)"); err != nil {
		return nil, err
	}
	s := in[0]
	bad := augment.Check(s[3], o.Mean, o.Std)
	side := min(s[1], s[2])
	return s.Clone(), first(
		wantShape(o, in, 1, tensor.Shape{s[0], augment.Numbers}, "draws", "give each image three numbers: dy, dx, and 1 to mirror it"),
		wantAttribute(o, in, o.Padding >= 0 && o.Padding < side, fmt.Sprintf("Padding of at least 0 and below the images' side, %d", side),
			o.Padding, "it is how far an image is moved at most"),
		wantAttribute(o, in, bad == nil, "Mean and Std of the images' channels", bad, "give one of each for every channel, or neither"),
		wantAttribute(o, in, o.to() == tensor.Float32 || o.to() == tensor.Float64, "To of float32 or float64", dtypeName(o.to()),
			"leave it out for float32"))
}

// SymDiff returns an error: bytes have no derivative.
func (o *Augment) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return notDifferentiable(o)
}

// CheckDraws returns an error that names the first image whose draw is out of range. Engines call it before their kernels, which
// cannot fail.
func (o *Augment) CheckDraws(draws []int) error {
	for i := 0; i+augment.Numbers <= len(draws); i += augment.Numbers {
		dy, dx, flip := draws[i], draws[i+1], draws[i+2]
		if min(dy, dx) < -o.Padding || max(dy, dx) > o.Padding || flip != 0 && flip != 1 {
			return fmt.Errorf("op: Augment: the draw of image %d is (%d, %d, %d), want %d to %d twice, then 0 or 1; feed what the loader drew for this padding",
				i/augment.Numbers, dy, dx, flip, -o.Padding, o.Padding)
		}
	}
	return nil
}

// Reference computes the operation with plain loops.
func (o *Augment) Reference(out Array, in []Array) error {
	if err := o.CheckDraws(in[1].Data.([]int)); err != nil {
		return err
	}
	if single(out) {
		place[float32](o, out, in)
	} else {
		place[float64](o, out, in)
	}
	return nil
}

func place[T float32 | float64](o *Augment, out Array, in []Array) {
	s, x, draws := out.Shape, in[0].Data.([]uint8), in[1].Data.([]int)
	y := out.Data.([]T)
	ts := augment.Tables[T](s[3], o.Mean, o.Std)
	size := s[1] * s[2] * s[3]
	for i := range s[0] {
		augment.Place(y[i*size:(i+1)*size], x[i*size:(i+1)*size], [3]int{s[1], s[2], s[3]}, ts, false, augment.FromInts(draws[i*augment.Numbers:]))
	}
}
