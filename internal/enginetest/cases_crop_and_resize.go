package enginetest

import (
	"fmt"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// cropAndResizeCases are boxes of pictures in front of a network.
func cropAndResizeCases() []Case {
	var all []Case
	for _, c := range []struct {
		n, pixels, h, w, c int
		least              float64 // part of a side that a box is at least
		cutout             int
		mixup              bool
		more               string
	}{{5, 900, 12, 10, 3, 0.1, 0, false, ""}, {1, 40, 7, 9, 1, 0.9, 0, false, ""}, {3, 3000, 5, 6, 2, 0.8, 0, false, ""}, {2, 300, 3, 300, 3, 0.5, 0, false, ""},
		{2, 64, 4, 4, 20, 0.3, 0, false, ""}, {4, 500, 9, 11, 3, 0.4, 5, false, ", cutout"}, {5, 500, 9, 11, 3, 0.4, 0, true, ", mixup"},
		{3, 300, 10, 8, 2, 0.9, 4, true, ", cutout and mixup"}} {
		all = append(all, Case{Name: fmt.Sprintf("crop and resize %dx%dx%d to %dx%d%s", c.n, c.pixels, c.c, c.h, c.w, c.more), Build: func(b *B) {
			o := &op.CropAndResize{Height: c.h, Width: c.w, To: b.Dt, Cutout: c.cutout, Mixup: c.mixup}
			switch {
			case c.c == 20:
				o.Raw = true
			case c.n > 1: // one picture: to 0–1 alone
				o.Mean, o.Std = make([]float32, c.c), make([]float32, c.c)
				numtest.FillUniform("means", 1, 0.5, o.Mean)
				numtest.FillUniform("deviations", 1, 0.1, o.Std)
				for i := range o.Std {
					o.Std[i] += 0.3
				}
			}
			random := make([]int, 5*c.n)
			numtest.FillLabels("boxes", 1, 1000, random)
			var draws []int
			for i := range c.n {
				r := random[5*i:]
				side := func(n, a, b int) (start, length int) { // a and b from 0 to 999
					all := n << 16
					length = int(float64(all) * (c.least + (1-c.least)*float64(a)/1000))
					return (all - length) * b / 1000, length
				}
				rows := 1 + r[4]%c.pixels
				columns := c.pixels / rows
				top, height := side(rows, r[0], r[1])
				left, width := side(columns, r[2], r[3])
				draws = append(draws, rows, columns, top, left, height, width, i%2)
				if c.cutout > 0 {
					draws = append(draws, r[0]%c.h, r[1]%c.w)
				}
				if c.mixup { // the first with nothing of the others
					draws = append(draws, (3*i+1)%c.n, 1<<24-i*1234567)
				}
			}
			images := b.Apply(o, b.Bytes("pictures", c.n, c.pixels, c.c), b.Ints("draws", draws, c.n, o.Numbers()))
			b.Want("images", numtest.Reduction, images) // sums that the mean may cancel
			w := b.Input("w", 3, 3, c.c, 4)
			b.Grads(b.Want("y", numtest.Reduction, b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: same}}, images, w)), w)
		}})
	}
	return all
}
