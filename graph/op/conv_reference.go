package op

// The three convolution kernels below are the oracle that every fast kernel is measured against: plain loops over
// float64 images in NHWC order. Reference converts float32 inputs exactly and rounds each result once, so its error
// is half a unit in the last place whatever the length of the sum. The innermost loop always runs over channels,
// which are contiguous.

// eachTap calls visit for every pair of an output position (row-major index of (n,i,j)) and a kernel tap (p,q) whose
// input element lies inside the image (row-major index of (n,row,column)).
func eachTap(g ConvGeometry, visit func(outPos, inPos, tap int)) {
	for n := range g.N {
		for i := range g.H.Out {
			for j := range g.W.Out {
				outPos := (n*g.H.Out+i)*g.W.Out + j
				for p := range g.H.Kernel {
					row := i*g.H.Stride + p*g.H.Dilation - g.H.Before
					if row < 0 || row >= g.H.In {
						continue
					}
					for q := range g.W.Kernel {
						column := j*g.W.Stride + q*g.W.Dilation - g.W.Before
						if column >= 0 && column < g.W.In {
							visit(outPos, (n*g.H.In+row)*g.W.In+column, p*g.W.Kernel+q)
						}
					}
				}
			}
		}
	}
}

// convForward adds the convolution of x and w to y.
func convForward(g ConvGeometry, y, x, w []float64) {
	cg, fg := g.C/g.Groups, g.F/g.Groups
	eachTap(g, func(outPos, inPos, tap int) {
		for group := range g.Groups {
			out := y[outPos*g.F+group*fg:][:fg]
			for c, xv := range x[inPos*g.C+group*cg:][:cg] {
				for f, wv := range w[(tap*cg+c)*g.F+group*fg:][:fg] {
					out[f] += xv * wv
				}
			}
		}
	})
}

// convBackwardInput adds the gradient with respect to x to dx.
func convBackwardInput(g ConvGeometry, dx, dy, w []float64) {
	cg, fg := g.C/g.Groups, g.F/g.Groups
	eachTap(g, func(outPos, inPos, tap int) {
		for group := range g.Groups {
			dout := dy[outPos*g.F+group*fg:][:fg]
			din := dx[inPos*g.C+group*cg:][:cg]
			for c := range din {
				sum := 0.0
				for f, wv := range w[(tap*cg+c)*g.F+group*fg:][:fg] {
					sum += dout[f] * wv
				}
				din[c] += sum
			}
		}
	})
}

// convBackwardFilter adds the gradient with respect to w to dw.
func convBackwardFilter(g ConvGeometry, dw, x, dy []float64) {
	cg, fg := g.C/g.Groups, g.F/g.Groups
	eachTap(g, func(outPos, inPos, tap int) {
		for group := range g.Groups {
			dout := dy[outPos*g.F+group*fg:][:fg]
			for c, xv := range x[inPos*g.C+group*cg:][:cg] {
				row := dw[(tap*cg+c)*g.F+group*fg:][:fg]
				for f, d := range dout {
					row[f] += xv * d
				}
			}
		}
	})
}
