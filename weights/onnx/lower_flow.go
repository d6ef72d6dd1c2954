package onnx

import (
	"github.com/stheno-ml/stheno/graph/op"
)

// identity hands its input on.
func identity(c *call) {
	if !c.want(1, 1) || len(c.out) == 0 {
		return
	}
	v := *c.in[0]
	if v.stored != nil {
		v.inNode = true // it has another name now: only operations that name their parameters train it
	}
	c.out[0] = &v
}

// condition is If, of a condition that is known when the graph is built: PyTorch writes it where the size of an axis decides.
func condition(c *call) {
	yes, no := c.attribute("then_branch", attributeGraph), c.attribute("else_branch", attributeGraph)
	if !c.want(1, 1) {
		return
	}
	branch := no
	if c.number(0) != 0 {
		branch = yes
	}
	if c.err != nil || branch == nil || branch.g == nil || c.scope == nil {
		c.fail("", "has no branch")
		return
	}
	out, err := c.scope.branch(branch.g)
	c.failed(err)
	if c.err == nil && len(out) != len(c.out) {
		c.fail("", "has %d results, its branch %d", len(c.out), len(out))
	}
	if c.err == nil {
		copy(c.out, out)
	}
}

// dropout is the identity, except in training.
func dropout(c *call) {
	rate := c.attrFloat("ratio", 0.5)
	c.ignore("seed", "is_test")
	if !c.want(1, 3) {
		return
	}
	if c.has(1) {
		rate = c.number(1)
	}
	if c.has(2) {
		c.number(2) // training_mode: here the build decides
	}
	if c.train == nil || c.err != nil || !(rate > 0 && rate < 1) {
		identity(&call{node: c.node, in: c.in[:1], out: c.out, read: c.read})
		return
	}
	seed, stream, step := c.train.random()
	c.set(c.op(&op.Dropout{Rate: rate, Seed: seed, Stream: stream}, c.x(0), step))
}

// cast is Cast of what is computed: all floats are of one type here.
func cast(c *call) {
	to := elemType(c.attrInt("to", 0))
	c.ignore("saturate", "round_mode")
	switch indices := c.has(0) && c.in[0].node != nil && isIndices(c.in[0].node); {
	case indices && (to == elemInt32 || to == elemInt64): // they stay what they are
	case indices:
		c.x(0) // which says that they are not computed with
		return
	case !to.isFloat():
		c.fail("", "casts computed values to %v; only floats are computed", to)
	}
	identity(c)
}

// castLike is Cast to the type of a second operand.
func castLike(c *call) {
	c.ignore("saturate", "round_mode")
	if !c.want(2, 2) {
		return
	}
	to := elemFloat // what is computed
	switch v := c.in[1]; {
	case v.fixed != nil:
		to = v.fixed.elem
	case v.stored != nil:
		to = v.stored.elem
	}
	if c.isFixed(0) {
		if a := c.constant(0); a != nil && c.afford(a.shape, 8) {
			c.fix(converted(a, to))
		}
		return
	}
	if !to.isFloat() {
		c.fail("", "casts computed values to %v; only floats are computed", to)
		return
	}
	identity(&call{node: c.node, in: c.in[:1], out: c.out, read: c.read})
}
