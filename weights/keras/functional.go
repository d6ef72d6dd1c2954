package keras

import "github.com/stheno-ml/stheno/nn"

// functional adds the layers of a graph, each as soon as its inputs exist.
func (b *builder) functional() (input, output *nn.Tensor, err error) {
	ins, err := parseEnds(b.config.Inputs)
	if err != nil {
		return nil, nil, err
	}
	outs, err := parseEnds(b.config.Outputs)
	if err != nil {
		return nil, nil, err
	}
	if len(ins) != 1 || len(outs) != 1 {
		return nil, nil, wrong("cut it into models of one input and one output", "has %d inputs and %d outputs; models of one of each are supported", len(ins), len(outs))
	}
	byName := map[string]*object{}
	calls := map[string][]reference{}
	readers := map[string][]*object{} // layers that wait for a layer, once for each use
	waiting := map[string]int{}
	var ready []*object
	for i := range b.config.Layers {
		o := &b.config.Layers[i]
		if o.Name == "" || byName[o.Name] != nil {
			return nil, nil, o.fill(wrong("", "each layer must have a name of its own"))
		}
		byName[o.Name] = o
		if calls[o.Name], err = o.inputs(); err != nil {
			return nil, nil, o.fill(err)
		}
		if calls[o.Name], err = o.withNumber(calls[o.Name]); err != nil {
			return nil, nil, o.fill(err)
		}
		for _, r := range calls[o.Name] {
			readers[r.layer] = append(readers[r.layer], o)
		}
		if waiting[o.Name] = len(calls[o.Name]); waiting[o.Name] == 0 {
			ready = append(ready, o)
		}
	}
	// Layers are added in the order of the configuration as far as that is possible, so that automatic things, such as the
	// streams of random numbers, are numbered by it.
	for len(ready) > 0 {
		o := ready[0]
		ready = ready[1:]
		if err := b.place(o, calls[o.Name], byName); err != nil {
			return nil, nil, o.fill(err)
		}
		for _, next := range readers[o.Name] {
			if waiting[next.Name]--; waiting[next.Name] == 0 {
				ready = append(ready, next)
			}
		}
	}
	input, output = b.done[ins[0].layer], b.done[outs[0].layer]
	for _, end := range []struct {
		t    *nn.Tensor
		what reference
	}{{input, ins[0]}, {output, outs[0]}} {
		switch {
		case end.t == nil && byName[end.what.layer] == nil:
			return nil, nil, wrong("", "has no layer %q, which is its input or output", end.what.layer)
		case end.t == nil:
			return nil, nil, wrong("", "the layer %q waits for layers that do not exist, or that wait for it", end.what.layer)
		}
	}
	return input, output, nil
}

// place adds a layer of a graph.
func (b *builder) place(o *object, call []reference, byName map[string]*object) error {
	if o.Class == "InputLayer" {
		t, err := b.input(o)
		b.done[o.Name] = t
		return err
	}
	if len(call) == 0 {
		return wrong("", "has no inputs")
	}
	inputs := make([]*nn.Tensor, len(call))
	for i, r := range call {
		if r.tensor != 0 {
			return wrong("", "takes result %d of %q; layers with one result are supported", r.tensor, r.layer)
		}
		inputs[i] = b.done[r.layer]
	}
	t, err := b.add(o, inputs)
	b.done[o.Name] = t
	return err
}
