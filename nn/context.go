package nn

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// Context is what a layer builds its nodes with. It keeps the first mistake, so that layers need no error checks:
// after one, every method returns nil and does nothing.
type Context struct {
	Inputs      []*gorgonia.Node // with the batch axis in front
	InputShapes []Shape          // without
	OutputShape Shape            // what Infer returned
	Training    bool
	Frozen      bool // Model.SetTrainable froze the layer: batch normalization then works as in inference, as in Keras
	Format      DataFormat

	build *build
	call  *call
	first int            // number of the graph's nodes before this layer
	kinds map[string]int // operations of each kind so far, for their names
	err   error

	updates []op.Update
	results gorgonia.Nodes // of a nested model
}

// Err returns the first mistake.
func (c *Context) Err() error { return c.err }

// Fail keeps the first mistake and returns nil, for `return c.Fail(err)`.
func (c *Context) Fail(err error) *gorgonia.Node {
	if c.err == nil && err != nil {
		e := &Error{Kind: ErrShape, Problem: err.Error(), Cause: err}
		if own, ok := err.(*Error); ok {
			copied := *own
			e = &copied
		}
		if e.Class == "" {
			e.Class, e.Layer = c.call.class, c.call.name
			e.Inputs = c.call.describe(c.build.batch)
		}
		if e.Site == "" {
			e.Site = c.call.site
		}
		c.err = e
	}
	return nil
}

// Op applies an operation to nodes.
func (c *Context) Op(o op.Op, children ...*gorgonia.Node) *gorgonia.Node {
	if c.err != nil {
		return nil
	}
	n, err := op.Apply(o, children...)
	if err != nil {
		return c.Fail(err)
	}
	c.Rename(n, c.number(o.Kind()))
	return n
}

// Expr returns the tensor of an expression; see [op.Of]. Its operations, which were made without the context, get their
// names here.
func (c *Context) Expr(x op.Expr) *gorgonia.Node {
	if c.err != nil {
		return nil
	}
	n, err := x.Node()
	if err != nil {
		return c.Fail(err)
	}
	for _, made := range c.build.net.Graph.AllNodes()[c.first:] {
		if o, ours := made.Op().(op.Op); ours && strings.Contains(made.Name(), "(") { // Gorgonia's own: operation(operands)
			c.Rename(made, c.number(o.Kind()))
		}
	}
	return n
}

// number is an operation's kind, with a number from the second of its kind in the layer on.
func (c *Context) number(kind string) string {
	if c.kinds == nil {
		c.kinds = map[string]int{}
	}
	i := c.kinds[kind]
	c.kinds[kind]++
	if i == 0 {
		return kind
	}
	return fmt.Sprintf("%s_%d", kind, i)
}

// Weight returns the node of one of the layer's weights, by its local name, e.g. "kernel". Where the layer has been applied before and that
// updated the weight, it returns the value that the weight is to have then, so that one place builds on the other.
func (c *Context) Weight(name string) *gorgonia.Node {
	if c.err != nil {
		return nil
	}
	for _, w := range c.call.weights {
		if w.Name == c.call.name+"/"+name {
			n := c.build.params[w]
			if later := c.build.updated[n]; later != nil {
				return later
			}
			return n
		}
	}
	return c.Fail(badArgument("declare it in Infer with Spec.Weight", "has no weight %q", name))
}

// Constant returns a vector of n equal elements that is no weight.
func (c *Context) Constant(name string, value float64, n int) *gorgonia.Node {
	elements := make([]float64, n)
	for i := range elements {
		elements[i] = value
	}
	return c.values(name, tensor.Shape{n}, elements)
}

// fixed returns a node of the given value. Layers of nested models may be called like others, with other values: then its name gets a number.
func (c *Context) fixed(name string, v *tensor.Dense) *gorgonia.Node {
	b, first := c.build, c.call.name+"/"+name
	name = first
	for i := 1; b.fixed[name] != nil; i++ {
		if have := b.fixed[name]; v.Shape().Eq(have.Shape()) && reflect.DeepEqual(v.Data(), have.Value().Data()) {
			return have
		}
		name = fmt.Sprintf("%s_%d", first, i)
	}
	n, err := b.variableOf(v.Dtype(), name, v.Shape(), v)
	if err != nil {
		return c.Fail(err)
	}
	b.fixed[name] = n
	return n
}

// values returns a tensor of the given elements, row-major, that is no weight.
func (c *Context) values(name string, s tensor.Shape, elements []float64) *gorgonia.Node {
	if c.err != nil {
		return nil
	}
	v, err := newDense(c.build.cfg.Dtype, s)
	if err == nil {
		err = convert(v.Data(), elements)
	}
	if err != nil {
		return c.Fail(err)
	}
	return c.fixed(name, v)
}

// Random returns what a random operation of this layer draws from: a seed made of the build's, a stream of its own, and
// the Int scalar that counts the steps.
func (c *Context) Random() (seed uint64, stream uint32, step *gorgonia.Node) {
	if c.err != nil {
		return 0, 0, nil
	}
	b := c.build
	if b.net.Step == nil {
		b.net.Step = gorgonia.NewScalar(b.net.Graph, tensor.Int, gorgonia.WithName(b.prefix+"step"))
	}
	stream = b.random
	b.random++
	return b.cfg.Seed ^ dropoutKey, stream, b.net.Step
}

// dropoutKey keeps the numbers of dropout apart from those that the same seed gives to initial weights, shuffling and
// augmentation: the key of the generator is another one ("dropout" in ASCII).
const dropoutKey = 0x64726f706f757400

// Update has target, the node of a weight, take the value of a node after each step. What [Context.Weight] returned is a target, too,
// where another place of the layer has updated the weight: this value is then the last one.
func (c *Context) Update(target, value *gorgonia.Node) {
	if c.err != nil {
		return
	}
	weight := target
	for _, w := range c.call.weights {
		if n := c.build.params[w]; c.build.updated[n] == target {
			if weight != target {
				c.Fail(badArgument("update each with a node of its own", "it is shared, and two of its weights were updated with one node: which is meant by the next update is not known"))
				return
			}
			weight = n
		}
	}
	c.updates = append(c.updates, op.Update{Target: weight, New: value})
}

// commit makes the updates of a call those of the build.
func (c *Context) commit() {
	b := c.build
	for _, u := range c.updates {
		i := slices.IndexFunc(b.net.Updates, func(have op.Update) bool { return have.Target == u.Target })
		if b.updated[u.Target] == nil || i < 0 {
			b.net.Updates = append(b.net.Updates, u)
		} else {
			b.net.Updates[i] = u
		}
	}
	for _, u := range c.updates {
		b.updated[u.Target] = u.New
	}
}

// Rename calls a node of this layer "layer/name", e.g. one that was made without the context.
func (c *Context) Rename(n *gorgonia.Node, name string) {
	if c.err == nil && n != nil && c.isNew(n) {
		gorgonia.WithName(c.build.prefix + c.call.name + "/" + name)(n)
	}
}

// name gives the layer's result the layer's name.
func (c *Context) name(y *gorgonia.Node) {
	if c.isNew(y) {
		gorgonia.WithName(c.build.prefix + c.call.name)(y)
	}
}

// isNew says whether this layer made the node: not where it hands on its input, nor where the graph recognised a node
// of an earlier build, which keeps its name.
func (c *Context) isNew(n *gorgonia.Node) bool {
	for _, m := range c.build.net.Graph.AllNodes()[c.first:] {
		if m == n {
			return true
		}
	}
	return false
}
