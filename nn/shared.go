package nn

import (
	"fmt"

	"gorgonia.org/gorgonia"
)

// Shared is a layer that may be applied several times with the same weights; see [Builder.Share].
type Shared struct {
	builder *Builder
	node    *node // nil after a mistake: the builder holds the error
}

// Share makes a layer that [Builder.Add] applies as often as wanted, with the same weights each time, as a layer object of Keras is:
//
//	embed := b.Share(nn.Dense{Units: 8})         // embed = Dense(8)
//	left, right := b.Add(embed, x), b.Add(embed, y) // left, right = embed(x), embed(y)
//
// The layer gets its name and the builder's data format here, and its weights where it is first applied: all its inputs must want weights of
// the same shapes. A [Model] is shared by itself: add it as often as wanted. Dropout draws numbers of its own for each place; batch
// normalization moves its averages in each, one after another, in the order in which Keras computes the places: as a rule that of Add. After a
// mistake Share returns a layer that does nothing; see [Builder.Err].
func (b *Builder) Share(layer Layer) *Shared {
	if s, ok := layer.(*Shared); ok && s != nil && s.builder == b {
		return s
	}
	s := &Shared{builder: b}
	if b.err != nil {
		return s
	}
	b.begin()
	n, err := b.layer(layer)
	if _, ok := n.layer.(Input); ok && err == nil {
		err = badArgument("pass the tensor that Add returns wherever it is wanted", "an Input is applied to nothing")
	}
	if err != nil {
		b.err = b.complete(err, &call{node: n, site: callSite()})
		return s
	}
	b.taken[n.name] = n
	s.node = n
	return s
}

// of is the layer that s stands for in a builder, or n with an error.
func (s *Shared) of(b *Builder, n *node) (*node, error) {
	switch {
	case s.builder == nil:
		return n, &Error{Kind: ErrNilTensor, Class: "Builder", Problem: "Add got a Shared that holds no layer", Remedy: "pass what Builder.Share returned"}
	case s.builder != b || s.node == nil:
		class, name := s.Identity()
		return n, &Error{Kind: ErrForeignTensor, Class: class, Layer: name, Problem: fmt.Sprintf("is shared in another builder (model %q)", s.builder.name),
			Remedy: "describe the whole model with one builder, or make a Model of what both are to share and add it to each"}
	}
	return s.node, nil
}

// Identity implements [Layer].
func (s *Shared) Identity() (class, name string) {
	if s.node == nil {
		return "Shared", ""
	}
	return s.node.class, s.node.name
}

// Name returns the layer's name, "" after a mistake.
func (s *Shared) Name() string {
	if s == nil || s.node == nil {
		return ""
	}
	return s.node.name
}

// Infer implements [Layer], for whoever calls it without a Builder.
func (s *Shared) Infer(spec *Spec) (Shape, error) {
	if s.node == nil {
		_, err := s.of(nil, nil)
		return nil, err
	}
	return s.node.layer.Infer(spec)
}

// Apply implements [Layer], for whoever calls it without a Builder.
func (s *Shared) Apply(c *Context) *gorgonia.Node {
	if s.node == nil {
		_, err := s.of(nil, nil)
		return c.Fail(err)
	}
	return s.node.layer.Apply(c)
}
