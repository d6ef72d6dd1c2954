package enginetest

import (
	"fmt"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// augmentCases are images of bytes in front of a network.
func augmentCases() []Case {
	var all []Case
	for _, c := range []struct {
		n, h, w, c, padding int
	}{{5, 32, 32, 3, 4}, {1, 7, 9, 1, 2}, {4, 6, 5, 2, 0}, {3, 80, 70, 3, 1}, {2, 3, 3, 20, 2}} {
		all = append(all, Case{Name: fmt.Sprintf("augment %dx%dx%dx%d padding %d", c.n, c.h, c.w, c.c, c.padding), Build: func(b *B) {
			o := &op.Augment{Padding: c.padding, To: b.Dt}
			if c.padding > 0 { // without: normalised to 0–1 alone
				o.Mean, o.Std = make([]float32, c.c), make([]float32, c.c)
				numtest.FillUniform("means", 1, 0.5, o.Mean)
				numtest.FillUniform("deviations", 1, 0.1, o.Std)
				for i := range o.Std {
					o.Std[i] += 0.3
				}
			}
			draws := make([]int, 3*c.n)
			numtest.FillLabels("draws", 1, 2*c.padding+1, draws)
			for i := range draws {
				if draws[i] -= c.padding; i%3 == 2 {
					draws[i] = i / 3 % 2
				}
			}
			images := b.Apply(o, b.Bytes("images", c.n, c.h, c.w, c.c), b.Ints("draws", draws, c.n, 3))
			b.Want("images", numtest.Elementwise, images)
			w := b.Input("w", 3, 3, c.c, 4)
			b.Grads(b.Want("y", numtest.Reduction, b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: same}}, images, w)), w)
		}})
	}
	return all
}
