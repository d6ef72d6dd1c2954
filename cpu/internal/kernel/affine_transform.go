package kernel

import (
	"fmt"
	"math"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
)

// AffineTransform is [op.AffineTransform] and its gradient: images are read along lines that are turned, shifted, scaled or projected.
type AffineTransform[T Float] struct {
	sampling             op.Sampling
	rows, columns, c     int
	work                 split // rows of all images, or images where pixels are written by several
	loop                 phase
	to, from, transforms []T
}

// NewAffineTransform prepares images of a shape (N, rows, columns, channels), or their gradient.
func NewAffineTransform[T Float](p *pool.Pool, shape [4]int, s op.Sampling, gradient bool) (*AffineTransform[T], error) {
	if min(shape[0], shape[1], shape[2], shape[3]) < 1 || max(shape[1], shape[2]) > op.MostReach {
		return nil, fmt.Errorf("kernel: AffineTransform of images of shape %v; want no empty axis, and sides of at most %d", shape, op.MostReach)
	}
	k := &AffineTransform[T]{sampling: s, rows: shape[1], columns: shape[2], c: shape[3]}
	if gradient {
		k.work = splitBy(shape[0], shape[1]*shape[2]*shape[3])
		k.loop = newPhase(p, k.work.parts, k.gradients)
	} else {
		k.work = splitBy(shape[0]*shape[1], shape[2]*shape[3])
		k.loop = newPhase(p, k.work.parts, k.images)
	}
	return k, nil
}

// Run computes to from the images, or from the gradient of the transformed images, whose transforms these are.
func (k *AffineTransform[T]) Run(to, from, transforms []T) {
	k.to, k.from, k.transforms = to, from, transforms
	k.loop.run()
}

func (k *AffineTransform[T]) images(_, part int) {
	lo, hi := k.work.bounds(part)
	size := k.rows * k.columns * k.c
	for line := lo; line < hi; line++ {
		image, row := line/k.rows, line%k.rows
		l := newReadLine(k.transforms[8*image:], row)
		x, y := k.from[image*size:][:size], k.to[line*k.columns*k.c:][:k.columns*k.c]
		for column := range k.columns {
			k.pixel(y[column*k.c:][:k.c], x, l.at(column))
		}
	}
}

func (k *AffineTransform[T]) gradients(_, part int) {
	lo, hi := k.work.bounds(part)
	size := k.rows * k.columns * k.c
	for image := lo; image < hi; image++ {
		dx, dy := k.to[image*size:][:size], k.from[image*size:][:size]
		clear(dx)
		for row := range k.rows {
			l := newReadLine(k.transforms[8*image:], row)
			for column := range k.columns {
				k.add(dx, dy[(row*k.columns+column)*k.c:][:k.c], l.at(column))
			}
		}
	}
}

// readLine is where the pixels of a line are read.
type readLine struct{ a0, a1, a2, b0, b1, b2, c0, c1 float64 }

// newReadLine takes what is the same for all of a line out of an image's transform. Products are rounded before they are added, as the conversions say.
func newReadLine[T Float](t []T, row int) readLine {
	y := float64(row)
	return readLine{float64(t[0]), float64(float64(t[1]) * y), float64(t[2]), float64(t[3]), float64(float64(t[4]) * y), float64(t[5]),
		float64(t[6]), float64(float64(t[7]) * y)}
}

// at is where the pixel of a column is read; not a number where that is out of reach.
func (l *readLine) at(column int) (p point) {
	x := float64(column)
	k := float64(l.c0*x) + l.c1 + 1
	p.column, p.row = (float64(l.a0*x)+l.a1+l.a2)/k, (float64(l.b0*x)+l.b1+l.b2)/k
	if !(math.Abs(p.column) <= op.MostReach && math.Abs(p.row) <= op.MostReach) {
		p.row = math.NaN()
	}
	return p
}

type point struct{ row, column float64 }

// taps are the four pixels, or the one, that a position reads, as indices of their first channels, −1 for the fill, and their weights.
func (k *AffineTransform[T]) taps(p point) (at [4]int, weights [4]T) {
	if k.sampling.Nearest {
		at[0], weights[0] = k.index(int(math.Round(p.row)), int(math.Round(p.column))), 1
		return at, weights
	}
	top, left := math.Floor(p.row), math.Floor(p.column)
	down, right := p.row-top, p.column-left
	weights = [4]T{T((1 - down) * (1 - right)), T((1 - down) * right), T(down * (1 - right)), T(down * right)}
	r, c := int(top), int(left)
	if r >= 0 && r+1 < k.rows && c >= 0 && c+1 < k.columns { // as most are
		first := (r*k.columns + c) * k.c
		return [4]int{first, first + k.c, first + k.columns*k.c, first + (k.columns+1)*k.c}, weights
	}
	return [4]int{k.index(r, c), k.index(r, c+1), k.index(r+1, c), k.index(r+1, c+1)}, weights
}

func (k *AffineTransform[T]) index(row, column int) int {
	if row, column = k.inside(row, k.rows), k.inside(column, k.columns); row < 0 || column < 0 {
		return -1
	}
	return (row*k.columns + column) * k.c
}

// inside is the pixel of n that is read for the pixel i, and −1 for the fill.
func (k *AffineTransform[T]) inside(i, n int) int {
	if uint(i) < uint(n) {
		return i
	}
	switch k.sampling.Border {
	case op.BorderReflect:
		if i = floorMod(i, 2*n); i >= n {
			i = 2*n - 1 - i
		}
		return i
	case op.BorderWrap:
		return floorMod(i, n)
	case op.BorderNearest:
		return min(max(i, 0), n-1)
	}
	return -1
}

// floorMod is i modulo n, from 0 to n−1.
func floorMod(i, n int) int {
	if i %= n; i < 0 {
		i += n
	}
	return i
}

// pixel computes a pixel of the transformed image.
func (k *AffineTransform[T]) pixel(y, x []T, p point) {
	if math.IsNaN(p.row) {
		for j := range y {
			y[j] = T(k.sampling.Fill)
		}
		return
	}
	at, weights := k.taps(p)
	clear(y)
	for i, w := range weights {
		switch {
		case w == 0: // whatever is there
		case at[i] < 0:
			for j := range y {
				y[j] += T(w * T(k.sampling.Fill))
			}
		default:
			from := x[at[i]:][:len(y)]
			for j, v := range from {
				y[j] += T(w * v)
			}
		}
	}
}

// add adds the gradient of a pixel to those of what it was read from.
func (k *AffineTransform[T]) add(dx, dy []T, p point) {
	if math.IsNaN(p.row) {
		return
	}
	at, weights := k.taps(p)
	for i, w := range weights {
		if w == 0 || at[i] < 0 {
			continue
		}
		to := dx[at[i]:][:len(dy)]
		for j, v := range dy {
			to[j] += T(w * v)
		}
	}
}
