package enginetest

import (
	"fmt"
	"math"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// affineTransformCases are images that are turned, and more.
func affineTransformCases() []Case {
	var all []Case
	for i, c := range []struct {
		n, h, w, c int
		far        float64 // how far numbers are from those of images that stay as they are
	}{{3, 7, 9, 3, 0.4}, {1, 1, 5, 1, 2}, {2, 33, 4, 5, 1}, {65, 2, 3, 2, 0.7}} {
		for border := op.BorderConstant; border <= op.BorderNearest; border++ {
			s := op.Sampling{Border: border, Nearest: (i+int(border))%2 == 1, Fill: 0.75}
			all = append(all, Case{Name: fmt.Sprintf("affine transform %dx%dx%dx%d %v", c.n, c.h, c.w, c.c, s), Build: func(b *B) {
				t := make([]float32, 8*c.n)
				numtest.FillUniform("transforms", 1, c.far, t)
				for i := range c.n {
					t[8*i]++
					t[8*i+4]++
					t[8*i+2] *= float32(c.w)
					t[8*i+5] *= float32(c.h)
					t[8*i+6] /= float32(8 * c.w)
					t[8*i+7] /= float32(8 * c.h)
				}
				copy(t[8*(c.n-1):], []float32{1, 0, 0, 0, 1, -3, 0, 0}) // whole pixels
				if c.n > 2 {
					t[2], t[8+5] = float32(math.NaN()), 1e12
				}
				x, transforms := b.Input("x", c.n, c.h, c.w, c.c), b.Filled("transforms", t, c.n, 8)
				b.Grads(b.Want("y", numtest.Reduction, b.Apply(&op.AffineTransform{Sampling: s}, x, transforms)), x)
			}})
		}
	}
	return all
}
