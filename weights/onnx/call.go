package onnx

import (
	"fmt"
	"math"
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

// fixedNode returns a constant as a node.
func (c *call) fixedNode(a *array) *gorgonia.Node {
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
func clampInt(v int64) int { return int(min(max(v, -1<<40), 1<<40)) }

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

func (c *call) attribute(name string, kinds ...attributeKind) *attributeProto {
	c.read[name] = true
	for _, a := range c.node.attributes {
		if a.name != name {
			continue
		}
		kind := a.kind
		if kind == 0 { // old files leave it out
			kind = kinds[0]
		}
		if !slices.Contains(kinds, kind) || a.reference != "" {
			c.fail("", "attribute %q must be %v, is %v", name, kinds[0], kind)
			return nil
		}
		return a
	}
	return nil
}

func (c *call) attrInt(name string, def int) int {
	if a := c.attribute(name, attributeInt); a != nil {
		return clampInt(a.i)
	}
	return def
}

func (c *call) attrFlag(name string, def bool) bool {
	d := 0
	if def {
		d = 1
	}
	return c.attrInt(name, d) != 0
}

func (c *call) attrFloat(name string, def float64) float64 {
	if a := c.attribute(name, attributeFloat); a != nil {
		return shortest(a.f)
	}
	return def
}

// shortest is the number that a float32 was written for, such as 0.01: in double precision the model means that one.
func shortest(f float32) float64 {
	var d float64
	if _, err := fmt.Sscan(fmt.Sprint(f), &d); err != nil || math.IsNaN(float64(f)) {
		return float64(f)
	}
	return d
}

func (c *call) attrString(name, def string) string {
	if a := c.attribute(name, attributeString); a != nil {
		return string(a.s)
	}
	return def
}

// attrInts returns nil where there is none.
func (c *call) attrInts(name string) []int {
	a := c.attribute(name, attributeInts)
	if a == nil {
		return nil
	}
	out := make([]int, len(a.ints))
	for i, v := range a.ints {
		out[i] = clampInt(v)
	}
	return out
}

// ignore says that attributes have no meaning for the result.
func (c *call) ignore(names ...string) {
	for _, name := range names {
		c.read[name] = true
	}
}

// unread refuses attributes that nothing asked for: they would change the result unseen.
func (c *call) unread() {
	for _, a := range c.node.attributes {
		if !c.read[a.name] {
			c.fail("", "attribute %q is not supported", a.name)
		}
	}
}

// axis resolves an axis that may count from the end.
func (c *call) axis(a, rank int) int {
	if a < 0 {
		a += rank
	}
	if a < 0 || a >= max(rank, 1) {
		c.fail("", "axis %d is none of %d axes", a, rank)
		return 0
	}
	return a
}

// axes resolves several axes, which must differ.
func (c *call) axes(list []int, rank int) []int {
	out := make([]int, len(list))
	for i, a := range list {
		out[i] = c.axis(a, rank)
		if slices.Contains(out[:i], out[i]) {
			c.fail("", "axis %d is named twice", out[i])
		}
	}
	return out
}

// full refuses empty tensors, which our operations don't have.
func full(s []int) bool { return !slices.Contains(s, 0) }

func format(s []int) string { return shape.Format(tensor.Shape(s)) }
