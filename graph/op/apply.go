package op

import (
	"errors"
	"fmt"
	"reflect"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// maxSalt bounds the search in Apply. One collision has a chance of about 1 in 2³² per pair of nodes, so a second salt
// is next to never needed; the bound only keeps a defect from looping.
const maxSalt = 64

// Apply puts o into the graph of its children and returns the node of the result. Mistakes in the shapes come back as
// a *[shape.Error] that names the children.
//
// Gorgonia merges a new node with an old one when a 32-bit hash, the operation's hash, the number of children, type
// and shape agree, and never looks at the children themselves. Apply therefore checks the node it gets: it must carry
// this operation and these children. If not, the operation is applied again with a salt in its hash.
func Apply(o Op, children ...*gorgonia.Node) (*gorgonia.Node, error) {
	if o == nil {
		return nil, errors.New("op: Apply got no operation; pass one, e.g. &op.ReLU{}")
	}
	for i, c := range children {
		if c == nil {
			return nil, fmt.Errorf("op: %s: input %d is nil; an earlier error was probably not checked", o.Kind(), i)
		}
	}
	if want := o.Arity(); want >= 0 && want != len(children) {
		return nil, fmt.Errorf("op: %s takes %d inputs, got %d", o.Kind(), want, len(children))
	}
	if err := sameFloat(o, children); err != nil {
		return nil, err
	}
	// Shapes come before Gorgonia's type inference, whose complaint about a wrong rank names neither axis nor remedy.
	in, err := inputShapes(o, children)
	if err != nil {
		return nil, err
	}
	out, err := o.Infer(in)
	if err != nil {
		return nil, named(err, o, children)
	}
	if r, ok := o.(rankKeeper); ok {
		r.setRanks(in, out)
	}
	children, err = adopt(o, children)
	if err != nil {
		return nil, err
	}
	own := append([]*gorgonia.Node(nil), children...) // Gorgonia keeps the slice as the edges of its graph
	for salt := uint32(0); salt < maxSalt; salt++ {
		o.setSalt(salt)
		n, err := gorgonia.ApplyOp(o, own...)
		if err != nil {
			return nil, named(err, o, children)
		}
		if isApplication(n, o, children) {
			return n, nil
		}
	}
	return nil, fmt.Errorf("op: %s: the graph keeps merging this node with unrelated ones (%d salts tried)", o.Kind(), maxSalt)
}

// adopt returns the children with those constants that are in no graph yet (gorgonia.NewConstant) put into the graph of
// the others, where Gorgonia keeps a copy. It finds constants by their printed name, under which a float32 1 and a
// float64 1 are the same; the copy is compared with what was asked for.
func adopt(o Op, children []*gorgonia.Node) ([]*gorgonia.Node, error) {
	var g *gorgonia.ExprGraph
	for _, c := range children {
		if c.Graph() != nil {
			g = c.Graph()
		}
	}
	own := append([]*gorgonia.Node(nil), children...)
	for i, c := range own {
		if g == nil || c.Graph() != nil || c.Op() == nil {
			continue
		}
		kept := g.AddNode(c)
		if kept.Type() != c.Type() || !gorgonia.ValueEq(kept.Value(), c.Value()) {
			return nil, fmt.Errorf("op: %s: input %d, constant %q, has the name of another constant of the graph; feed it as a named input instead",
				o.Kind(), i, c.Name())
		}
		own[i] = kept
	}
	return own, nil
}

// inputShapes returns the shapes of children, which must be known.
func inputShapes(o Op, children []*gorgonia.Node) ([]tensor.Shape, error) {
	in := make([]tensor.Shape, len(children))
	for i, c := range children {
		in[i] = c.Shape()
		if tt, ok := c.Type().(gorgonia.TensorType); ok && tt.Dims != len(in[i]) {
			return nil, fmt.Errorf("op: %s: input %d, %q, has no shape; give it one with gorgonia.WithShape", o.Kind(), i, c.Name())
		}
	}
	return in, nil
}

// isApplication says whether n is o applied to children, be it the new node or an equal one that existed before.
func isApplication(n *gorgonia.Node, o Op, children []*gorgonia.Node) bool {
	have, ok := n.Op().(Op)
	if !ok || !Equal(have, o) {
		return false
	}
	got := Children(n)
	if len(got) != len(children) {
		return false
	}
	for i := range got {
		if got[i] != children[i] {
			return false
		}
	}
	return true
}

// sameFloat refuses mixed element types. Gorgonia would find most of them, but in words that help nobody.
func sameFloat(o Op, children []*gorgonia.Node) error {
	dts := make([]tensor.Dtype, len(children))
	for i, c := range children {
		dts[i] = nodeDtype(c)
	}
	return checkDtypes(o, dts)
}

// nodeDtype is n.Dtype without its panic: the zero Dtype stands for nodes that have none, such as Gorgonia's Read.
func nodeDtype(n *gorgonia.Node) tensor.Dtype {
	t := n.Type()
	if tt, ok := t.(gorgonia.TensorType); ok {
		t = tt.Of
	}
	dt, _ := t.(tensor.Dtype)
	return dt
}

// Children returns the inputs of a node in the order of its operation's arguments. It reads an unexported field where there is
// one: after Gorgonia has taken a node out of a graph, as its rewritings of log(1+x) and the like do, ExprGraph.From gives the
// children of other nodes.
func Children(n *gorgonia.Node) []*gorgonia.Node {
	if f := reflect.ValueOf(n).Elem().FieldByName("children"); f.IsValid() && f.Type() == reflect.TypeFor[gorgonia.Nodes]() {
		out := make([]*gorgonia.Node, f.Len())
		for i := range out {
			out[i] = (*gorgonia.Node)(f.Index(i).UnsafePointer())
		}
		return out
	}
	it := n.Graph().From(n.ID())
	if it == nil {
		return nil
	}
	out := make([]*gorgonia.Node, 0, it.Len())
	for it.Next() {
		out = append(out, it.Node().(*gorgonia.Node))
	}
	return out
}

// named adds the children's names to a shape error and drops Gorgonia's wrapping of it.
func named(err error, o Op, children []*gorgonia.Node) error {
	var se *shape.Error
	if !errors.As(err, &se) {
		return fmt.Errorf("op: %s: %w", o.Kind(), err)
	}
	se.Inputs = se.Inputs[:0]
	for _, c := range children {
		se.Inputs = append(se.Inputs, c.Name())
	}
	return se
}
