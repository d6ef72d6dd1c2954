package nn

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// choosePrefix finds the first of "", "model/", "model_1/", … that makes every name of this build new to the graph, and
// finds the nodes of weights that the graph has already.
func (b *build) choosePrefix() {
	values := map[*tensor.Dense]*gorgonia.Node{}
	used := map[string]bool{}
	for _, n := range b.net.Graph.AllNodes() {
		used[n.Name()] = true
		if d, ok := n.Value().(*tensor.Dense); ok && n.Op() == nil {
			values[d] = n
		}
	}
	var names []string
	for _, n := range b.model.leafLayers() {
		if i := slices.IndexFunc(b.model.inputs, func(in *call) bool { return in.node == n }); i >= 0 && b.inputs[i] != nil {
			continue
		}
		names = append(names, n.name)
		for _, w := range n.weights {
			if at := values[w.Value]; w.Value != nil && at != nil && !b.cfg.ShapesOnly {
				b.params[w] = at
			} else {
				names = append(names, w.Name)
			}
		}
	}
	if b.cfg.Step == nil {
		names = append(names, "step")
	}
	for i := 0; ; i++ {
		switch i {
		case 0:
		case 1:
			b.prefix = b.model.name + "/"
		default:
			b.prefix = fmt.Sprintf("%s_%d/", b.model.name, i-1)
		}
		free := true
		for _, name := range names {
			free = free && !used[b.prefix+name]
		}
		if free {
			return
		}
	}
}

// leaves makes the nodes of the inputs and the weights.
func (b *build) leaves() error {
	for i, in := range b.model.inputs {
		x := b.inputs[i]
		if x == nil {
			s := append(tensor.Shape{b.batch}, in.shapes[0]...)
			var err error
			if x, err = b.variableOf(b.inputDtype(in), in.name, s, nil); err != nil {
				return err
			}
		}
		b.net.Inputs = append(b.net.Inputs, x)
		b.done[in.first()] = x
	}
	b.net.Input = b.net.Inputs[0]
	for _, w := range b.model.weights {
		n := b.params[w]
		if n == nil {
			v := w.Value
			if b.cfg.ShapesOnly {
				v = nil
			}
			var err error
			if n, err = b.variable(w.Name, w.Shape, v); err != nil {
				return err
			}
			b.params[w] = n
		}
		b.net.Params = append(b.net.Params, Param{w, n})
	}
	return nil
}

// variable makes an input node of the model's element type; value may be nil.
func (b *build) variable(name string, s tensor.Shape, value *tensor.Dense) (*gorgonia.Node, error) {
	return b.variableOf(b.cfg.Dtype, name, s, value)
}

func (b *build) variableOf(dt tensor.Dtype, name string, s tensor.Shape, value *tensor.Dense) (*gorgonia.Node, error) {
	name = b.prefix + name
	opts := []gorgonia.NodeConsOpt{gorgonia.WithShape(s...), gorgonia.WithName(name)}
	if value != nil {
		opts = append(opts, gorgonia.WithValue(value))
	}
	n := gorgonia.NewTensor(b.net.Graph, dt, len(s), opts...)
	if n.Name() != name {
		return nil, b.model.fail(ErrArgument, "rename the layer", "the graph merged %q with its node %q", name, n.Name())
	}
	return n, nil
}
