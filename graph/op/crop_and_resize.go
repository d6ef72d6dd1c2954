package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/augment"
)

// CropAndResize makes images of one size of pictures of many: of each a box is cut out, resized, mirrored and normalised, as package data
// does it, bit by bit. Inputs: pictures, uint8 (N, P, C), and draws, int (N, 7). Result: (N, Height, Width, C) of type To.
//
// A row of draws is (rows, columns, top, left, height, width, flip). The picture's rows × columns pixels, at most P, lie one after the
// other, row by row; what is behind them is not looked at. The box begins at (top, left) and is height × width large, in units of 2⁻¹⁶
// of a pixel, and lies in the picture. It is resized bilinearly, where it gets smaller with the filter widened in proportion, so that every
// pixel counts, as torchvision does with antialias=True; no result is rounded to bytes, however. Pixels around the box take part at its
// edges. With flip 1 the image is mirrored left to right. A weighted mean v of channel c becomes v/(255·Std[c]) − Mean[c]/Std[c], or with Raw v itself. A draw
// out of range is an error that names the picture. Integers have no derivative, and neither has this.
//
// With Cutout and Mixup a row of draws has two more integers for each, as of [Augment]: the middle of the square of the image that becomes 0;
// then the number in the batch of the picture whose image is mixed in, and the share of the image itself.
//
// Szegedy et al., "Going Deeper with Convolutions", 2014, section 6; torchvision: RandomResizedCrop, RandomHorizontalFlip, Normalize;
// TensorFlow: image.crop_and_resize, without antialiasing.
type CropAndResize struct {
	salted
	Height, Width int          // of the images
	Cutout        int          // side of the square; 0: none
	Mixup         bool         // images are mixed
	Raw           bool         // a mean of bytes stays what it is, from 0 to 255; excludes Mean and Std
	Mean          []float32    // of each channel, on the scale 0–1; nil: 0
	Std           []float32    // of each channel, on the same scale; nil: 1
	To            tensor.Dtype // tensor.Float32 or tensor.Float64; zero: tensor.Float32
}

func (o *CropAndResize) Kind() string { return "CropAndResize" }
func (o *CropAndResize) String() string {
	return fmt.Sprintf("CropAndResize(%d×%d%s, %s, %v)", o.Height, o.Width, more(o.Cutout, o.Mixup), scaleText(o.normalize()), o.to())
}
func (o *CropAndResize) normalize() augment.Normalize {
	return augment.Normalize{Raw: o.Raw, Mean: o.Mean, Std: o.Std}
}
func (o *CropAndResize) Arity() int { return 2 }
func (o *CropAndResize) Type() hm.Type {
	return signature(typeOf(3, tensor.Uint8), typeOf(2, tensor.Int), typeOf(4, o.to()))
}
func (o *CropAndResize) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *CropAndResize) Hashcode() uint32      { return hashcode(o) }
func (o *CropAndResize) DiffWRT(int) []bool    { return []bool{false, false} }

// Do computes the operation for Gorgonia's own machines.
func (o *CropAndResize) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *CropAndResize) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

func (o *CropAndResize) byteInput(i int) bool                 { return i == 0 }
func (o *CropAndResize) intInput(i int) bool                  { return i == 1 }
func (o *CropAndResize) resultType(tensor.Dtype) tensor.Dtype { return o.to() }

func (o *CropAndResize) to() tensor.Dtype {
	if o.To.Type == nil {
		return tensor.Float32
	}
	return o.To
}

// kind is what is done to images besides cutting, resizing, mirroring and normalising them.
func (o *CropAndResize) kind() augment.Kind {
	return augment.Kind{Boxes: true, Cutout: o.Cutout, Mixup: o.Mixup}
}

// Numbers is how many integers draws have for a picture: 7, two more with Cutout, two more with Mixup.
func (o *CropAndResize) Numbers() int { return o.kind().Numbers() }

// Infer returns the shape of the images.
func (o *CropAndResize) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantDims(o, in, 0, 3, "pictures (N, P, C)"); err != nil {
		return nil, err
	}
	s := in[0]
	bad := o.normalize().Check(s[2])
	sides := [2]int{o.Height, o.Width}
	return tensor.Shape{s[0], o.Height, o.Width, s[2]}, first(
		wantAttribute(o, in, min(o.Height, o.Width) >= 1 && max(o.Height, o.Width) <= augment.MostPixels,
			fmt.Sprintf("Height and Width of 1 to %d", augment.MostPixels), sides, "they are the sides of the images in pixels"),
		wantAttribute(o, in, o.Cutout >= 0 && o.Cutout <= min(o.Height, o.Width),
			fmt.Sprintf("Cutout of at least 0 and at most the images' side, %d", min(o.Height, o.Width)), o.Cutout, "it is the side of a square in the image"),
		wantShape(o, in, 1, tensor.Shape{s[0], o.Numbers()}, "draws",
			"give each picture seven numbers: its rows and columns, top, left, height and width of the box, and 1 to mirror it"+moreDraws(o.kind())),
		wantAttribute(o, in, bad == nil, "Mean and Std of the pictures' channels", bad, "give one of each for every channel, or neither"),
		wantAttribute(o, in, o.to() == tensor.Float32 || o.to() == tensor.Float64, "To of float32 or float64", dtypeName(o.to()),
			"leave it out for float32"))
}

// SymDiff returns an error: bytes have no derivative.
func (o *CropAndResize) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return notDifferentiable(o)
}

// CheckDraws returns an error that names the first picture whose draw is out of range; room is how many pixels pictures may have.
// Engines call it before their kernels, which cannot fail.
func (o *CropAndResize) CheckDraws(draws []int, room int) error {
	kind, n := o.kind(), o.Numbers()
	for i := 0; i+n <= len(draws); i += n {
		d := draws[i : i+n]
		err := augment.BoxFromInts(d).Check(room)
		if err == nil && d[6] != 0 && d[6] != 1 {
			err = fmt.Errorf("mirrors by %d, want 0 or 1", d[6])
		}
		if err != nil {
			return fmt.Errorf("op: CropAndResize: the draw of picture %d: %w; feed what the loader drew", i/n, err)
		}
		if err := checkMore(o.Kind(), kind, draws, i/n, o.Height, o.Width); err != nil {
			return err
		}
	}
	return nil
}

// Reference computes the operation with plain loops.
func (o *CropAndResize) Reference(out Array, in []Array) error {
	if err := o.CheckDraws(in[1].Data.([]int), in[0].Shape[1]); err != nil {
		return err
	}
	if single(out) {
		cropAndResize[float32](o, out, in)
	} else {
		cropAndResize[float64](o, out, in)
	}
	return nil
}

func cropAndResize[T float32 | float64](o *CropAndResize, out Array, in []Array) {
	s, x, draws := out.Shape, in[0].Data.([]uint8), in[1].Data.([]int)
	y, size := out.Data.([]T), s[1]*s[2]*s[3]
	p := augment.Pictures[T]{Kind: o.kind(), Shape: [3]int{s[1], s[2], s[3]}, Room: in[0].Shape[1] * s[3], Bytes: x, Draws: draws,
		Affine: augment.NewAffine[T](s[3], o.normalize())}
	var z augment.Resizer[T]
	spare := make([]T, size)
	for i := range s[0] {
		p.Make(y[i*size:(i+1)*size], i, &z, spare)
	}
}
