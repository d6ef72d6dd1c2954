package train

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Arrays are samples in memory for a [Fitter]: of any kind, not only images with a class.
type Arrays struct {
	// Inputs and Targets hold one tensor for each input of the network and for each thing that it learns: (samples, …), float32 or int
	// (class numbers, indices of an embedding), row-major.
	Inputs, Targets []*tensor.Dense
	// Weights is how much each sample weighs in the loss, numbers of at least 0; nil where all weigh the same. Keras: sample_weight.
	Weights []float32
	// TargetWeights are instead of Weights those of each of Targets, where there are several: nil for one in whose loss all samples weigh the same. Keras:
	// sample_weight=[…].
	TargetWeights [][]float32
}

// Len is the number of samples.
func (a Arrays) Len() int {
	for _, t := range append(append([]*tensor.Dense(nil), a.Inputs...), a.Targets...) {
		if t != nil && t.Dims() > 0 {
			return t.Shape()[0]
		}
	}
	return 0
}

// check refuses arrays that do not go together. How many the network takes, fits knows: Predict wants no targets, and a Build may need none.
func (a Arrays) check(what string) error {
	wrong := func(name, problem, remedy string) error {
		return &ArgumentError{what + name, problem, remedy}
	}
	if len(a.Inputs) == 0 {
		return wrong("", "has no inputs", "give one tensor for each input and each target of the network")
	}
	n := a.Len()
	for _, g := range []struct {
		name string
		list []*tensor.Dense
	}{{"Inputs", a.Inputs}, {"Targets", a.Targets}} {
		for i, t := range g.list {
			name := fmt.Sprintf("%s[%d]", g.name, i)
			switch {
			case t == nil || t.Dims() == 0:
				return wrong("."+name, "is nil or a scalar", "give a tensor whose first axis counts the samples, e.g. tensor.New(tensor.WithShape(n, 3), tensor.WithBacking(x))")
			case t.Dtype() != tensor.Float32 && t.Dtype() != tensor.Int:
				return wrong("."+name, fmt.Sprintf("is of %v, expected float32 or int", t.Dtype()), "convert it")
			case t.Shape()[0] != n:
				return wrong("."+name, fmt.Sprintf("has %d samples, the first one %d", t.Shape()[0], n), "give all the same number")
			case t.RequiresIterator() || t.DataOrder().IsColMajor():
				return wrong("."+name, "is a view or not in row-major order", "clone it with Materialize")
			}
		}
	}
	if n == 0 {
		return wrong("", "has no samples", "")
	}
	check := func(name string, weights []float32) error {
		if weights != nil && len(weights) != n {
			return wrong(name, fmt.Sprintf("has %d numbers for %d samples", len(weights), n), "give one for each sample, or nil")
		}
		for i, w := range weights {
			if !(w >= 0) || math.IsInf(float64(w), 0) {
				return wrong(name, fmt.Sprintf("has %v for sample %d, expected a number of at least 0", w, i), "")
			}
		}
		return nil
	}
	switch {
	case a.TargetWeights == nil:
		return check(".Weights", a.Weights)
	case a.Weights != nil:
		return wrong(".TargetWeights", "is set beside Weights", "give one of them: Weights are those of every target")
	case len(a.TargetWeights) != len(a.Targets):
		return wrong(".TargetWeights", fmt.Sprintf("has weights of %d targets, there are %d", len(a.TargetWeights), len(a.Targets)), "give those of each, nil where all samples weigh the same")
	}
	for i, weights := range a.TargetWeights {
		if err := check(fmt.Sprintf(".TargetWeights[%d]", i), weights); err != nil {
			return err
		}
	}
	return nil
}

// feeder brings rows of arrays to the inputs of a graph, whose memory it owns.
type feeder struct {
	nodes  gorgonia.Nodes
	memory []*tensor.Dense
}

// newFeeder binds memory to the nodes, which take batches of n.
func newFeeder(what string, nodes gorgonia.Nodes, n int) (*feeder, error) {
	f := &feeder{nodes: nodes}
	for i, node := range nodes {
		wrong := func(problem string) error {
			return &ArgumentError{fmt.Sprintf("FitGraph.%s[%d]", what, i), problem, "make it with gorgonia.NewTensor and gorgonia.WithShape(batch, …), of float32 or int"}
		}
		if node == nil || !node.IsVar() {
			return nil, wrong("is nil or not an input of the graph")
		}
		of, ok := node.Type().(gorgonia.TensorType)
		if !ok {
			return nil, wrong(fmt.Sprintf("%q is a scalar, expected a batch of %d", node.Name(), n))
		}
		dt, ok := of.Of.(tensor.Dtype)
		if !ok || dt != tensor.Float32 && dt != tensor.Int {
			return nil, wrong(fmt.Sprintf("%q is of %v", node.Name(), of.Of))
		}
		if s := node.Shape(); len(s) == 0 || s[0] != n {
			return nil, wrong(fmt.Sprintf("%q has shape %v, expected a batch of %d in front", node.Name(), s, n))
		}
		memory := tensor.New(tensor.WithShape(node.Shape()...), tensor.Of(dt))
		if err := gorgonia.Let(node, memory); err != nil {
			return nil, fmt.Errorf("train: %q: %w", node.Name(), err)
		}
		f.memory = append(f.memory, memory)
	}
	return f, nil
}

// fits refuses arrays of other types or shapes than the nodes have.
func (f *feeder) fits(what string, arrays []*tensor.Dense) error {
	if len(arrays) != len(f.nodes) {
		return &ArgumentError{what, fmt.Sprintf("has %d tensors, the network takes %d", len(arrays), len(f.nodes)), "give one for each, in their order"}
	}
	for i, a := range arrays {
		m := f.memory[i]
		if have, want := a.Shape()[1:], m.Shape()[1:]; a.Dtype() != m.Dtype() || !have.Eq(want) && (len(have) > 0 || len(want) > 0) {
			return &ArgumentError{fmt.Sprintf("%s[%d]", what, i), fmt.Sprintf("has samples of %v %v, %q takes %v %v", a.Dtype(), []int(have), f.nodes[i].Name(),
				m.Dtype(), []int(want)), "convert or reshape it, or describe the network for it"}
		}
	}
	return nil
}

// feed copies samples into the inputs; what is left of a batch is zeros.
func (f *feeder) feed(arrays []*tensor.Dense, samples []int) {
	for i, a := range arrays {
		switch to := f.memory[i].Data().(type) {
		case []float32:
			gather(to, a.Data().([]float32), samples, a.Shape()[0])
		case []int:
			gather(to, a.Data().([]int), samples, a.Shape()[0])
		}
	}
}

func gather[T any](to, from []T, samples []int, of int) {
	row := len(from) / of
	for i, s := range samples {
		copy(to[i*row:][:row], from[s*row:][:row])
	}
	clear(to[len(samples)*row:])
}
