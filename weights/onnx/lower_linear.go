package onnx

import (
	"slices"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// gemm is Gemm: alpha·A·B + beta·C, A and B transposed if wanted.
func gemm(c *call) {
	alpha, beta := c.attrFloat("alpha", 1), c.attrFloat("beta", 1)
	transA, transB := c.attrFlag("transA", false), c.attrFlag("transB", false)
	c.ignore("broadcast") // before version 7; without it C has the result's shape anyway
	if !c.want(2, 3) {
		return
	}
	if len(c.shape(0)) != 2 || len(c.shape(1)) != 2 {
		c.fail("put a Flatten in front", "wants matrices, has %s and %s", format(c.shape(0)), format(c.shape(1)))
		return
	}
	y := op.Try(c.op(&op.MatMul{TransA: transA, TransB: transB}, c.x(0), c.param(1)), c.err)
	if alpha != 1 {
		y = y.Mul(op.Number(alpha))
	}
	if !c.has(2) || beta == 0 {
		c.result(y)
		return
	}
	s := c.shape(2)
	switch {
	case size(s) == 1 && c.isFixed(2):
		y = y.Add(op.Number(beta * c.number(2)))
	case beta == 1 && len(s) == 1 && y.Err() == nil && s[0] == y.Shape()[1]:
		y = y.Apply(&op.BiasAdd{Axis: -1}, op.Try(c.param(2), c.err))
	default:
		bias := op.Try(c.param(2), c.err)
		if beta != 1 {
			bias = bias.Mul(op.Number(beta))
		}
		y = y.Add(bias)
	}
	c.result(y)
}

// matMul is MatMul as NumPy has it: vectors are a row or a column; more axes in front are matrices apart from each other.
func matMul(c *call) {
	if !c.want(2, 2) {
		return
	}
	a, b := c.shape(0), c.shape(1)
	if len(a) == 0 || len(b) == 0 {
		c.fail("", "wants matrices or vectors, has %s and %s", format(a), format(b))
		return
	}
	x, y := op.Try(c.param(0), c.err), op.Try(c.param(1), c.err)
	if c.err != nil {
		return
	}
	rows, columns := []int{}, []int{}
	if len(a) > 1 {
		rows = []int{a[len(a)-2]}
	}
	if len(b) > 1 {
		columns = []int{b[len(b)-1]}
	}
	m, k := size(rows), a[len(a)-1]
	n, kb := size(columns), b[max(len(b)-2, 0)]
	if k != kb {
		c.fail("", "the inner sizes of %s and %s differ", format(a), format(b))
		return
	}
	front, ok := broadcastShape(a[:max(len(a)-2, 0)], b[:max(len(b)-2, 0)])
	if !ok {
		c.fail("", "%s and %s don't fit together", format(a), format(b))
		return
	}
	out := slices.Concat(front, rows, columns)
	if len(b) <= 2 { // all matrices of a at once
		c.result(x.Reshape(size(a)/k, k).MatMul(y.Reshape(k, n)).Reshape(out...))
		return
	}
	batches := size(front)
	if batches > 1024 {
		c.fail("", "multiplies %d pairs of matrices; at most 1024 are supported", batches)
		return
	}
	x = x.Reshape(slices.Concat(a[:max(len(a)-2, 0)], []int{m, k})...).BroadcastTo(slices.Concat(front, []int{m, k})...).Reshape(batches, m, k)
	y = y.Reshape(slices.Concat(b[:max(len(b)-2, 0)], []int{k, n})...).BroadcastTo(slices.Concat(front, []int{k, n})...).Reshape(batches, k, n)
	products := make([]op.Expr, batches)
	for i := range products {
		products[i] = x.Slice(0, i, i+1).Reshape(m, k).MatMul(y.Slice(0, i, i+1).Reshape(k, n)).Reshape(1, m, n)
	}
	c.result(op.Join(0, products...).Reshape(out...))
}

// softmax is Softmax or LogSoftmax. Until version 12 all axes from one on were a row; since 13 one axis is.
func softmax(o func() op.Op) func(*call) {
	return func(c *call) {
		def := -1
		if c.version < 13 {
			def = 1
		}
		at := c.attrInt("axis", def)
		if !c.want(1, 1) {
			return
		}
		s := c.shape(0)
		at = c.axis(at, len(s))
		x := op.Try(c.x(0), c.err)
		if c.err != nil || len(s) == 0 {
			c.fail("", "wants a tensor with axes")
			return
		}
		if c.version < 13 || at == len(s)-1 {
			c.result(x.Reshape(size(s[:at]), size(s[at:])).Apply(o()).Reshape(s...))
			return
		}
		to := []int{}
		for i := range s {
			if i != at {
				to = append(to, i)
			}
		}
		to = append(to, at)
		back := make([]int, len(to))
		for i, axis := range to {
			back[axis] = i
		}
		c.result(x.Permute(to...).Reshape(size(s)/s[at], s[at]).Apply(o()).Reshape(permuted(s, to)...).Permute(back...))
	}
}

// lrn is LRN, local response normalization across channels (Krizhevsky et al. 2012): x / (bias + alpha/size·Σ x²)^beta over size
// neighbouring channels. The mean over channels is an average pooling of the squares, channels as rows, zeros around them.
func lrn(c *call) {
	alpha, beta, bias, n := c.attrFloat("alpha", 1e-4), c.attrFloat("beta", 0.75), c.attrFloat("bias", 1), c.attrInt("size", 0)
	if !c.want(1, 1) {
		return
	}
	s := c.shape(0)
	if n < 1 || n > 1<<16 || len(s) < 3 {
		c.fail("", "wants (batch, channels, …) and a size of at least 1, has %s and %d", format(s), n)
		return
	}
	x := op.Try(c.x(0), c.err)
	if c.err != nil {
		return
	}
	squares := x.Square().Reshape(s[0], 1, s[1], size(s[2:]))
	before, after := split(n-1, false)
	squares = squares.Apply(&op.ZeroPad2D{Top: before, Bottom: after, Format: shape.NCHW}).
		Apply(&op.AvgPool2D{PoolAttrs: op.PoolAttrs{Pool: [2]int{n, 1}, Strides: [2]int{1, 1}, Format: shape.NCHW}}).Reshape(s...)
	c.result(x.Mul(squares.Mul(op.Number(alpha)).Add(op.Number(bias)).Pow(op.Number(-beta))))
}

// instanceNormalization is InstanceNormalization: each channel of each image by its own mean and variance.
func instanceNormalization(c *call) {
	epsilon := c.attrFloat("epsilon", 1e-5)
	if !c.want(3, 3) {
		return
	}
	s := c.shape(0)
	if len(s) < 3 {
		c.fail("", "wants (batch, channels, …), has %s", format(s))
		return
	}
	x, scale, shift := op.Try(c.x(0), c.err), op.Try(c.param(1), c.err), op.Try(c.param(2), c.err)
	if c.err != nil {
		return
	}
	perChannel := append([]int{1, s[1]}, onesBehind(s)[2:]...)
	axes := []int{}
	for i := 2; i < len(s); i++ {
		axes = append(axes, i)
	}
	y, _, _ := normalized(x, axes, epsilon)
	c.result(y.Mul(scale.Reshape(perChannel...)).Add(shift.Reshape(perChannel...)))
}

// normalized has mean 0 and variance 1 over axes; it returns what x was shifted and scaled by, too.
func normalized(x op.Expr, axes []int, epsilon float64) (y, mean, inverse op.Expr) {
	mean = x.MeanKeep(axes...)
	centred := x.Sub(mean)
	inverse = centred.Square().MeanKeep(axes...).Add(op.Number(epsilon)).InverseSqrt()
	return centred.Mul(inverse), mean, inverse
}

// layerNormalization is LayerNormalization over all axes from one on.
func layerNormalization(c *call) {
	at, epsilon := c.attrInt("axis", -1), c.attrFloat("epsilon", 1e-5)
	c.ignore("stash_type")
	if !c.want(2, 3) {
		return
	}
	s := c.shape(0)
	at = c.axis(at, len(s))
	axes := []int{}
	for i := at; i < len(s); i++ {
		axes = append(axes, i)
	}
	x, scale := op.Try(c.x(0), c.err), op.Try(c.param(1), c.err)
	if c.err != nil || len(s) == 0 {
		return
	}
	y, mean, inverse := normalized(x, axes, epsilon)
	y = y.Mul(scale)
	if c.has(2) {
		y = y.Add(op.Try(c.param(2), c.err))
	}
	c.result(y)
	c.resultAt(1, mean)
	c.resultAt(2, inverse)
}

// pad is Pad; widths and value are inputs since version 11.
func pad(c *call) {
	mode := c.attrString("mode", "constant")
	var widths, axes []int
	fill := 0.0
	if c.version < 11 {
		widths, fill = c.attrInts("pads"), c.attrFloat("value", 0)
		c.want(1, 1)
	} else if c.want(2, 4) {
		widths = c.integers(1)
		if c.has(2) {
			fill = c.number(2)
		}
		if c.has(3) {
			axes = c.integers(3)
		}
	}
	if c.err != nil {
		return
	}
	s := c.shape(0)
	if axes == nil {
		for i := range s {
			axes = append(axes, i)
		}
	}
	axes = c.axes(axes, len(s))
	if len(widths) != 2*len(axes) {
		c.fail("", "pads %v don't suit %d axes", widths, len(axes))
	}
	x := op.Try(c.x(0), c.err)
	if c.err != nil {
		return
	}
	before, after := make([]int, len(s)), make([]int, len(s))
	out := slices.Clone(s)
	for k, axis := range axes {
		before[axis], after[axis] = widths[k], widths[len(axes)+k]
		out[axis] += before[axis] + after[axis]
	}
	if !c.validShape(out) || !full(out) {
		c.fail("", "pads %v make %v of shape %s", widths, out, format(s))
		return
	}
	if mode == "constant" && fill == 0 && len(s) == 4 && before[0]|after[0]|before[1]|after[1] == 0 && min(before[2], after[2], before[3], after[3]) >= 0 {
		c.result(x.Apply(&op.ZeroPad2D{Top: before[2], Bottom: after[2], Left: before[3], Right: after[3], Format: shape.NCHW}))
		return
	}
	for axis := range s {
		if x = c.padAxis(x, axis, before[axis], after[axis], mode, fill); c.err != nil {
			return
		}
	}
	c.result(x)
}

// padAxis pads or, with negative widths, crops one axis.
func (c *call) padAxis(x op.Expr, axis, before, after int, mode string, fill float64) op.Expr {
	if before == 0 && after == 0 || x.Err() != nil {
		return x
	}
	n := x.Shape()[axis]
	if mode == "constant" {
		if crop, cropEnd := max(-before, 0), max(-after, 0); crop+cropEnd > 0 {
			if crop+cropEnd >= n {
				c.fail("", "crops all %d places of axis %d", n, axis)
				return x
			}
			x = x.Slice(axis, crop, n-cropEnd)
		}
		parts := []op.Expr{x}
		border := func(n int) op.Expr {
			s := slices.Clone([]int(x.Shape()))
			s[axis] = n
			return x.Full(fill, s...)
		}
		if x.Err() != nil {
			return x
		}
		if before > 0 {
			parts = append([]op.Expr{border(before)}, parts...)
		}
		if after > 0 {
			parts = append(parts, border(after))
		}
		if len(parts) == 1 {
			return x
		}
		return op.Join(axis, parts...)
	}
	list := make([]int, 0, n+before+after)
	for i := -before; i < n+after; i++ {
		k := i
		switch mode {
		case "edge":
			k = min(max(i, 0), n-1)
		case "wrap":
			k = ((i % n) + n) % n
		case "reflect":
			if period := 2 * (n - 1); period > 0 {
				k = ((i % period) + period) % period
				k = min(k, period-k)
			} else {
				k = 0
			}
		default:
			c.fail("", "mode %q is unknown", mode)
			return x
		}
		list = append(list, k)
	}
	return c.pick(x, axis, list)
}

// spaceToDepth moves blocks of pixels into channels, depthToSpace back.
func spaceToDepth(c *call) {
	b := c.attrInt("blocksize", 0)
	if !c.want(1, 1) {
		return
	}
	s := c.shape(0)
	if len(s) != 4 || b < 1 || s[2]%b != 0 || s[3]%b != 0 {
		c.fail("", "blocksize %d doesn't suit %s", b, format(s))
		return
	}
	x := op.Try(c.x(0), c.err)
	c.result(x.Reshape(s[0], s[1], s[2]/b, b, s[3]/b, b).Permute(0, 3, 5, 1, 2, 4).Reshape(s[0], s[1]*b*b, s[2]/b, s[3]/b))
}

func depthToSpace(c *call) {
	b, mode := c.attrInt("blocksize", 0), c.attrString("mode", "DCR")
	if !c.want(1, 1) {
		return
	}
	s := c.shape(0)
	if len(s) != 4 || b < 1 || b > 1<<16 || s[1]%(b*b) != 0 {
		c.fail("", "blocksize %d doesn't suit %s", b, format(s))
		return
	}
	x := op.Try(c.x(0), c.err)
	switch n := s[1] / (b * b); mode {
	case "DCR":
		x = x.Reshape(s[0], b, b, n, s[2], s[3]).Permute(0, 3, 4, 1, 5, 2)
	case "CRD":
		x = x.Reshape(s[0], n, b, b, s[2], s[3]).Permute(0, 1, 4, 2, 5, 3)
	default:
		c.fail("", "mode %q is unknown", mode)
		return
	}
	c.result(x.Reshape(s[0], s[1]/(b*b), s[2]*b, s[3]*b))
}

// where chooses by a condition that is known or computed by a comparison.
func where(c *call) {
	if !c.want(3, 3) {
		return
	}
	condition, a, b := c.truth(0), c.e(1), c.e(2)
	if c.err == nil {
		c.result(op.Where(condition, a, b))
	}
}

// truth returns input i, of truth values, as a node of ones and zeros.
func (c *call) truth(i int) op.Expr {
	if !c.isConstant(i) {
		return op.Try(c.x(i), c.err)
	}
	a := c.constant(i)
	if a == nil || !c.afford(a.shape, 4) {
		return op.Try(nil, c.failure())
	}
	f := &array{elem: elemFloat, shape: a.shape, f32: make([]float32, a.len())}
	for k := range f.f32 {
		f.f32[k] = float32(a.at(k))
	}
	n, err := c.leaves.constant(label(c.node)+"/condition", f)
	return op.Try(n, err)
}

// globalMaxPool is the maximum of each channel.
func globalMaxPool(c *call) {
	if !c.want(1, 1) {
		return
	}
	s := c.shape(0)
	if len(s) < 3 {
		c.fail("", "wants (batch, channels, …), the input has the shape %s", format(s))
		return
	}
	var axes []int
	for i := 2; i < len(s); i++ {
		axes = append(axes, i)
	}
	c.result(op.Try(c.x(0), c.err).MaxKeep(axes...))
}
