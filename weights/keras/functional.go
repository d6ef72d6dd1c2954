package keras

import "github.com/stheno-ml/stheno/nn"

// functional adds the layers of a graph, each as soon as its inputs exist.
func (b *builder) functional() (inputs, outputs []*nn.Tensor, err error) {
	ins, err := parseEnds(b.config.Inputs)
	if err != nil {
		return nil, nil, err
	}
	outs, err := parseEnds(b.config.Outputs)
	if err != nil {
		return nil, nil, err
	}
	if b.depth > 0 && len(ins) != len(b.given) {
		return nil, nil, wrong("", "has %d inputs and is called with %d tensors", len(ins), len(b.given))
	}
	for i, shape := range b.given {
		b.shapes[ins[i].layer] = shape
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
	if inputs, err = b.ends(ins, byName); err == nil {
		outputs, err = b.ends(outs, byName)
	}
	return inputs, outputs, err
}

// ends are the tensors that a model has for inputs or outputs.
func (b *builder) ends(refs []reference, byName map[string]*object) ([]*nn.Tensor, error) {
	var out []*nn.Tensor
	for _, r := range refs {
		if byName[r.layer] == nil {
			return nil, wrong("", "has no layer %q, which is its input or output", r.layer)
		}
		if b.done[r.layer] == nil {
			return nil, wrong("", "the layer %q waits for layers that do not exist, or that wait for it", r.layer)
		}
		t, err := b.result(r)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// result is one of the results of a layer that is there.
func (b *builder) result(r reference) (*nn.Tensor, error) {
	all := b.done[r.layer]
	if r.tensor < 0 || r.tensor >= len(all) {
		return nil, wrong("", "result %d of %q is wanted, which has %d", r.tensor, r.layer, len(all))
	}
	return all[r.tensor], nil
}

// place adds a layer of a graph.
func (b *builder) place(o *object, call []reference, byName map[string]*object) error {
	if o.Class == "InputLayer" {
		t, err := b.input(o)
		b.done[o.Name] = []*nn.Tensor{t}
		return err
	}
	if len(call) == 0 {
		return wrong("", "has no inputs")
	}
	inputs := make([]*nn.Tensor, len(call))
	for i, r := range call {
		var err error
		if inputs[i], err = b.result(r); err != nil {
			return err
		}
	}
	results, err := b.add(o, inputs)
	b.done[o.Name] = results
	return err
}
