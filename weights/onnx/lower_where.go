package onnx

import (
	"github.com/stheno-ml/stheno/graph/op"
)

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
