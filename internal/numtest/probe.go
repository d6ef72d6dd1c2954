package numtest

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// probe runs the function of a gradient check. Every run builds a graph of its own: slow, and free of state that one
// run could leave to the next.
type probe struct {
	build  Builder
	inputs []*tensor.Dense
	wrt    []int     // positions of the inputs that get gradients
	dy     []float64 // the upstream gradient, row-major in the result's shape
	scale  float64   // Σ|dy·y|, what rounding of f is relative to
}

// forward returns the function's result for the inputs, row-major.
func (p *probe) forward(inputs []*tensor.Dense) ([]float64, error) {
	g := gorgonia.NewGraph()
	_, y, err := p.graph(g, inputs)
	if err != nil {
		return nil, err
	}
	var v gorgonia.Value
	gorgonia.Read(y, &v)
	if err := runStock(g); err != nil {
		return nil, err
	}
	out, shape, err := values(v)
	if err == nil && !shape.Eq(y.Shape()) {
		err = fmt.Errorf("the result has shape %v, its node %v", shape, y.Shape())
	}
	return append([]float64(nil), out...), err
}

// along is the central difference of f = Σ dy·y on the line through the inputs; dir is by position in wrt.
func (p *probe) along(dir map[int][]float64, step float64) (float64, error) {
	var y [2][]float64
	for side, h := range [2]float64{step, -step} {
		moved := append([]*tensor.Dense(nil), p.inputs...)
		for k, d := range dir {
			at := p.wrt[k]
			x := append([]float64(nil), flat(p.inputs[at])...)
			for i := range x {
				x[i] += h * d[i]
			}
			moved[at] = dense(tensor.Float64, p.inputs[at].Shape(), x)
		}
		var err error
		if y[side], err = p.forward(moved); err != nil {
			return 0, err
		}
	}
	// Differences first: f itself may be large.
	df := 0.0
	for i, w := range p.dy {
		df += w * (y[0][i] - y[1][i])
	}
	return df / (2 * step), nil
}

// backward returns the symbolic gradients, one a differentiable input.
func (p *probe) backward() ([][]float64, error) {
	g := gorgonia.NewGraph()
	ins, y, err := p.graph(g, p.inputs)
	if err != nil {
		return nil, err
	}
	upstream, err := input(g, "numtest_dy", dense(tensor.Float64, y.Shape(), p.dy))
	if err != nil {
		return nil, err
	}
	var wrt gorgonia.Nodes
	for _, i := range p.wrt {
		wrt = append(wrt, ins[i])
	}
	nodes, err := gorgonia.Backpropagate(gorgonia.Nodes{y}, gorgonia.Nodes{upstream}, wrt)
	if err != nil {
		return nil, err
	}
	read := make([]gorgonia.Value, len(nodes))
	for k, n := range nodes {
		gorgonia.Read(n, &read[k])
	}
	if err := runStock(g); err != nil {
		return nil, err
	}
	grads := make([][]float64, len(nodes))
	for k, v := range read {
		data, shape, err := values(v)
		if err != nil {
			return nil, fmt.Errorf("input %d: %w", p.wrt[k], err)
		}
		if want := p.inputs[p.wrt[k]].Shape(); !shape.Eq(want) {
			return nil, fmt.Errorf("input %d: want a gradient of the input's shape %v, got %v", p.wrt[k], want, shape)
		}
		grads[k] = append([]float64(nil), data...)
	}
	return grads, nil
}

// graph builds the function over fresh copies of the inputs: Gorgonia's machine may change what it is given.
func (p *probe) graph(g *gorgonia.ExprGraph, inputs []*tensor.Dense) (gorgonia.Nodes, *gorgonia.Node, error) {
	ins := make(gorgonia.Nodes, len(inputs))
	for i, x := range inputs {
		var err error
		if ins[i], err = input(g, fmt.Sprintf("numtest_in%d", i), x.Clone().(*tensor.Dense)); err != nil {
			return nil, nil, err
		}
	}
	y, err := p.build(g, ins)
	if err == nil && y == nil {
		err = fmt.Errorf("the builder returned neither a node nor an error")
	}
	return ins, y, err
}

// input adds x to the graph as a named, bound input node.
func input(g *gorgonia.ExprGraph, name string, x *tensor.Dense) (*gorgonia.Node, error) {
	var n *gorgonia.Node
	var v any = x
	if x.Shape().IsScalar() {
		n = gorgonia.NewScalar(g, x.Dtype(), gorgonia.WithName(name))
		v = x.ScalarValue()
	} else {
		n = gorgonia.NewTensor(g, x.Dtype(), x.Dims(), gorgonia.WithShape(x.Shape()...), gorgonia.WithName(name))
	}
	return n, gorgonia.Let(n, v)
}

// runStock runs the graph once on Gorgonia's own machine. Compilation panics on some malformed graphs; that is a
// failure of the graph under test, not of the test program.
func runStock(g *gorgonia.ExprGraph) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the machine of Gorgonia panicked: %v", r)
		}
	}()
	m := gorgonia.NewTapeMachine(g)
	defer m.Close()
	return m.RunAll()
}

// flat returns the float64s of a dense tensor; a scalar's Data is the bare number.
func flat(x *tensor.Dense) []float64 {
	v, _, err := values(x)
	if err != nil {
		panic(err) // differentiable lets only float64 tensors through
	}
	return v
}
