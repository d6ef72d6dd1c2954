package op

import "math"

// eachWindow calls visit for every output position (row-major index of (n,i,j)) with the positions of its window that
// lie inside the image (row-major indices of (n,row,column), in that order). There is always at least one; the slice is
// valid during the call only.
func eachWindow(g PoolGeometry, visit func(outPos int, inside []int)) {
	var inside []int
	for n := range g.N {
		for i := range g.H.Out {
			top := i*g.H.Stride - g.H.Before
			for j := range g.W.Out {
				left := j*g.W.Stride - g.W.Before
				inside = inside[:0]
				for row := max(top, 0); row < min(top+g.H.Kernel, g.H.In); row++ {
					for column := max(left, 0); column < min(left+g.W.Kernel, g.W.In); column++ {
						inside = append(inside, (n*g.H.In+row)*g.W.In+column)
					}
				}
				visit((n*g.H.Out+i)*g.W.Out+j, inside)
			}
		}
	}
}

// maxPositions returns, for every element of the result in NHWC order, the index in x, also NHWC, of the first maximum
// of its window. A NaN counts as larger than any number.
func maxPositions(g PoolGeometry, x []float64) []int {
	at := make([]int, g.N*g.H.Out*g.W.Out*g.C)
	eachWindow(g, func(outPos int, inside []int) {
		best := at[outPos*g.C:][:g.C]
		for c := range best {
			best[c] = inside[0]*g.C + c
		}
		for _, inPos := range inside[1:] {
			for c := range best {
				old, v := x[best[c]], x[inPos*g.C+c]
				if v > old || math.IsNaN(v) && !math.IsNaN(old) {
					best[c] = inPos*g.C + c
				}
			}
		}
	})
	return at
}
