package kernel

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

type convCase struct {
	n, h, w, c, kh, kw, f int
	a                     op.ConvAttrs
	way                   string // that is forced, if it is not empty
}

func (c convCase) String() string {
	return fmt.Sprintf("%dx%dx%dx%d k%dx%dx%d %v %s", c.n, c.h, c.w, c.c, c.kh, c.kw, c.f, c.a, c.way)
}

func convCases() []convCase {
	same, valid := shape.Padding{Mode: shape.Same}, shape.Padding{}
	odd := shape.Padding{Mode: shape.Explicit, Top: 2, Bottom: 0, Left: 1, Right: 3}
	wide := shape.Padding{Mode: shape.Explicit, Top: 4, Bottom: 5, Left: 6, Right: 4}
	s := func(h, w int) [2]int { return [2]int{h, w} }
	cases := []convCase{
		{1, 1, 1, 1, 1, 1, 1, op.ConvAttrs{}, ""},
		{2, 5, 7, 3, 3, 3, 5, op.ConvAttrs{}, ""},
		{2, 5, 7, 3, 3, 3, 5, op.ConvAttrs{Padding: same}, ""},
		{3, 9, 8, 16, 3, 3, 17, op.ConvAttrs{Padding: same}, ""},
		{1, 8, 8, 64, 3, 3, 64, op.ConvAttrs{Padding: same}, ""},
		{2, 2, 2, 40, 3, 3, 33, op.ConvAttrs{Padding: same}, ""},
		{2, 6, 5, 8, 1, 1, 9, op.ConvAttrs{}, ""},
		{2, 6, 5, 8, 1, 1, 9, op.ConvAttrs{Strides: s(2, 2)}, ""},
		{2, 7, 5, 8, 1, 1, 9, op.ConvAttrs{Strides: s(2, 3), Padding: same}, ""},
		{1, 1, 1, 70, 1, 1, 30, op.ConvAttrs{Padding: odd}, ""},
		{2, 15, 13, 3, 7, 7, 6, op.ConvAttrs{Strides: s(2, 2), Padding: shape.Padding{Mode: shape.Explicit, Top: 3, Bottom: 3, Left: 3, Right: 3}}, ""},
		{2, 9, 11, 4, 3, 3, 6, op.ConvAttrs{Strides: s(2, 2), Padding: same}, ""},
		{2, 9, 11, 4, 2, 3, 6, op.ConvAttrs{Strides: s(2, 1), Padding: odd}, ""},
		{1, 9, 11, 4, 3, 2, 6, op.ConvAttrs{Strides: s(3, 5), Padding: valid}, ""},
		{1, 9, 11, 5, 3, 3, 6, op.ConvAttrs{Dilations: s(2, 3), Padding: same}, ""},
		{1, 9, 11, 5, 3, 3, 6, op.ConvAttrs{Dilations: s(2, 2), Strides: s(2, 3), Padding: same}, ""},
		{1, 9, 12, 5, 3, 3, 6, op.ConvAttrs{Dilations: s(3, 2), Strides: s(2, 2), Padding: odd}, ""},
		{2, 3, 4, 6, 3, 5, 7, op.ConvAttrs{Padding: wide}, ""},
		{2, 3, 4, 6, 3, 5, 7, op.ConvAttrs{Padding: wide, Strides: s(2, 2)}, ""},
		{2, 6, 7, 6, 3, 3, 9, op.ConvAttrs{Groups: 3, Padding: same}, ""},
		{2, 6, 7, 8, 3, 3, 4, op.ConvAttrs{Groups: 2, Padding: odd, Strides: s(2, 2)}, ""},
		{2, 6, 7, 8, 1, 1, 4, op.ConvAttrs{Groups: 2}, ""},
		{2, 6, 7, 5, 3, 3, 5, op.ConvAttrs{Groups: 5, Padding: same}, ""},
		{2, 6, 7, 5, 3, 3, 10, op.ConvAttrs{Groups: 5, Padding: odd, Strides: s(2, 1), Dilations: s(1, 2)}, ""},
		{2, 6, 21, 20, 3, 3, 20, op.ConvAttrs{Groups: 5, Padding: odd}, ""},
		{2, 7, 6, 8, 3, 2, 8, op.ConvAttrs{Groups: 2, Padding: same, Strides: s(2, 2)}, ""},
		{1, 5, 40, 12, 3, 3, 18, op.ConvAttrs{Groups: 3, Padding: same}, ""},
		{1, 9, 13, 300, 3, 3, 300, op.ConvAttrs{Groups: 300, Padding: same, Strides: s(1, 2)}, ""},
		{1, 9, 9, 6, 3, 3, 6, op.ConvAttrs{Groups: 2, Padding: odd, Strides: s(2, 3), Dilations: s(3, 2)}, ""},
		{2, 4, 4, 4, 3, 3, 8, op.ConvAttrs{Strides: s(7, 6), Padding: same}, ""},
		{5, 13, 12, 20, 5, 4, 35, op.ConvAttrs{Padding: same}, ""},
		{1, 1, 1, 300, 3, 3, 20, op.ConvAttrs{Padding: same}, ""},
	}
	paddings := []shape.Padding{same, valid, odd}
	if testing.Short() { // goroutines share the work in the same way whatever the padding
		paddings = paddings[2:]
	}
	for _, p := range paddings { // by tiles of 4×4 outputs, whole and in part
		a := op.ConvAttrs{Padding: p}
		cases = append(cases, convCase{1, 6, 6, 16, 3, 3, 16, a, byWinograd}, convCase{2, 7, 6, 3, 3, 3, 5, a, byWinograd},
			convCase{1, 9, 13, 17, 3, 3, 70, a, byWinograd}, convCase{5, 8, 8, 40, 3, 3, 33, a, byWinograd})
	}
	cases = append(cases, convCase{2, 4, 4, 300, 3, 3, 100, op.ConvAttrs{Padding: same}, byWinograd}, convCase{1, 1, 1, 8, 3, 3, 8, op.ConvAttrs{Padding: wide}, byWinograd})
	same7 := op.ConvAttrs{Strides: s(2, 2), Padding: shape.Padding{Mode: shape.Explicit, Top: 3, Bottom: 3, Left: 3, Right: 3}}
	for _, p := range []shape.Padding{same, valid, odd} { // by rows of results, in bands of images and without
		for stride := 1; stride <= 2; stride++ {
			a := op.ConvAttrs{Padding: p, Strides: s(stride, stride)}
			cases = append(cases, convCase{1, 13, 11, 1, 3, 3, 5, a, byRows}, convCase{3, 9, 30, 3, 3, 3, 17, a, byRows})
		}
		cases = append(cases, convCase{1, 17, 29, 3, 7, 7, 33, op.ConvAttrs{Padding: p, Strides: s(2, 2)}, byRows})
	}
	cases = append(cases, convCase{1, 45, 41, 3, 7, 7, 64, same7, byRows}, convCase{2, 24, 26, 1, 7, 7, 70, op.ConvAttrs{Padding: same}, byRows},
		convCase{1, 20, 13, 16, 3, 3, 40, op.ConvAttrs{Padding: same, Dilations: s(2, 1)}, byRows}, convCase{2, 3, 4, 6, 3, 5, 7, op.ConvAttrs{Padding: wide}, byRows},
		convCase{5, 9, 8, 20, 4, 1, 3, op.ConvAttrs{Strides: s(3, 2), Dilations: s(1, 2)}, byRows})
	for _, c := range idleCases() {
		cases = append(cases, c.convCase)
	}
	if testing.Short() { // the largest is slow under the race detector; this is still cut into parts for several workers
		large := &cases[slices.IndexFunc(cases, func(c convCase) bool { return c.kh == 5 })]
		large.n, large.kh, large.kw = 4, 3, 3
	}
	for _, c := range cases { // every case in both layouts and, where it may be, in every way
		c.a.Format = shape.NCHW
		cases = append(cases, c)
		if c.way == "" && c.h*c.w <= 42 {
			c.a.Format, c.way = shape.NHWC, byTaps
			cases = append(cases, c)
		}
	}
	return cases
}

func convInput[T Float](c convCase, seed uint64) op.Array {
	return imagesOf[T](seed, c.a.Format, c.n, c.h, c.w, c.c)
}

// imagesOf is n images of normal numbers.
func imagesOf[T Float](seed uint64, f shape.Layout, n, h, w, c int) op.Array {
	return normal[T](seed, imageShape(f, n, h, w, c)...)
}

// imageShape is the shape of n images.
func imageShape(f shape.Layout, n, h, w, c int) []int {
	if f == shape.NCHW {
		return []int{n, c, h, w}
	}
	return []int{n, h, w, c}
}

func convFilter[T Float](c convCase, seed uint64) op.Array {
	return normal[T](seed, c.filterShape()...)
}

func (c convCase) filterShape() []int { return []int{c.kh, c.kw, c.c / max(c.a.Groups, 1), c.f} }

func (c convCase) geometry(t testing.TB) op.ConvGeometry {
	g, err := c.a.Geometry(imageShape(c.a.Format, c.n, c.h, c.w, c.c), c.filterShape())
	require.NoError(t, err)
	return g
}

// force makes a case be computed as it says, if it says so, until the test ends.
func force(t testing.TB, c convCase) {
	keep := forcedWay
	t.Cleanup(func() { forcedWay = keep })
	forcedWay = c.way
}
