package nn

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// BuildConfig says how a model becomes a graph. The zero value builds for inference, with the Input layer's batch size.
type BuildConfig struct {
	// Batch is the number of samples; 0 means that of Input, else the one the Input layer fixes.
	Batch int
	// Training selects batch statistics and dropout.
	Training bool
	// Dtype is the type of all computed values; the zero value means the weights', else float32. It must be the
	// weights' type; see Model.Clone for another.
	Dtype tensor.Dtype
	// Input is the node of the images, shape (Batch, …sample); nil has Build make one, named like the Input layer.
	Input *gorgonia.Node
	// Inputs are the nodes of the inputs of a model of several, in the order of [Model.Inputs]; Build makes those that are nil, and
	// all if there are none. Input is the first one where Inputs does not say it.
	Inputs gorgonia.Nodes
	// Step is an Int scalar that counts the training steps, from which dropout draws; nil has Build make one named
	// "step" when it is needed.
	Step *gorgonia.Node
	// Seed is the seed of dropout.
	Seed uint64
	// ShapesOnly leaves the weights' nodes without values, for planning and printing; the weights need none either.
	ShapesOnly bool
}

// Build adds the model to a Gorgonia graph. It may be called for any number of graphs, batch sizes and modes; the
// weights' memory is shared by all of them. g may be nil when cfg.Input, or one of cfg.Inputs, is given.
//
// Nodes are called like the layers ("block1_conv1") and weights ("block1_conv1/kernel"). Where the graph has such names
// already, all names of this build get the model's name in front ("VGG-16/block1_conv1", then "VGG-16_1/…"). A model
// that is built twice in one graph shares the nodes of its weights there.
//
// Mistakes are *[Error]; a graph in which Build failed may keep some of its nodes.
func (m *Model) Build(g *gorgonia.ExprGraph, cfg BuildConfig) (*Net, error) {
	b, err := m.newBuild(g, cfg)
	if err != nil {
		return nil, err
	}
	for _, c := range m.calls {
		if err := b.layer(c); err != nil {
			return nil, err
		}
	}
	if err := b.penalty(); err != nil {
		return nil, err
	}
	net := b.net
	for _, out := range m.outputs {
		y := b.done[out]
		logits := y
		if x := softmaxInput(y); x != nil {
			logits = x
		}
		net.Outputs, net.AllLogits = append(net.Outputs, y), append(net.AllLogits, logits)
	}
	net.Output, net.Logits = net.Outputs[0], net.AllLogits[0]
	return net, nil
}

// build is the state of one call of Build.
type build struct {
	model   *Model
	cfg     BuildConfig
	net     *Net
	prefix  string
	params  map[*Weight]*gorgonia.Node
	inputs  gorgonia.Nodes // of the model's inputs; nil for those that are to be made
	done    map[result]*gorgonia.Node
	fixed   map[string]*gorgonia.Node         // values of layers that are no weights, by name
	updated map[*gorgonia.Node]*gorgonia.Node // of weights, what the calls so far have them become
	random  uint32                            // layers that draw random numbers so far
	batch   int
}

func (m *Model) fail(kind error, remedy, format string, args ...any) error {
	return &Error{Kind: kind, Class: "Model", Layer: m.name, Problem: fmt.Sprintf(format, args...), Remedy: remedy}
}

func (m *Model) newBuild(g *gorgonia.ExprGraph, cfg BuildConfig) (*build, error) {
	if m.empty() {
		return nil, noModel("Build")
	}
	inputs, err := m.givenInputs(cfg)
	if err != nil {
		return nil, err
	}
	for _, x := range inputs {
		if g == nil && x != nil {
			g = x.Graph()
		}
	}
	if g == nil {
		return nil, m.fail(ErrNilTensor, "pass gorgonia.NewGraph() or a BuildConfig.Input", "Build got no graph")
	}
	for _, x := range inputs {
		if x != nil && x.Graph() != g {
			return nil, m.fail(ErrForeignTensor, "make the input with the graph that is passed to Build", "the input node %q is in another graph", x.Name())
		}
	}
	if s := cfg.Step; s != nil && (s.Graph() != g || !s.IsScalar() || dtypeOf(s) != tensor.Int) {
		return nil, m.fail(ErrArgument, "use gorgonia.NewScalar(g, tensor.Int, gorgonia.WithName(…))",
			"BuildConfig.Step %q must be an Int scalar of the same graph", s.Name())
	}
	b := &build{model: m, cfg: cfg, net: &Net{Graph: g, Step: cfg.Step}, inputs: inputs, params: map[*Weight]*gorgonia.Node{}, done: map[result]*gorgonia.Node{},
		fixed: map[string]*gorgonia.Node{}, updated: map[*gorgonia.Node]*gorgonia.Node{}}
	if err := b.resolve(); err != nil {
		return nil, err
	}
	b.choosePrefix()
	return b, b.leaves()
}

// givenInputs lists the nodes that a configuration has for the inputs, nil where it has none.
func (m *Model) givenInputs(cfg BuildConfig) (gorgonia.Nodes, error) {
	inputs := make(gorgonia.Nodes, len(m.inputs))
	if n := len(cfg.Inputs); n > 0 && n != len(inputs) {
		return nil, m.fail(ErrArgument, "give one for each input, in the order of Model.Inputs; Build makes those that are nil",
			"BuildConfig.Inputs has %d nodes, the model has %d inputs", n, len(inputs))
	}
	copy(inputs, cfg.Inputs)
	switch x := cfg.Input; {
	case x == nil:
	case inputs[0] == nil:
		inputs[0] = x
	case inputs[0] != x:
		return nil, m.fail(ErrArgument, "give one of them", "BuildConfig.Input is %q and the first of BuildConfig.Inputs %q", x.Name(), inputs[0].Name())
	}
	return inputs, nil
}

// resolve settles batch size and element type.
func (b *build) resolve() error {
	m := b.model
	have, initialized := m.Dtype()
	if !initialized && len(m.weights) > 0 && !b.cfg.ShapesOnly {
		return m.fail(ErrUninitialized, "call Initialize(seed, tensor.Float32) first, or set BuildConfig.ShapesOnly", "its weights have no values")
	}
	if b.cfg.Dtype == (tensor.Dtype{}) {
		b.cfg.Dtype = tensor.Float32
		if initialized {
			b.cfg.Dtype = have
		} else if i := slices.IndexFunc(m.inputs, func(in *call) bool { return !in.takesIndices() }); i >= 0 && b.inputs[i] != nil {
			b.cfg.Dtype = dtypeOf(b.inputs[i])
		}
	}
	dt := b.cfg.Dtype
	if dt != tensor.Float32 && dt != tensor.Float64 {
		return m.fail(ErrArgument, "use tensor.Float32 or tensor.Float64", "Dtype %v is not supported", dt)
	}
	if initialized && !b.cfg.ShapesOnly {
		for _, w := range m.weights {
			if w.Value == nil {
				return m.fail(ErrUninitialized, "call Initialize first", "weight %q has no value", w.Name)
			}
			if w.Value.Dtype() != dt || !Shape(w.Value.Shape()).equal(Shape(w.Shape)) {
				return m.fail(ErrArgument, fmt.Sprintf("build model.Clone(tensor.%v), or set its Value right", title(dt)),
					"Build wants weight %q as %v of shape %v, it is %v of shape %v", w.Name, dt, w.Shape, w.Value.Dtype(), w.Value.Shape())
			}
		}
	}
	b.batch = b.cfg.Batch
	for _, x := range b.inputs {
		if x == nil {
			continue
		}
		if len(x.Shape()) != x.Dims() {
			return m.fail(ErrShape, "make it with gorgonia.WithShape(batch, …)", "the input node %q has no shape", x.Name())
		}
		if b.batch == 0 && x.Dims() > 0 {
			b.batch = x.Shape()[0]
		}
	}
	if b.batch == 0 {
		b.batch = m.Batch()
	}
	if b.batch < 1 {
		return m.fail(ErrArgument, "set BuildConfig.Batch", "Build wants a batch size of at least 1, got %d", b.batch)
	}
	for i, x := range b.inputs {
		if x == nil {
			continue
		}
		in := m.inputs[i]
		which := "an input"
		if len(b.inputs) > 1 {
			which = fmt.Sprintf("input %d, %q,", i, in.name)
		}
		want := append(Shape{b.batch}, in.shapes[0]...)
		if !Shape(x.Shape()).equal(want) {
			return m.fail(ErrShape, fmt.Sprintf("input %s from %q; give it that shape, or describe the model for this one", shape.Format(x.Shape()), x.Name()),
				"wants %s of shape %s, got %s", which, shape.Format(tensor.Shape(want)), shape.Format(x.Shape()))
		}
		if want := b.inputDtype(in); dtypeOf(x) != want {
			return m.fail(ErrArgument, "convert the input, or Clone the model", "wants %s of %v, %q is %v", which, want, x.Name(), x.Type())
		}
	}
	return nil
}

// takesIndices says whether an input is of integers.
func (n *node) takesIndices() bool {
	in, ok := n.layer.(Input)
	return ok && in.Dtype == tensor.Int
}

// inputDtype is the element type of an input's node.
func (b *build) inputDtype(in *call) tensor.Dtype {
	if in.takesIndices() {
		return tensor.Int
	}
	return b.cfg.Dtype
}

// dtypeOf is the type of a node's elements, or the zero Dtype where it has none; Node.Dtype panics there.
func dtypeOf(n *gorgonia.Node) tensor.Dtype {
	t := n.Type()
	if tt, ok := t.(gorgonia.TensorType); ok {
		t = tt.Of
	}
	dt, _ := t.(tensor.Dtype)
	return dt
}

func title(dt tensor.Dtype) string {
	if dt == tensor.Float64 {
		return "Float64"
	}
	return "Float32"
}

// layer adds the nodes of a layer in one of its places.
func (b *build) layer(n *call) error {
	if _, ok := n.layer.(Input); ok {
		return nil // its node is there already
	}
	c := &Context{Training: b.cfg.Training, Frozen: n.frozen, Format: n.format, OutputShape: n.shapes[0].clone(), build: b, call: n,
		first: len(b.net.Graph.AllNodes())}
	for _, in := range n.inputs {
		c.Inputs = append(c.Inputs, b.done[in])
		c.InputShapes = append(c.InputShapes, in.shape().clone())
	}
	y := n.layer.Apply(c)
	if c.err == nil && y == nil {
		c.Fail(badArgument("", "Apply returned no node"))
	}
	if c.err == nil {
		if want := append(Shape{b.batch}, n.shapes[0]...); !Shape(y.Shape()).equal(want) {
			c.Fail(badShape("make Infer and Apply of this layer agree", "Infer promised %s, Apply made %s",
				shape.Format(tensor.Shape(want)), shape.Format(y.Shape())))
		}
	}
	if c.err != nil {
		return c.err
	}
	c.commit()
	if _, nested := n.layer.(*Model); !nested {
		c.name(y)
		b.done[n.first()] = y
		return nil
	}
	for i, out := range c.results { // whose layers have given them their names
		b.done[result{n, i}] = out
	}
	return nil
}

// penalty sums the penalties of the regularized weights.
func (b *build) penalty() error {
	var sum *gorgonia.Node
	for _, p := range b.net.Params {
		r := present(p.Weight.Regularizer)
		if r == nil {
			continue
		}
		term, err := r.Penalty(p.Node)
		if err != nil {
			return err
		}
		if sum == nil {
			sum = term
		} else if sum, err = op.Apply(&op.Add{}, sum, term); err != nil {
			return err
		}
	}
	b.net.Penalty = sum
	return nil
}
