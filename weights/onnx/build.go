package onnx

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// BuildConfig says how a graph is built. The zero value builds for inference with the sizes that the file fixes.
type BuildConfig struct {
	// Batch is the size of the inputs' first axis; 0 means what the file says.
	Batch int
	// Dims are sizes of further open axes, by their names in the file.
	Dims map[string]int
	// Shapes are whole shapes of inputs, by their names; they take precedence.
	Shapes map[string][]int
	// Inputs are nodes to use as inputs, by the inputs' names; the others are made.
	Inputs map[string]*gorgonia.Node
	// Constants are inputs that are fixed when the graph is built, such as the target of a reshape; their Data is []float32, []float64 or
	// []int64.
	Constants map[string]weights.Tensor
	// Outputs are names of values to return instead of the graph's outputs, such as the features in front of a classifier.
	Outputs []string
	// Training turns on dropout. Batch normalization keeps the statistics of the file; see [Graph.Model] for a model in which they move.
	Training bool
	Seed     uint64         // of dropout
	Step     *gorgonia.Node // Int scalar that counts training steps; nil has Build make one where it is needed
	// Dtype is the type of all computed values, tensor.Float32 or tensor.Float64; by default the latter for a file whose inputs are
	// doubles, the former for all others.
	Dtype tensor.Dtype
	// MaxConstants bounds the bytes of folded constants; 0 means 256 MiB and 16 times the size of the file.
	MaxConstants int64

	dry bool // weights have no values: only shapes are of interest
}

// Net is a model in a Gorgonia graph.
type Net struct {
	Graph           *gorgonia.ExprGraph
	Inputs, Outputs gorgonia.Nodes
	// Params are the weights and their nodes. All graphs that are built from a Graph in one Dtype share the weights' memory.
	Params []nn.Param
	// Step is the Int scalar that dropout needs, nil when nothing is random.
	Step *gorgonia.Node
}

// Trainable returns the nodes to differentiate by.
func (n *Net) Trainable() gorgonia.Nodes {
	var out gorgonia.Nodes
	for _, p := range n.Params {
		if p.Weight.Trainable {
			out = append(out, p.Node)
		}
	}
	return out
}

// Build adds the model to a Gorgonia graph. Floats of all widths are computed in one type; initializers that operations train, such as
// the kernels of convolutions, become trainable weights. Mistakes are *[GraphError] and *[UnsupportedError].
func (g *Graph) Build(to *gorgonia.ExprGraph, cfg BuildConfig) (*Net, error) {
	if cfg.Dtype == (tensor.Dtype{}) {
		cfg.Dtype = g.defaultDtype()
	}
	if cfg.Dtype != tensor.Float32 && cfg.Dtype != tensor.Float64 {
		return nil, &GraphError{Path: g.path, Problem: fmt.Sprintf("Dtype %v is not supported", cfg.Dtype), Remedy: "use tensor.Float32 or tensor.Float64"}
	}
	if to == nil {
		return nil, &GraphError{Path: g.path, Problem: "Build got no graph", Remedy: "pass gorgonia.NewGraph()"}
	}
	net, e, outputs, err := g.build(to, cfg)
	if err != nil {
		return nil, withPath(err, g.path)
	}
	for _, name := range outputs {
		n, err := e.output(name)
		if err != nil {
			return nil, withPath(err, g.path)
		}
		net.Outputs = append(net.Outputs, n)
	}
	return net, nil
}

// defaultDtype is Float64 for doubles.
func (g *Graph) defaultDtype() tensor.Dtype {
	for _, in := range g.Inputs {
		if in.Type == elemDouble.String() {
			return tensor.Float64
		}
	}
	return tensor.Float32
}

// build computes all values and returns the names of those that are wanted.
func (g *Graph) build(to *gorgonia.ExprGraph, cfg BuildConfig) (*Net, *evaluator, []string, error) {
	b := newBuild(g, to, cfg)
	values := map[string]*value{}
	for _, in := range g.Inputs {
		v, err := b.input(in)
		if err != nil {
			return nil, nil, nil, err
		}
		values[in.Name] = v
	}
	outputs := cfg.Outputs
	if outputs == nil {
		for _, out := range g.Outputs {
			outputs = append(outputs, out.Name)
		}
	}
	var train *training
	if cfg.Training {
		train = &training{b.random}
	}
	var l leaves = b
	if cfg.dry {
		l = &dry{g: to, params: map[weightKey]*gorgonia.Node{}}
	}
	e := g.evaluator(l, values, train, cfg.MaxConstants)
	return b.net, e, outputs, e.run(g.nodes)
}

// build makes the leaves of a graph; it is the leaves of Build.
type build struct {
	g      *Graph
	cfg    BuildConfig
	net    *Net
	names  map[string]bool                  // of the graph's nodes
	bound  map[*tensor.Dense]*gorgonia.Node // leaves by value
	params map[weightKey]*gorgonia.Node
	drawn  uint32
}

func newBuild(g *Graph, to *gorgonia.ExprGraph, cfg BuildConfig) *build {
	b := &build{g: g, cfg: cfg, net: &Net{Graph: to, Step: cfg.Step}, names: map[string]bool{}, bound: map[*tensor.Dense]*gorgonia.Node{},
		params: map[weightKey]*gorgonia.Node{}}
	for _, n := range to.AllNodes() {
		b.names[n.Name()] = true
		if d, ok := n.Value().(*tensor.Dense); ok && n.Op() == nil {
			b.bound[d] = n
		}
	}
	return b
}

// unique returns a name that no node of the graph has: Gorgonia merges leaves of one name.
func (b *build) unique(name string) string {
	at := name
	for i := 1; b.names[at]; i++ {
		at = fmt.Sprintf("%s_%d", name, i)
	}
	b.names[at] = true
	return at
}

// leaf makes a node without inputs; v may be nil.
func (b *build) leaf(name string, s []int, v gorgonia.Value, dt tensor.Dtype) *gorgonia.Node {
	opts := []gorgonia.NodeConsOpt{gorgonia.WithName(b.unique(name))}
	if len(s) == 0 {
		if d, ok := v.(*tensor.Dense); ok {
			switch x := d.ScalarValue().(type) {
			case float32:
				v = gorgonia.NewF32(x)
			case float64:
				v = gorgonia.NewF64(x)
			case int:
				v = gorgonia.NewI(x)
			}
		}
		if v != nil {
			opts = append(opts, gorgonia.WithValue(v))
		}
		return gorgonia.NewScalar(b.net.Graph, dt, opts...)
	}
	opts = append(opts, gorgonia.WithShape(s...))
	if v != nil {
		opts = append(opts, gorgonia.WithValue(v))
	}
	return gorgonia.NewTensor(b.net.Graph, dt, len(s), opts...)
}

// input returns the value of an input of the graph.
func (b *build) input(in Value) (*value, error) {
	if k, ok := b.cfg.Constants[in.Name]; ok {
		a, err := fromTensor(k)
		if err != nil {
			return nil, &GraphError{Node: fmt.Sprintf("input %q", in.Name), Problem: err.Error()}
		}
		return &value{fixed: a, shape: a.shape}, nil
	}
	fail := func(remedy, format string, args ...any) (*value, error) {
		return nil, &GraphError{Node: fmt.Sprintf("input %q", in.Name), Problem: fmt.Sprintf(format, args...), Remedy: remedy}
	}
	if n := b.cfg.Inputs[in.Name]; n != nil {
		if n.Graph() != b.net.Graph {
			return fail("", "the node %q belongs to another graph", n.Name())
		}
		b.net.Inputs = append(b.net.Inputs, n)
		return &value{node: n, shape: n.Shape().Clone()}, nil
	}
	s, err := in.resolve(b.cfg.Batch, b.cfg.Dims, b.cfg.Shapes)
	if err != nil {
		return nil, err
	}
	if e := elemOf(in.Type); !e.isFloat() {
		return fail("pass its value as one of Constants", "is %s; only inputs of floats are computed with", in.Type)
	}
	n := b.leaf(in.Name, s, nil, b.cfg.Dtype)
	b.net.Inputs = append(b.net.Inputs, n)
	return &value{node: n, shape: s}, nil
}

func elemOf(name string) elemType {
	for e, t := range elemTypes {
		if t.name == name {
			return e
		}
	}
	return 0
}

// resolve returns the shape of an input, all sizes known.
func (v Value) resolve(batch int, dims map[string]int, shapes map[string][]int) ([]int, error) {
	fail := func(remedy, format string, args ...any) ([]int, error) {
		return nil, &GraphError{Node: fmt.Sprintf("input %q", v.Name), Problem: fmt.Sprintf(format, args...), Remedy: remedy}
	}
	s, given := shapes[v.Name]
	switch {
	case given:
		if v.Dims != nil && len(s) != len(v.Dims) {
			return fail("", "has %d axes in the file, Shapes says %v", len(v.Dims), s)
		}
	case v.Dims == nil:
		return fail("give it in BuildConfig.Shapes", "has no shape in the file")
	default:
		for i, d := range v.Dims {
			n := d.Size
			switch {
			case i == 0 && batch > 0:
				n = batch
			case n >= 0:
			case d.Param != "" && dims[d.Param] > 0:
				n = dims[d.Param]
			case i == 0:
				return fail("set BuildConfig.Batch", "has an open first axis, %q", d.String())
			default:
				return fail(fmt.Sprintf("set BuildConfig.Dims[%q], or Shapes", d.Param), "has an open axis %d, %q", i, d.String())
			}
			s = append(s, n)
		}
	}
	for i, d := range s {
		if d < 1 || d > maxSize {
			return fail("", "has the size %d on axis %d", d, i)
		}
	}
	if _, ok := product(s); !ok {
		return fail("", "of shape %v is too large", s)
	}
	return slices.Clone(s), nil
}

// fromTensor makes a constant of a tensor.
func fromTensor(t weights.Tensor) (*array, error) {
	a := &array{shape: slices.Clone(t.Shape)}
	switch x := t.Data.(type) {
	case []float32:
		a.elem, a.f32 = elemFloat, x
	case []float64:
		a.elem, a.f64 = elemDouble, x
	case []int64:
		a.elem, a.i64 = elemInt64, x
	default:
		return nil, fmt.Errorf("constants must be []float32, []float64 or []int64, is %T", x)
	}
	if n, ok := product(t.Shape); !ok || n != a.len() {
		return nil, fmt.Errorf("%d elements don't make the shape %v", a.len(), t.Shape)
	}
	return a, nil
}

// weight implements leaves.
func (b *build) weight(key weightKey, s []int, trainable bool, values func() (*array, error)) (*gorgonia.Node, error) {
	if n := b.params[key]; n != nil {
		return n, nil
	}
	w := b.g.weights[key]
	if w == nil || w.Value.Dtype() != b.cfg.Dtype {
		a, err := values()
		if err != nil {
			return nil, err
		}
		w = &nn.Weight{Name: key.String(), Shape: slices.Clone(tensor.Shape(s)), Trainable: trainable, Value: dense(a, b.cfg.Dtype)}
		b.g.weights[key] = w
	}
	n := b.bound[w.Value]
	if n == nil {
		n = b.leaf(w.Name, s, w.Value, b.cfg.Dtype)
	}
	b.params[key] = n
	b.net.Params = append(b.net.Params, nn.Param{Weight: w, Node: n})
	return n, nil
}

// String is the weight's name.
func (k weightKey) String() string { return k.name }

// constant implements leaves.
func (b *build) constant(name string, a *array) (*gorgonia.Node, error) {
	return b.leaf(name, a.shape, dense(a, b.cfg.Dtype), denseType(a, b.cfg.Dtype)), nil
}

// random hands out what dropouts draw from.
func (b *build) random() (seed uint64, stream uint32, step *gorgonia.Node) {
	if b.net.Step == nil {
		b.net.Step = gorgonia.NewScalar(b.net.Graph, tensor.Int, gorgonia.WithName(b.unique("step")))
	}
	b.drawn++
	return b.cfg.Seed, b.drawn - 1, b.net.Step
}

func denseType(a *array, dt tensor.Dtype) tensor.Dtype {
	if a.i64 != nil {
		return tensor.Int
	}
	return dt
}

// dense makes a tensor of its own of floats in type dt, or of integers as int.
func dense(a *array, dt tensor.Dtype) *tensor.Dense {
	n := a.len()
	var data any
	switch {
	case a.i64 != nil:
		list := make([]int, n)
		for i, v := range a.i64 {
			list[i] = int(v)
		}
		data = list
	case dt == tensor.Float64:
		list := make([]float64, n)
		for i := range list {
			list[i] = a.at(i)
		}
		data = list
	case a.f32 != nil:
		data = slices.Clone(a.f32)
	default:
		list := make([]float32, n)
		for i := range list {
			list[i] = float32(a.f64[i])
		}
		data = list
	}
	if len(a.shape) == 0 {
		switch x := data.(type) {
		case []float32:
			return tensor.New(tensor.FromScalar(x[0]))
		case []float64:
			return tensor.New(tensor.FromScalar(x[0]))
		case []int:
			return tensor.New(tensor.FromScalar(x[0]))
		}
	}
	return tensor.New(tensor.WithShape(a.shape...), tensor.WithBacking(data))
}

// evaluator computes the values of a graph one after the other.
type evaluator struct {
	g      *Graph
	leaves leaves
	values map[string]*value
	train  *training
	budget int64
	absent map[string]string // results that operations don't make, and by whom
	outer  *evaluator        // of the graph around this one
}

func (g *Graph) evaluator(l leaves, values map[string]*value, train *training, budget int64) *evaluator {
	if budget <= 0 {
		budget = 256<<20 + 16*g.size
	}
	return &evaluator{g: g, leaves: l, values: values, train: train, budget: budget, absent: map[string]string{}}
}

// run computes nodes in their order.
func (e *evaluator) run(nodes []*nodeProto) error {
	if err := e.g.Unsupported(); err != nil {
		return err
	}
	for _, n := range nodes {
		if err := e.node(n); err != nil {
			return err
		}
	}
	return nil
}

// lookup returns a value by name, initializers too; nil for "".
func (e *evaluator) lookup(name string) (*value, error) {
	if name == "" {
		return nil, nil
	}
	if v := e.values[name]; v != nil {
		return v, nil
	}
	if e.outer != nil {
		return e.outer.lookup(name)
	}
	if t := e.g.initial[name]; t != nil {
		v := &value{stored: t, name: name, shape: ints(t.dims)}
		e.values[name] = v
		return v, nil
	}
	if by := e.absent[name]; by != "" {
		return nil, &GraphError{Node: by, Problem: fmt.Sprintf("its result %q is not supported", name)}
	}
	return nil, &GraphError{Problem: fmt.Sprintf("there is no value %q", name)}
}

func (e *evaluator) node(n *nodeProto) error {
	o, known := operators[n.fullType()]
	if !known { // in a branch
		return &UnsupportedError{Ops: map[string]int{n.fullType(): 1}}
	}
	c := &call{node: n, scope: e, version: e.g.Opset, leaves: e.leaves, folder: e.g.folder, budget: &e.budget, train: e.train, read: map[string]bool{},
		out: make([]*value, len(n.outputs))}
	folds := o.fold != nil
	for i, name := range n.inputs {
		v, err := e.lookup(name)
		if err != nil {
			return err
		}
		c.in = append(c.in, v)
		folds = folds && c.isFixed(i)
	}
	for len(c.in) > 0 && c.in[len(c.in)-1] == nil {
		c.in = c.in[:len(c.in)-1]
	}
	if folds {
		c.fix(o.fold(c))
	} else {
		o.lower(c)
	}
	c.unread()
	if c.err != nil {
		return c.err
	}
	for i, name := range n.outputs {
		switch v := c.out[i]; {
		case name == "":
		case v == nil:
			e.absent[name] = n.String()
		default:
			e.values[name] = v
			if v.node != nil && v.node.Op() != nil && i == 0 && !isAny(c.in, v.node) {
				gorgonia.WithName(name)(v.node)
			}
		}
	}
	return nil
}

// branch computes a graph inside a node, which sees the values around it and whose results they become.
func (e *evaluator) branch(g *graphProto) ([]*value, error) {
	inner := &evaluator{g: e.g, leaves: e.leaves, values: map[string]*value{}, train: e.train, budget: e.budget, absent: e.absent, outer: e}
	for _, t := range g.initializers {
		if err := t.check(); err != nil {
			return nil, err
		}
		inner.values[t.name] = &value{stored: t, name: t.name, inNode: true, shape: ints(t.dims)}
	}
	for _, n := range g.nodes {
		if err := inner.node(n); err != nil {
			return nil, err
		}
	}
	e.budget = inner.budget
	var out []*value
	for _, v := range g.outputs {
		x, err := inner.lookup(v.name)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// isAny says whether a node is one of the inputs, handed on.
func isAny(in []*value, n *gorgonia.Node) bool {
	return slices.ContainsFunc(in, func(v *value) bool { return v != nil && v.node == n })
}

// output returns a value as a node.
func (e *evaluator) output(name string) (*gorgonia.Node, error) {
	v, err := e.lookup(name)
	if err != nil {
		return nil, err
	}
	if v != nil && v.node != nil {
		return v.node, nil
	}
	c := &call{node: &nodeProto{opType: "Output", name: name, inputs: []string{name}}, in: []*value{v}, leaves: e.leaves, folder: e.g.folder, budget: &e.budget}
	n := c.x(0)
	return n, c.err
}
