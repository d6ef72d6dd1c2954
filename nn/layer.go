package nn

import (
	"fmt"
	"strings"

	"gorgonia.org/gorgonia"
)

// Layer is the configuration of one layer. The layers of this package implement it; programs may add their own.
type Layer interface {
	// Identity returns the layer's class as summaries print it ("Conv2D") and its name; for an empty name the builder
	// makes one as Keras does (conv2d, conv2d_1, …).
	Identity() (class, name string)
	// Infer checks the configuration and the shapes of the inputs, declares the weights with [Spec.Weight], and returns
	// the shape of the result. A mistake is best returned as an *[Error] with Kind, Problem and Remedy.
	Infer(s *Spec) (Shape, error)
	// Apply makes the layer's nodes and returns the one of the result, whose shape must be what Infer said, with the
	// batch axis in front. Mistakes are kept by the context.
	Apply(c *Context) *gorgonia.Node
}

// MultiInput is implemented by layers that take another number of inputs than one: those that combine several, and
// Input, which takes none. A layer of another package that does not implement it takes one or more.
type MultiInput interface {
	Layer
	// Arity returns the least and the greatest number of inputs; most < 0 means any number.
	Arity() (least, most int)
}

// Spec is what a layer knows about its surroundings while shapes are inferred.
type Spec struct {
	Inputs  []Shape    // shapes of the inputs, without the batch axis
	Format  DataFormat // the builder's
	sources []result
	weights []*Weight
}

// Weight declares a weight of the layer; name is local to the layer, e.g. "kernel". Declare them in Keras's order.
func (s *Spec) Weight(w Weight) {
	if isNil(w.Initializer) {
		w.Initializer = Zeros{}
	}
	if isNil(w.Constraint) {
		w.Constraint = nil
	}
	w.Regularizer = present(w.Regularizer)
	w.fixed = !w.Trainable
	w.Shape = w.Shape.Clone()
	s.weights = append(s.weights, &w)
}

// node is a layer, which may be applied several times.
type node struct {
	name, class string
	layer       Layer
	weights     []*Weight
	made        string     // where it was added or shared
	format      DataFormat // the builder's then
	frozen      bool       // see Model.SetTrainable
	calls       int        // how often its builder has applied it
}

// call is a layer in one of its places in the graph of layers: Keras's inbound node.
type call struct {
	*node
	number int // among all calls of the layer: Keras's node index
	inputs []result
	shapes []Shape // of the results: nested models may have several, all other layers have one
	batch  int     // that the inputs fix, or 0
	site   string
}

// result is one of the results of a call.
type result struct {
	*call
	index int
}

func (r result) shape() Shape { return r.shapes[r.index] }

// first is the result of a layer that has one.
func (c *call) first() result { return result{call: c} }

// count returns the number of trainable and other parameters.
func (n *node) count() (trainable, fixed int) {
	for _, w := range n.weights {
		if w.Trainable {
			trainable += w.Shape.TotalSize()
		} else {
			fixed += w.Shape.TotalSize()
		}
	}
	return trainable, fixed
}

// describe prints the inputs of a layer for an error; batch 0 prints None.
func (c *call) describe(batch int) string {
	parts := make([]string, len(c.inputs))
	for i, in := range c.inputs {
		parts[i] = in.shape().format(batch)
		if len(in.shape()) == 3 {
			parts[i] += " " + c.format.String()
		}
		parts[i] += fmt.Sprintf(" from %q", in.name)
	}
	switch len(parts) {
	case 0:
		return ""
	case 1:
		return "input " + parts[0]
	}
	return "inputs " + strings.Join(parts, ", ")
}
