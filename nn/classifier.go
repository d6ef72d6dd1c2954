package nn

import "fmt"

// Classifier returns the name of the layer that makes the scores of the classes, as [Model.SetTrainable] takes it: the last one with
// weights, a Dense or a Conv2D of 1×1, behind which there are only layers that move or squash what it returns. In a nested model its name stands behind that
// of the model. A model that does not end so, or has several outputs, is an *[Error].
func (m *Model) Classifier() (string, error) {
	if m.empty() {
		return "", noModel("Classifier")
	}
	chain, err := m.classifier()
	if err != nil {
		return "", err
	}
	n := chain[0]
	inner, ok := n.layer.(*Model)
	if !ok {
		return n.name, nil
	}
	name, err := inner.Classifier()
	return n.name + "/" + name, err
}

// classifier lists the layers from the classifier, or the nested model that has it, to the output.
func (m *Model) classifier() ([]*call, error) {
	if len(m.outputs) != 1 {
		return nil, m.fail(ErrArgument, "name layers yourself", "has %d outputs; which of them are scores of classes cannot be told", len(m.outputs))
	}
	var chain []*call
	for n := m.outputs[0].call; ; n = n.inputs[0].call {
		chain = append([]*call{n}, chain...)
		if calls := len(m.places[n.node]); calls > 1 {
			return nil, m.fail(ErrArgument, "name layers yourself", "its classifier cannot be told: the %s %q, near its end, is applied %d times", n.class, n.name, calls)
		}
		switch l := n.layer.(type) {
		case Dense:
			return chain, nil
		case Conv2D:
			if l.Kernel == K(1) && l.Groups <= 1 {
				return chain, nil
			}
		case *Model:
			if len(n.inputs) == 1 && len(l.weights) > 0 {
				_, err := l.classifier()
				return chain, err
			}
		case Activation, SoftmaxLayer, Flatten, Reshape, Permute, Dropout, IdentityLayer, GlobalAveragePooling2D, GlobalMaxPooling2D:
			if len(n.inputs) == 1 {
				continue
			}
		}
		return nil, m.fail(ErrArgument, "a classifier is a Dense or a Conv2D of 1×1, and behind it are an activation, a pooling, a Flatten or a Reshape at most; cut it off with Until and add one",
			"its classifier cannot be told: the %s %q is behind it, or in its place", n.class, n.name)
	}
}

// WithClasses returns the model whose classifier, the layer that Classifier names, makes scores of another number of classes. It has no
// values, and is not frozen; all layers before it are shared with m, with their weights. Names stay. Give values to it with [Model.InitializeRest].
func (m *Model) WithClasses(classes int) (*Model, error) {
	if m.empty() {
		return nil, noModel("WithClasses")
	}
	chain, err := m.classifier()
	if err != nil {
		return nil, err
	}
	before := chain[0].inputs
	old := chain[0].shapes[0]
	had := old[len(old)-1]
	if c, ok := chain[0].layer.(Conv2D); ok {
		had = c.Filters
	}
	layers := make([]Layer, len(chain))
	for i, n := range chain {
		if layers[i], err = withClasses(n.layer, had, classes); err != nil {
			return nil, err
		}
	}
	return m.ending(chain, layers, before)
}

// withClasses is a layer of the row that a classifier begins, for another number of classes.
func withClasses(l Layer, had, classes int) (Layer, error) {
	switch l := l.(type) {
	case Dense:
		l.Units = classes
		return l, nil
	case Conv2D:
		l.Filters = classes
		return l, nil
	case *Model:
		return l.WithClasses(classes)
	case Reshape:
		l.Target = l.Target.clone()
		for i, d := range l.Target {
			if d == had {
				l.Target[i] = classes
			}
		}
		return l, nil
	}
	return l, nil
}

// EndsWithScores says whether the model returns what its classifier computes as it is, for which a softmax is missing, or behind no more than a ReLU, as
// SqueezeNet, or a LogSoftmax, whose softmax are the probabilities. Of a model whose classifier cannot be told it is false.
func (m *Model) EndsWithScores() bool {
	if m.empty() {
		return false
	}
	chain, err := m.classifier()
	if err != nil {
		return false
	}
	scores := func(f Nonlinearity) bool { return f == "" || f == Linear || f == ReLU || f == LogSoftmax }
	for _, n := range chain {
		switch l := n.layer.(type) {
		case Dense:
			if !scores(l.Activation) {
				return false
			}
		case Conv2D:
			if !scores(l.Activation) {
				return false
			}
		case *Model:
			if !l.EndsWithScores() {
				return false
			}
		case Activation:
			if !scores(l.Func) {
				return false
			}
		case SoftmaxLayer:
			return false
		}
	}
	return true
}

// WithSoftmax returns the model with a softmax behind its output, an Activation of its own. All else is shared with m.
func (m *Model) WithSoftmax() (*Model, error) {
	if m.empty() {
		return nil, noModel("WithSoftmax")
	}
	if len(m.outputs) != 1 {
		return nil, m.fail(ErrArgument, "build it with a Builder", "has %d outputs; a softmax goes behind one", len(m.outputs))
	}
	names := map[string]bool{}
	for _, n := range m.layers {
		names[n.name] = true
	}
	name := "softmax"
	for i := 1; names[name]; i++ {
		name = fmt.Sprintf("softmax_%d", i)
	}
	l := Activation{Func: Softmax, Name: name}
	last := m.outputs[0]
	return m.ending([]*call{{node: &node{name: name, class: "Activation", format: last.format}}}, []Layer{l}, []result{last})
}

// ending is the model that ends with a row of layers, named as those are that may stand in their place, behind others of m.
func (m *Model) ending(chain []*call, layers []Layer, before []result) (*Model, error) {
	b := NewBuilder(m.name)
	for i, c := range chain {
		twin := &call{node: &node{name: c.name, class: c.class, layer: layers[i], format: c.format, made: c.made, frozen: c.frozen && i > 0}, inputs: before, site: c.site}
		if err := b.infer(twin); err != nil {
			return nil, b.complete(err, twin)
		}
		twin.calls = 1
		before = []result{twin.first()}
	}
	if out := m.outputs[0]; len(chain) > 0 && out.call == chain[len(chain)-1] {
		before[0].index = out.index
	}
	to := &Model{name: m.name, format: m.format, sequential: m.sequential, inputs: m.inputs, outputs: before}
	to.arrange()
	if err := to.checkNames(); err != nil { // a nested model that was replaced here stands within another, too
		return nil, err
	}
	return to, nil
}
