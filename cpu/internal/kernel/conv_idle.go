package kernel

import "github.com/stheno-ml/stheno/graph/op"

// withoutIdleTaps is the convolution as products of whole patches, or of whole rows, compute it, and at which element of the filter the
// one that is left begins: rows of the kernel that meet only padding are gone and, where a single row is left, so are such columns. What
// is left lies together in the filter, so that it is read, and its gradient is written, in its place. On one pixel, or under a window
// that is dilated wider than the map, that is one tap of nine, and the images are the patches.
//
// It is g itself where nothing would be saved: products by tap, on maps of a few pixels, and sums in registers leave out whatever a tap
// does not see, wherever it lies.
func (e Env[T]) withoutIdleTaps(g op.ConvGeometry) (cut op.ConvGeometry, first int) {
	c := Conv{Geometry: g, Rounds: e.Gemm.Rounds()}
	if c.direct() || c.canTaps() {
		return g, 0
	}
	all, row, column, ok := g.WithoutIdleTaps()
	if !ok {
		return g, 0
	}
	cut = g
	cut.H = all.H
	if cut.H.Kernel == 1 {
		cut.W = all.W
	} else {
		column = 0
	}
	return cut, (row*g.W.Kernel + column) * tapLen(g)
}

// tapLen is the number of elements of a tap in the filter.
func tapLen(g op.ConvGeometry) int { return g.C / g.Groups * g.F }

// idleTaps lists the taps of g that are not in cut, whose filter begins at element first of the filter of g.
func idleTaps(g, cut op.ConvGeometry, first int) (idle []int) {
	begin := first / tapLen(g)
	end := begin + cut.H.Kernel*cut.W.Kernel
	for t := range g.H.Kernel * g.W.Kernel {
		if t < begin || t >= end {
			idle = append(idle, t)
		}
	}
	return idle
}
