package enginetest

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// augmentCases are images of bytes in front of a network.
func augmentCases() []Case {
	var all []Case
	for _, c := range []struct {
		n, h, w, c, padding int
		cutout, set         int
		mixup               bool
	}{{5, 32, 32, 3, 4, 0, 0, false}, {1, 7, 9, 1, 2, 0, 0, false}, {4, 6, 5, 2, 0, 0, 0, false}, {3, 80, 70, 3, 1, 0, 0, false}, {2, 3, 3, 20, 2, 0, 0, false},
		{5, 32, 32, 3, 4, 8, 0, false}, {3, 7, 9, 1, 0, 3, 11, false}, {4, 6, 5, 2, 2, 0, 3, true}, {9, 32, 32, 3, 4, 16, 20, true}} {
		name := fmt.Sprintf("augment %dx%dx%dx%d padding %d", c.n, c.h, c.w, c.c, c.padding)
		if c.cutout > 0 {
			name += fmt.Sprint(" cutout ", c.cutout)
		}
		if c.mixup {
			name += " mixup"
		}
		if c.set > 0 {
			name += fmt.Sprintf(" of %d", c.set)
		}
		all = append(all, Case{Name: name, Build: func(b *B) {
			o := &op.Augment{Padding: c.padding, Cutout: c.cutout, Mixup: c.mixup, Indexed: c.set > 0, To: b.Dt}
			switch {
			case c.c == 20:
				o.Raw = true
			case c.padding > 0: // without: normalised to 0–1 alone
				o.Mean, o.Std = make([]float32, c.c), make([]float32, c.c)
				numtest.FillUniform("means", 1, 0.5, o.Mean)
				numtest.FillUniform("deviations", 1, 0.1, o.Std)
				for i := range o.Std {
					o.Std[i] += 0.3
				}
			}
			width := o.Numbers()
			draws := make([]int, width*c.n)
			fill := func(name string, column, from, to int) {
				values := make([]int, c.n)
				numtest.FillLabels(name, 1, to-from+1, values)
				for i, v := range values {
					draws[i*width+column] = from + v
				}
			}
			fill("dy", 0, -c.padding, c.padding)
			fill("dx", 1, -c.padding, c.padding)
			for i := range c.n {
				draws[i*width+2] = i % 2
			}
			if c.cutout > 0 {
				fill("row", 3, 0, c.h-1)
				fill("column", 4, 0, c.w-1)
			}
			if c.mixup {
				fill("with", width-2, 0, c.n-1)
				fill("share", width-1, 1<<23, 1<<24)
				draws[width-1] = 1 << 24
			}
			of := c.n
			if c.set > 0 {
				of = c.set
			}
			in := []*gorgonia.Node{b.Bytes("images", of, c.h, c.w, c.c), b.Ints("draws", draws, c.n, width)}
			if c.set > 0 {
				index := make([]int, c.n)
				numtest.FillLabels("index", 1, c.set, index)
				in = append(in, b.Ints("index", index, c.n))
			}
			images := b.Apply(o, in...)
			tolerance := numtest.Elementwise
			if c.mixup { // a sum of two that may cancel
				tolerance = numtest.Reduction
			}
			b.Want("images", tolerance, images)
			w := b.Input("w", 3, 3, c.c, 4)
			b.Grads(b.Want("y", numtest.Reduction, b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: same}}, images, w)), w)
		}})
	}
	return all
}
