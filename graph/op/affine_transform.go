package op

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Sampling says where the pixels of an image are read that [AffineTransform] makes of another.
type Sampling struct {
	Nearest bool    // the nearest pixel alone, with ties away from 0, instead of a bilinear mean of four
	Border  Border  // what is beyond the image
	Fill    float64 // with BorderConstant
}

// Border is what is read beyond an image of pixels a b c d.
type Border int

const (
	BorderConstant Border = iota // k k k k | a b c d | k k k k, with k = Sampling.Fill
	BorderReflect                // d c b a | a b c d | d c b a
	BorderWrap                   // a b c d | a b c d | a b c d
	BorderNearest                // a a a a | a b c d | d d d d
)

var borders = [...]string{"constant", "reflect", "wrap", "nearest"}

func (b Border) String() string {
	if b >= 0 && int(b) < len(borders) {
		return borders[b]
	}
	return fmt.Sprintf("Border(%d)", int(b))
}

// MostReach is how far from the first pixel positions may be. Further away, and where they are not numbers, Sampling.Fill is read, whatever the border.
const MostReach = 1 << 30

func (s Sampling) String() string {
	way := "bilinear"
	if s.Nearest {
		way = "nearest"
	}
	return fmt.Sprintf("%s, %v, fill %v", way, s.Border, s.Fill)
}

// AffineTransform makes images of images, by turning, shifting, scaling, shearing or projecting each. Inputs: images (N, H, W, C); transforms
// (N, 8). Result: (N, H, W, C). With the row a0 a1 a2 b0 b1 b2 c0 c1 of transforms, the pixel of row y and column x is read from
//
//	column (a0·x + a1·y + a2)/k and row (b0·x + b1·y + b2)/k, where k = c0·x + c1·y + 1
//
// of the image, as Sampling says. Positions are computed in float64, each product, sum and quotient rounded by itself; a bilinear mean has the weights
// of its four pixels rounded to the images' type, and leaves out those of weight 0; products and sums of it, line by line, are rounded one by one. So all engines make the same bits.
//
// Transforms have no derivative. Keras: ops.image.affine_transform, with whose JAX backend this wraps; with TensorFlow's no mean of the last pixel and the
// first is read.
type AffineTransform struct {
	salted
	Sampling
}

// AffineTransformGrad is the gradient of [AffineTransform]'s images. Inputs: transforms (N, 8); dy (N, H, W, C). Result: (N, H, W, C).
type AffineTransformGrad struct {
	salted
	Sampling
}

func (o *AffineTransform) Kind() string     { return "AffineTransform" }
func (o *AffineTransformGrad) Kind() string { return "AffineTransformGrad" }
func (o *AffineTransform) String() string   { return fmt.Sprintf("AffineTransform(%v)", o.Sampling) }
func (o *AffineTransformGrad) String() string {
	return fmt.Sprintf("AffineTransformGrad(%v)", o.Sampling)
}
func (o *AffineTransform) Arity() int     { return 2 }
func (o *AffineTransformGrad) Arity() int { return 2 }
func (o *AffineTransform) Type() hm.Type {
	return signature(tensorType(4), tensorType(2), tensorType(4))
}
func (o *AffineTransformGrad) Type() hm.Type {
	return signature(tensorType(2), tensorType(4), tensorType(4))
}
func (o *AffineTransform) WriteHash(h hash.Hash)     { writeHash(o, h) }
func (o *AffineTransformGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *AffineTransform) Hashcode() uint32          { return hashcode(o) }
func (o *AffineTransformGrad) Hashcode() uint32      { return hashcode(o) }
func (o *AffineTransform) DiffWRT(int) []bool        { return []bool{true, false} }
func (o *AffineTransformGrad) DiffWRT(int) []bool    { return []bool{false, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *AffineTransform) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// Do computes the operation for Gorgonia's own machines.
func (o *AffineTransformGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *AffineTransform) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// InferShape is Infer in Gorgonia's terms.
func (o *AffineTransformGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns the shape of the images.
func (o *AffineTransform) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return o.infer(o, in, 0, 1)
}

// Infer returns the shape of the images.
func (o *AffineTransformGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return o.infer(o, in, 1, 0)
}

func (s Sampling) infer(o Op, in []tensor.Shape, images, transforms int) (tensor.Shape, error) {
	if err := wantDims(o, in, images, 4, "images (N, H, W, C)"); err != nil {
		return nil, err
	}
	x := in[images]
	return x.Clone(), first(
		wantShape(o, in, transforms, tensor.Shape{x[0], 8}, "transforms", "give each image the eight numbers a0 a1 a2 b0 b1 b2 c0 c1"),
		wantAttribute(o, in, x[1] <= MostReach && x[2] <= MostReach, fmt.Sprintf("images of at most %d rows and columns", MostReach), x[1:3], "cut them"),
		wantAttribute(o, in, s.Border >= BorderConstant && s.Border <= BorderNearest, "a known Border", s.Border,
			"use op.BorderConstant, op.BorderReflect, op.BorderWrap or op.BorderNearest"))
}

// SymDiff returns AffineTransformGrad(transforms, dy); transforms have no gradient.
func (o *AffineTransform) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := Apply(&AffineTransformGrad{Sampling: o.Sampling.linear()}, in[1], dy)
	return gorgonia.Nodes{dx, nil}, err
}

// SymDiff returns the transformed gradient: the operation is linear, but for what is filled in.
func (o *AffineTransformGrad) SymDiff(in gorgonia.Nodes, _, d *gorgonia.Node) (gorgonia.Nodes, error) {
	ddy, err := Apply(&AffineTransform{Sampling: o.Sampling.linear()}, d, in[0])
	return gorgonia.Nodes{nil, ddy}, err
}

// linear is without what is added.
func (s Sampling) linear() Sampling { s.Fill = 0; return s }

// Reference computes the operation with plain loops.
func (o *AffineTransform) Reference(out Array, in []Array) error {
	if single(out) {
		affineTransform[float32](o.Sampling, out, in)
	} else {
		affineTransform[float64](o.Sampling, out, in)
	}
	return nil
}

// Reference computes the operation with plain loops.
func (o *AffineTransformGrad) Reference(out Array, in []Array) error {
	if single(out) {
		affineTransformGrad[float32](o.Sampling, out, in)
	} else {
		affineTransformGrad[float64](o.Sampling, out, in)
	}
	return nil
}

func affineTransform[T float32 | float64](s Sampling, out Array, in []Array) {
	x, y, c := floats[T](in[0]), floats[T](out), out.Shape[3]
	eachPixel(s, out.Shape, floats[T](in[1]), func(to int, from []int, weights []float64) {
		for k := range c {
			var sum T
			for i, at := range from {
				v := T(s.Fill)
				if at >= 0 {
					v = x[at*c+k]
				}
				sum += T(T(weights[i]) * v)
			}
			y[to*c+k] = sum
		}
	})
}

func affineTransformGrad[T float32 | float64](s Sampling, out Array, in []Array) {
	dx, dy, c := floats[T](out), floats[T](in[1]), out.Shape[3]
	clear(dx)
	eachPixel(s, out.Shape, floats[T](in[0]), func(to int, from []int, weights []float64) {
		for i, at := range from {
			for k := range c {
				if at >= 0 {
					dx[at*c+k] += T(T(weights[i]) * dy[to*c+k])
				}
			}
		}
	})
}

// eachPixel calls f for each pixel with those that it is read from and their weights. Pixels are counted through all images; −1 is the fill.
func eachPixel[T float32 | float64](s Sampling, shape tensor.Shape, transforms []T, f func(to int, from []int, weights []float64)) {
	n, height, width := shape[0], shape[1], shape[2]
	var t [8]float64
	for to := range n * height * width {
		image, y, x := to/(height*width), float64(to/width%height), float64(to%width)
		for i := range t {
			t[i] = float64(transforms[8*image+i])
		}
		k := float64(t[6]*x) + float64(t[7]*y) + 1
		column, row := (float64(t[0]*x)+float64(t[1]*y)+t[2])/k, (float64(t[3]*x)+float64(t[4]*y)+t[5])/k
		if !(math.Abs(column) <= MostReach && math.Abs(row) <= MostReach) {
			f(to, []int{-1}, []float64{1})
			continue
		}
		at := func(row, column float64) int {
			r, c := s.Border.inside(int(row), height), s.Border.inside(int(column), width)
			if r < 0 || c < 0 {
				return -1
			}
			return (image*height+r)*width + c
		}
		if s.Nearest {
			f(to, []int{at(math.Round(row), math.Round(column))}, []float64{1})
			continue
		}
		top, left := math.Floor(row), math.Floor(column)
		down, right := row-top, column-left
		var from []int
		var weights []float64
		for _, p := range [4][3]float64{{0, 0, (1 - down) * (1 - right)}, {0, 1, (1 - down) * right}, {1, 0, down * (1 - right)}, {1, 1, down * right}} {
			if T(p[2]) != 0 {
				from, weights = append(from, at(top+p[0], left+p[1])), append(weights, p[2])
			}
		}
		f(to, from, weights)
	}
}

// inside is the pixel of n that is read for the pixel i, and −1 for the fill.
func (b Border) inside(i, n int) int {
	switch b {
	case BorderReflect:
		if i = ((i % (2 * n)) + 2*n) % (2 * n); i >= n {
			i = 2*n - 1 - i
		}
	case BorderWrap:
		i = ((i % n) + n) % n
	case BorderNearest:
		i = min(max(i, 0), n-1)
	default:
		if i < 0 || i >= n {
			return -1
		}
	}
	return i
}

// AffineTransform is x, images (N, H, W, C), each transformed by its row of transforms (N, 8); see [AffineTransform].
func (x Expr) AffineTransform(s Sampling, transforms Expr) Expr {
	return x.Apply(&AffineTransform{Sampling: s}, transforms)
}
