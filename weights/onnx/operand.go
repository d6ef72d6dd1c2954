package onnx

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// x returns input i as a node. An initializer becomes a weight, which is trainable if it has more than one element; a constant of
// the graph stays as it is, unless the operation says otherwise (see param).
func (c *call) x(i int) *gorgonia.Node {
	if !c.has(i) {
		c.fail("", "input %d must be there", i)
	}
	if c.err != nil {
		return nil
	}
	v := c.in[i]
	switch {
	case v.node != nil && isIndices(v.node):
		c.fail("pass its value as one of Constants", "computes with integers in input %d, %q; as inputs of the graph they can be indices of a Gather only", i, c.name(i))
		return nil
	case v.node != nil:
		return v.node
	case v.stored != nil && !v.stored.elem.isFloat() || v.fixed != nil && !v.fixed.elem.isFloat():
		c.fail("cast it to a float", "computes with integers in input %d, %q; only floats are supported there", i, c.name(i))
		return nil
	case v.stored != nil:
		return c.weight(i, plain, size(v.shape) > 1 && !v.inNode)
	}
	return c.fixedNode(v.fixed)
}

// isIndices says whether a node is of integers.
func isIndices(n *gorgonia.Node) bool {
	t := n.Type()
	if of, ok := t.(gorgonia.TensorType); ok {
		t = of.Of
	}
	return t == tensor.Int
}

// fixedNode returns a constant as a node.
func (c *call) fixedNode(a *array) *gorgonia.Node {
	if c.err == nil && !full(a.shape) {
		c.fail("", "computes with an empty tensor of shape %s", format(a.shape))
	}
	if c.err != nil {
		return nil
	}
	c.made++
	n, err := c.leaves.constant(fmt.Sprintf("%s/const_%d", label(c.node), c.made), a)
	c.failed(err)
	return n
}

// name is what input i is called.
func (c *call) name(i int) string {
	if i < len(c.node.inputs) {
		return c.node.inputs[i]
	}
	return ""
}

// label is a node's name.
func label(n *nodeProto) string {
	if n.name == "" && len(n.outputs) > 0 {
		return n.outputs[0]
	}
	return n.name
}

// weight returns initializer i as a node in a layout.
func (c *call) weight(i int, l layout, trainable bool) *gorgonia.Node {
	if c.err != nil {
		return nil
	}
	v := c.in[i]
	if !full(v.shape) {
		c.fail("", "computes with the empty tensor %q of shape %s", c.name(i), format(v.shape))
		return nil
	}
	if len(v.shape) == 0 { // tensors share memory with the graphs, scalars don't
		return c.fixedNode(c.constant(i))
	}
	s, to := v.shape, []int(nil)
	if l == filter {
		s, to = filterShape(v.shape), []int{2, 3, 1, 0}
		s = permuted(s, to)
	}
	n, err := c.leaves.weight(weightKey{v.name, l}, s, trainable, func() (*array, error) {
		a, err := v.stored.array(c.folder)
		if err != nil || to == nil {
			return a, err
		}
		b := *a
		b.shape = filterShape(a.shape)
		return transpose(&b, to), nil
	})
	c.failed(err)
	return n
}

// filterShape gives the kernel of a one-dimensional convolution a row.
func filterShape(s []int) []int {
	if len(s) == 3 {
		return []int{s[0], s[1], 1, s[2]}
	}
	return s
}

// filter returns input i, a convolution's kernel (out, in/groups, rows, columns), as a node (rows, columns, in/groups, out).
func (c *call) filter(i int) *gorgonia.Node {
	if !c.has(i) {
		c.fail("", "input %d must be there", i)
	}
	if c.err != nil {
		return nil
	}
	if s := c.in[i].stored; s != nil && s.elem.isFloat() {
		return c.weight(i, filter, true)
	}
	w := c.reshape(c.x(i), filterShape(c.shape(i)))
	return c.op(&op.Permute{Axes: []int{2, 3, 1, 0}}, w)
}

// param returns input i, which training changes if it is stored in the file.
func (c *call) param(i int) *gorgonia.Node { return c.stored(i, true) }

// statistic returns input i, a vector that training doesn't change.
func (c *call) statistic(i int) *gorgonia.Node { return c.stored(i, false) }

func (c *call) stored(i int, trainable bool) *gorgonia.Node {
	if c.has(i) && c.in[i].stored != nil && c.in[i].stored.elem.isFloat() {
		return c.weight(i, plain, trainable)
	}
	return c.x(i)
}

// e returns input i as an operand of elementwise functions: constants of one element are numbers, where that leaves the shape of the
// result as it is.
func (c *call) e(i int) op.Expr {
	if c.has(i) && c.in[i].node == nil && size(c.in[i].shape) == 1 {
		rank := 0
		for k, other := range c.in {
			if k != i && other != nil && size(other.shape) > 1 {
				rank = max(rank, len(other.shape))
			}
		}
		if len(c.in[i].shape) <= rank {
			return op.Number(c.number(i))
		}
	}
	if n := c.x(i); n != nil && c.err == nil {
		return op.Of(n)
	}
	return op.Try(nil, c.failure())
}

// constant returns the elements of input i, which must be known without running the graph.
func (c *call) constant(i int) *array {
	if !c.has(i) {
		c.fail("", "input %d must be there", i)
	}
	if c.err != nil {
		return nil
	}
	switch v := c.in[i]; {
	case v.fixed != nil:
		return v.fixed
	case v.stored != nil:
		a, err := v.stored.array(c.folder)
		c.failed(err)
		return a
	}
	c.fail("export the model with fixed sizes, or simplify it before", "input %d, %q, must be known when the graph is built, it is computed from the model's inputs",
		i, c.name(i))
	return nil
}

// isConstant says whether the elements of input i are known.
func (c *call) isConstant(i int) bool { return c.has(i) && c.in[i].node == nil }

// integers returns the elements of input i, a constant vector or scalar of integers.
func (c *call) integers(i int) []int {
	a := c.constant(i)
	if a == nil {
		return nil
	}
	if a.elem.isFloat() || len(a.shape) > 1 {
		c.fail("", "input %d, %q, must be a vector of integers, it is %v of shape %v", i, c.name(i), a.elem, a.shape)
		return nil
	}
	out := make([]int, len(a.i64))
	for k, v := range a.i64 {
		out[k] = clampInt(v)
	}
	return out
}

// clampInt keeps sums of sizes from overflowing: files say "to the end" with the largest number there is.
func clampInt(v int64) int { return int(min(max(v, -farAway), farAway)) }

const farAway = min(1<<40, math.MaxInt/4)

// number returns input i, a constant of one element.
func (c *call) number(i int) float64 {
	a := c.constant(i)
	if a == nil {
		return 0
	}
	if a.len() != 1 {
		c.fail("", "input %d, %q, must be a single number, it has the shape %v", i, c.name(i), a.shape)
		return 0
	}
	return a.at(0)
}
