package reference

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// compute runs an operation: those that are products, where all the time would go, as products, the others as their reference.
func compute(o op.Op, out op.Array, in []op.Array) error {
	if !wide(out) || !wide(in[0]) {
		return o.Reference(out, in)
	}
	switch c := o.(type) {
	case *op.MatMul:
		matMul(c, out, in[0], in[1])
		return nil
	case *op.Conv2D:
		if g, err := c.Geometry(in[0].Shape, in[1].Shape); err != nil || plain(g) {
			forward(g, floats(out), floats(in[0]), floats(in[1]))
			return err
		}
	case *op.Conv2DBackwardInput:
		if g, err := c.Geometry(c.InputShape, in[1].Shape); err != nil || plain(g) {
			backwardInput(g, floats(out), floats(in[0]), floats(in[1]))
			return err
		}
	case *op.Conv2DBackwardFilter:
		if g, err := c.Geometry(in[0].Shape, c.FilterShape); err != nil || plain(g) {
			backwardFilter(g, floats(out), floats(in[0]), floats(in[1]))
			return err
		}
	}
	return o.Reference(out, in)
}

func wide(a op.Array) bool {
	_, ok := a.Data.([]float64)
	return ok
}

func floats(a op.Array) []float64 { return a.Data.([]float64) }

// plain says that a convolution is one product of patches and filters.
func plain(g op.ConvGeometry) bool { return g.Format == shape.NHWC && g.Groups <= 1 }

// multiply is c = a·b + beta·c for row-major matrices: a (m, k), b (k, n), before they are transposed where ta or tb is set.
func multiply(ta, tb bool, m, n, k int, a, b []float64, beta float64, c []float64) {
	lda, ldb := k, n
	if ta {
		lda = m
	}
	if tb {
		ldb = k
	}
	turned := map[bool]blas.Transpose{false: blas.NoTrans, true: blas.Trans}
	gonum.Implementation{}.Dgemm(turned[ta], turned[tb], m, n, k, 1, a, lda, b, ldb, beta, c, n)
}

func matMul(o *op.MatMul, out, a, b op.Array) {
	m, n := out.Shape[0], out.Shape[1]
	multiply(o.TransA, o.TransB, m, n, len(floats(a))/m, floats(a), floats(b), 0, floats(out))
}

// patchLimit is how many numbers of patches are written out at once, if that is not less than an image's.
const patchLimit = 1 << 22

// chunks calls do with patches' memory for groups of images, from…to.
func chunks(g op.ConvGeometry, do func(from, to int, patches []float64)) {
	size := g.H.Out * g.W.Out * g.H.Kernel * g.W.Kernel * g.C
	images := min(max(patchLimit/size, 1), g.N)
	patches := make([]float64, images*size)
	for from := 0; from < g.N; from += images {
		to := min(from+images, g.N)
		do(from, to, patches[:(to-from)*size])
	}
}

// sizes are those of an image before and after the convolution, and of a patch.
func sizes(g op.ConvGeometry) (in, positions, patch int) {
	return g.H.In * g.W.In * g.C, g.H.Out * g.W.Out, g.H.Kernel * g.W.Kernel * g.C
}

// forward is y (N, positions, F) = patches of x · w.
func forward(g op.ConvGeometry, y, x, w []float64) {
	in, positions, patch := sizes(g)
	chunks(g, func(from, to int, p []float64) {
		clear(p)
		eachTap(g, to-from, func(at, pixel int) { copy(p[at:at+g.C], x[from*in+pixel:]) })
		multiply(false, false, (to-from)*positions, g.F, patch, p, w, 0, y[from*positions*g.F:])
	})
}

// backwardInput adds up what the patches' gradients dy·wᵀ say of every pixel.
func backwardInput(g op.ConvGeometry, dx, dy, w []float64) {
	in, positions, patch := sizes(g)
	clear(dx)
	chunks(g, func(from, to int, p []float64) {
		multiply(false, true, (to-from)*positions, patch, g.F, dy[from*positions*g.F:to*positions*g.F], w, 0, p)
		eachTap(g, to-from, func(at, pixel int) {
			sum := dx[from*in+pixel:][:g.C]
			for c, v := range p[at : at+g.C] {
				sum[c] += v
			}
		})
	})
}

// backwardFilter is dw = patchesᵀ · dy.
func backwardFilter(g op.ConvGeometry, dw, x, dy []float64) {
	in, positions, patch := sizes(g)
	clear(dw)
	chunks(g, func(from, to int, p []float64) {
		clear(p)
		eachTap(g, to-from, func(at, pixel int) { copy(p[at:at+g.C], x[from*in+pixel:]) })
		multiply(true, false, patch, g.F, (to-from)*positions, p, dy[from*positions*g.F:to*positions*g.F], 1, dw)
	})
}

// eachTap visits the taps of n images that lie on a pixel, with the places of their first channels in the patches and in the images.
func eachTap(g op.ConvGeometry, n int, visit func(patch, pixel int)) {
	_, positions, patch := sizes(g)
	for at := range n * positions {
		image, i, j := at/positions, at%positions/g.W.Out, at%g.W.Out
		for p := range g.H.Kernel {
			row := i*g.H.Stride + p*g.H.Dilation - g.H.Before
			if row < 0 || row >= g.H.In {
				continue
			}
			for q := range g.W.Kernel {
				if column := j*g.W.Stride + q*g.W.Dilation - g.W.Before; column >= 0 && column < g.W.In {
					visit(at*patch+(p*g.W.Kernel+q)*g.C, ((image*g.H.In+row)*g.W.In+column)*g.C)
				}
			}
		}
	}
}
