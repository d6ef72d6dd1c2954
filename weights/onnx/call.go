package onnx

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// operator says how one of ONNX's operations is computed.
type operator struct {
	// lower makes the nodes of the results.
	lower func(*call)
	// fold, if not nil, computes the result of constants; it is used where no operand is a weight or computed. Operations that have
	// no other way, such as Shape, are folded or not supported at that place.
	fold func(*call) *array
}

// value is what a name in the graph stands for: a constant, a weight, or a node.
type value struct {
	node   *gorgonia.Node
	fixed  *array       // constants that were folded, and inputs that were given as such
	stored *tensorProto // initializers, and tensors of Constant nodes
	name   string       // of what is stored
	inNode bool         // stored is of a Constant node
	shape  []int
}

// leaves makes the nodes that have no inputs.
type leaves interface {
	// weight returns the node of an initializer in the given layout.
	weight(key weightKey, shape []int, trainable bool, values func() (*array, error)) (*gorgonia.Node, error)
	// constant returns a node of fixed values.
	constant(name string, a *array) (*gorgonia.Node, error)
}

// weightKey tells weights apart: an initializer may be used in two layouts.
type weightKey struct {
	name   string
	layout layout
}

// layout is how a weight lies here.
type layout uint8

const (
	plain  layout = iota // as in the file
	filter               // of a convolution: (out, in/groups, rows, columns) becomes (rows, columns, in/groups, out)
)

// call is one node of the file while it is made into nodes of a Gorgonia graph. The first mistake is kept: after one, every method
// returns zero values.
type call struct {
	node    *nodeProto
	version int // of the operator set
	in      []*value
	out     []*value
	leaves  leaves
	scope   *evaluator
	folder  string
	budget  *int64 // bytes that constants may still take
	train   *training
	read    map[string]bool
	made    int // constants so far
	err     error
}

// training is what operations need that behave differently there; nil in inference.
type training struct {
	random func() (seed uint64, stream uint32, step *gorgonia.Node)
}

func (c *call) fail(remedy, format string, args ...any) {
	if c.err == nil {
		c.err = &GraphError{Node: c.node.String(), Problem: fmt.Sprintf(format, args...), Remedy: remedy}
	}
}

// failed keeps an error of another package.
func (c *call) failed(err error) {
	if c.err != nil || err == nil {
		return
	}
	switch e := err.(type) {
	case *GraphError:
		if e.Node != "" {
			c.err = e
			return
		}
	case *UnsupportedError:
		c.err = e
		return
	}
	c.err = &GraphError{Node: c.node.String(), Problem: err.Error(), Cause: err}
}

// has says whether input i is there; trailing and middle ones may be left out.
func (c *call) has(i int) bool { return i < len(c.in) && c.in[i] != nil }

// isVector says whether input i has one axis of n elements.
func (c *call) isVector(i, n int) bool { return slices.Equal(c.in[i].shape, []int{n}) }

// want checks the number of inputs.
func (c *call) want(least, most int) bool {
	if n := len(c.in); n < least || n > most {
		c.fail("", "takes %d to %d inputs, has %d", least, most, n)
		return false
	}
	for i := range least {
		if !c.has(i) {
			c.fail("", "input %d must be there", i)
			return false
		}
	}
	return c.err == nil
}

// shape returns the shape of input i.
func (c *call) shape(i int) []int {
	if !c.has(i) {
		c.fail("", "input %d must be there", i)
		return nil
	}
	return c.in[i].shape
}

// failure is the first mistake; there must have been one.
func (c *call) failure() error {
	c.fail("", "has no value") // kept only if there was none
	return c.err
}

// result makes an expression the result.
func (c *call) result(e op.Expr) { c.resultAt(0, e) }

func (c *call) resultAt(i int, e op.Expr) {
	n, err := e.Node()
	c.failed(err)
	c.setAt(i, n)
}

// op applies an operation.
func (c *call) op(o op.Op, in ...*gorgonia.Node) *gorgonia.Node {
	if c.err != nil {
		return nil
	}
	n, err := op.Apply(o, in...)
	c.failed(err)
	return n
}

// reshape gives x a shape of the same size.
func (c *call) reshape(x *gorgonia.Node, s []int) *gorgonia.Node {
	if c.err != nil || x == nil || slices.Equal(x.Shape(), s) {
		return x
	}
	return c.op(&op.Reshape{From: x.Shape().Clone(), To: slices.Clone(tensor.Shape(s))}, x)
}

// set makes a node the result.
func (c *call) set(n *gorgonia.Node) { c.setAt(0, n) }

func (c *call) setAt(i int, n *gorgonia.Node) {
	if c.err == nil && n != nil && i < len(c.out) {
		c.out[i] = &value{node: n, shape: n.Shape().Clone()}
	}
}

// full refuses empty tensors, which our operations don't have.
func full(s []int) bool { return !slices.Contains(s, 0) }

func format(s []int) string { return shape.Format(tensor.Shape(s)) }
