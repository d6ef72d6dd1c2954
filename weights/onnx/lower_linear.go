package onnx

import (
	"slices"

	"github.com/stheno-ml/stheno/graph/op"
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
	x = x.Reshape(slices.Concat(a[:max(len(a)-2, 0)], []int{m, k})...).BroadcastTo(slices.Concat(front, []int{m, k})...).Reshape(batches, m, k)
	y = y.Reshape(slices.Concat(b[:max(len(b)-2, 0)], []int{k, n})...).BroadcastTo(slices.Concat(front, []int{k, n})...).Reshape(batches, k, n)
	c.result(x.BatchMatMul(y, false, false).Reshape(out...))
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
