package nn

import (
	"cmp"
	"fmt"
	"slices"

	"gorgonia.org/tensor"
)

// Port is an input or an output of a model.
type Port struct {
	Name  string // of the layer that it is the result of: Keras's input_names and output_names
	Index int    // which result of that layer; 0 but for nested models of several outputs
	Call  int    // which call of that layer: Keras's node index; 0 but for layers that are applied several times
	Shape Shape  // of a sample
	// Dtype is tensor.Int for an input of integers, see [Input]; the zero value means the element type of the model's weights.
	Dtype tensor.Dtype
}

// Inputs describes the model's inputs, in their order.
func (m *Model) Inputs() []Port {
	if m.empty() {
		return nil
	}
	ports := make([]Port, len(m.inputs))
	for i, in := range m.inputs {
		ports[i] = in.first().port()
	}
	return ports
}

// Outputs describes the model's outputs, in their order.
func (m *Model) Outputs() []Port {
	if m.empty() {
		return nil
	}
	ports := make([]Port, len(m.outputs))
	for i, r := range m.outputs {
		ports[i] = r.port()
	}
	return ports
}

func (r result) port() Port {
	p := Port{Name: r.name, Index: r.index, Call: r.number, Shape: r.shape().clone()}
	if r.takesIndices() {
		p.Dtype = tensor.Int
	}
	return p
}

// Model returns the model of the layers that lie between an input and an output of this builder, or the first mistake
// made with the builder. Layers that do not lead to the output are left out. Several models made with one builder share
// the weights of their common layers. For several inputs or outputs there is [Builder.Functional].
func (b *Builder) Model(input, output *Tensor) (*Model, error) {
	return b.model([]*Tensor{input}, []*Tensor{output}, true)
}

// Functional is [Builder.Model] for lists of inputs and outputs: Keras's Model(inputs=[…], outputs=[…]). As there, an input may be one that
// no output depends on, one tensor may be several outputs, and the order of layers and weights follows that of the outputs. Every input must be an
// Input layer's, and be listed once.
func (b *Builder) Functional(inputs, outputs []*Tensor) (*Model, error) {
	return b.model(inputs, outputs, false)
}

// model makes a model; where one input and one output are wanted, the output must depend on the input.
func (b *Builder) model(inputs, outputs []*Tensor, single bool) (*Model, error) {
	if b.err != nil {
		return nil, b.err
	}
	m, err := b.connect(inputs, outputs, single)
	if err != nil {
		e := err.(*Error)
		e.Site = callSite()
		b.err = e
		return nil, e
	}
	return m, nil
}

func (b *Builder) connect(inputs, outputs []*Tensor, single bool) (*Model, error) {
	fail := func(kind error, remedy, format string, args ...any) (*Model, error) {
		return nil, &Error{Kind: kind, Class: "Model", Layer: b.name, Problem: fmt.Sprintf(format, args...), Remedy: remedy}
	}
	m := &Model{name: b.name, format: b.DataFormat, sequential: b.Sequential}
	for _, ends := range []struct {
		what string
		list []*Tensor
	}{{"input", inputs}, {"output", outputs}} {
		if len(ends.list) == 0 {
			return fail(ErrNilTensor, "pass at least one tensor of each", "has no %ss", ends.what)
		}
		for i, t := range ends.list {
			what := "the " + ends.what
			if !single {
				what = fmt.Sprintf("%s %d", ends.what, i)
			}
			switch {
			case t == nil || t.builder == nil:
				return fail(ErrNilTensor, "pass what Builder.Input and Builder.Add returned", "%s is nil", what)
			case t.builder != b || t.call == nil:
				return fail(ErrForeignTensor, "describe the whole model with one builder",
					"%s, %q, belongs to another builder (model %q)", what, t.Layer(), t.builder.name)
			}
			if ends.what == "output" {
				m.outputs = append(m.outputs, t.result())
				continue
			}
			if _, ok := t.call.layer.(Input); !ok {
				return fail(ErrUnconnected, "pass the tensor that Builder.Input returned",
					"%s must come from an Input layer, comes from the %s %q", what, t.call.class, t.call.name)
			}
			if slices.Contains(m.inputs, t.call) {
				return fail(ErrArgument, "list each input once", "the input %q is listed twice", t.call.name)
			}
			m.inputs = append(m.inputs, t.call)
		}
	}
	for _, n := range m.inputs {
		if have := n.layer.(Input).Batch; have > 0 && have != m.Batch() {
			return fail(ErrArgument, "fix the same Batch, or none", "its inputs fix batches of %d and of %d samples", m.Batch(), have)
		}
	}
	m.arrange()
	for _, n := range m.calls {
		if len(n.inputs) > 0 || slices.Contains(m.inputs, n) {
			continue
		}
		for _, out := range m.outputs {
			if !slices.Contains(needs(out), n) {
				continue
			}
			if single {
				return fail(ErrUnconnected, fmt.Sprintf("build %q from the model's input, or list all inputs with Builder.Functional", out.name),
					"the output %q depends on %q, which is not the model's input %q", out.name, n.name, m.inputs[0].name)
			}
			return fail(ErrUnconnected, "list it too, or build the output from the inputs that are listed",
				"the output %q depends on %q, which is not one of the model's inputs", out.name, n.name)
		}
	}
	if in, out := m.inputs[0], m.outputs[0]; single && !slices.Contains(needs(m.outputs...), in) {
		return fail(ErrUnconnected, "check that each layer gets the result of the one before",
			"the output %q does not depend on the input %q", out.name, in.name)
	}
	if m.sequential && !m.isChain() {
		return fail(ErrArgument, "leave Sequential out, or add each layer behind the one before, and once", "a Sequential model must be a row of layers")
	}
	if err := m.checkNames(); err != nil {
		return nil, err
	}
	if m.steps > maxSteps {
		return fail(ErrArgument, "apply fewer models several times that apply models several times", "it applies layers %d times in all, those of nested models included; the most is %d", m.steps, maxSteps)
	}
	return m, nil
}

// maxSteps bounds how often a model applies layers in all, which models that apply models several times multiply.
const maxSteps = 1 << 20

// arrange finds the layers and calls of a model with these inputs and outputs, and its weights.
func (m *Model) arrange() {
	m.layers, m.calls = kerasOrder(m.inputs, m.outputs)
	m.places, m.steps = map[*node][]*call{}, 0
	for _, c := range m.calls {
		m.places[c.node] = append(m.places[c.node], c)
		m.steps++
		if inner, ok := c.layer.(*Model); ok {
			m.steps += inner.steps // at most maxSteps for each call: no overflow
		}
	}
	for _, calls := range m.places {
		slices.SortFunc(calls, func(a, b *call) int { return a.number - b.number })
	}
	m.addWeights(m.layers)
}

// needs lists the calls that lead to results.
func needs(outputs ...result) []*call {
	_, calls := kerasOrder(nil, outputs)
	return calls
}

// kerasOrder lists the layers that lead to the outputs, and the inputs, as Keras does: by falling distance from the outputs (the longest
// way counts, of all places of a layer the farthest), and among equals in the order in which depth-first walks from the outputs meet them. Inputs
// that no output depends on have no distance and come first among the last. Calls come in the order in which Keras computes them, which averages
// that move in each call show: by falling distance too, which is at least that of the layer's calls nearer to the outputs, and among
// equals in the order in which walks back from the outputs come upon them. Where each layer has one, they are in the order of the layers.
func kerasOrder(inputs []*call, outputs []result) (layers []*node, calls []*call) {
	met, seen, done := map[*node]int{}, map[*call]bool{}, []*call{}
	var walk func(c *call)
	walk = func(c *call) {
		if seen[c] {
			return
		}
		seen[c] = true
		if _, ok := met[c.node]; !ok {
			met[c.node] = len(met)
			layers = append(layers, c.node)
		}
		for _, in := range c.inputs {
			walk(in.call)
		}
		done = append(done, c)
	}
	for _, out := range outputs {
		walk(out.call)
	}
	depth, farthest := map[*call]int{}, map[*node]int{}
	reach := func(c *call, d int) {
		have, ok := depth[c]
		if !ok {
			calls = append(calls, c)
		}
		depth[c] = max(have, d)
	}
	for _, c := range slices.Backward(done) { // consumers before producers
		reach(c, farthest[c.node])
		farthest[c.node] = depth[c]
		for _, in := range c.inputs {
			reach(in.call, depth[c]+1)
		}
	}
	for i, in := range inputs {
		if _, ok := met[in.node]; !ok {
			met[in.node] = i - len(inputs)
			layers = append(layers, in.node)
			reach(in, 0)
		}
	}
	slices.SortFunc(layers, func(a, b *node) int {
		return cmp.Or(farthest[b]-farthest[a], met[a]-met[b])
	})
	if len(calls) == len(layers) {
		slices.SortFunc(calls, func(a, b *call) int {
			return cmp.Or(depth[b]-depth[a], met[a.node]-met[b.node])
		})
	} else {
		slices.SortStableFunc(calls, func(a, b *call) int { return depth[b] - depth[a] })
	}
	return layers, calls
}
