package keras

import (
	"slices"

	"github.com/stheno-ml/stheno/nn"
)

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
	g, err := b.places(outs)
	if err != nil {
		return nil, nil, err
	}
	// Layers are added in the order of the configuration as far as that is possible, so that automatic things, such as the
	// streams of random numbers, are numbered by it.
	for len(g.ready) > 0 {
		p := g.ready[0]
		g.ready = g.ready[1:]
		if err := b.place(p); err != nil {
			return nil, nil, p.o.fill(err)
		}
		for _, next := range g.readers[spot{p.o.Name, p.number}] {
			if next.waiting--; next.waiting == 0 {
				g.ready = append(g.ready, next)
			}
		}
	}
	if inputs, err = b.ends(ins, g); err == nil {
		outputs, err = b.ends(outs, g)
	}
	return inputs, outputs, err
}

// placed is a layer in one of the places where it is called.
type placed struct {
	o       *object
	number  int // among its calls
	of      int // how many it has
	inputs  []reference
	waiting int // for that many results, and for the layer's place before
}

// spot is a place by the layer's name and number.
type spot struct {
	layer  string
	number int
}

// layout is the places of a graph.
type layout struct {
	places  map[string][]*placed // of each layer, at least one
	readers map[spot][]*placed   // places that wait for a place, once for each use
	ready   []*placed
}

// places lists where layers are called, and makes the nodes that references name the numbers of calls, those of outs, too.
func (b *builder) places(outs []reference) (*layout, error) {
	g := &layout{places: map[string][]*placed{}, readers: map[spot][]*placed{}}
	var all []*placed
	for i := range b.config.Layers {
		o := &b.config.Layers[i]
		if o.Name == "" || g.places[o.Name] != nil {
			return nil, o.fill(wrong("", "each layer must have a name of its own"))
		}
		calls, err := o.calls()
		if err == nil && len(calls) == 1 {
			calls[0], err = o.withNumber(calls[0])
		}
		if err != nil {
			return nil, o.fill(err)
		}
		if len(calls) == 0 {
			calls = [][]reference{nil} // an input, or place complains
		}
		for number, call := range calls {
			p := &placed{o: o, number: number, of: len(calls), inputs: call}
			g.places[o.Name] = append(g.places[o.Name], p)
			all = append(all, p)
		}
	}
	if len(all) > maxLayers {
		return nil, wrong("", "calls layers %d times, more than %d", len(all), maxLayers)
	}
	refs := map[string][]*reference{}
	for _, p := range all {
		for i := range p.inputs {
			refs[p.inputs[i].layer] = append(refs[p.inputs[i].layer], &p.inputs[i])
		}
	}
	ends := map[string][]*reference{}
	for i := range outs {
		ends[outs[i].layer] = append(ends[outs[i].layer], &outs[i])
	}
	for i := range b.config.Layers {
		o := &b.config.Layers[i]
		if err := count(o, len(g.places[o.Name]), refs[o.Name], ends[o.Name]); err != nil {
			return nil, o.fill(err)
		}
	}
	for _, p := range all {
		for _, r := range p.inputs {
			g.wait(p, spot{r.layer, r.node})
		}
		if p.number > 0 {
			g.wait(p, spot{p.o.Name, p.number - 1})
		}
		if p.waiting == 0 {
			g.ready = append(g.ready, p)
		}
	}
	return g, nil
}

func (g *layout) wait(p *placed, at spot) {
	g.readers[at] = append(g.readers[at], p)
	p.waiting++
}

// count makes the nodes that references to a layer of n calls name the numbers of these. Keras counts from 0, but from 1 where the layer is a
// model with inputs of its own, in Keras 3 in output_layers alone: the first node is the one with which the model was made.
func count(o *object, n int, inner, ends []*reference) error {
	if n == 1 {
		for _, r := range slices.Concat(inner, ends) {
			r.node = 0
		}
		return nil
	}
	groups := [][]*reference{inner, ends}
	modern := slices.ContainsFunc(inner, func(r *reference) bool { return r.modern })
	if !modern {
		groups = [][]*reference{slices.Concat(inner, ends)}
	}
	for i, group := range groups {
		has := func(node int) bool {
			return slices.ContainsFunc(group, func(r *reference) bool { return r.node == node })
		}
		first := 0
		if modelClasses[o.Class] && !has(0) && (has(n) || !modern || i == 1 && o.Class != "Sequential") {
			first = 1
		}
		for _, r := range group {
			if r.node -= first; r.node < 0 || r.node >= n {
				return wrong("", "is called %d times, and the result of call %d is wanted", n, r.node+first)
			}
		}
	}
	return nil
}

// ends are the tensors that a model has for inputs or outputs.
func (b *builder) ends(refs []reference, g *layout) ([]*nn.Tensor, error) {
	var out []*nn.Tensor
	for _, r := range refs {
		if g.places[r.layer] == nil {
			return nil, wrong("", "has no layer %q, which is its input or output", r.layer)
		}
		if b.done[spot{r.layer, r.node}] == nil {
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
	all := b.done[spot{r.layer, r.node}]
	if r.tensor < 0 || r.tensor >= len(all) {
		return nil, wrong("", "result %d of %q is wanted, which has %d", r.tensor, r.layer, len(all))
	}
	return all[r.tensor], nil
}

// place adds a layer of a graph in one of its places.
func (b *builder) place(p *placed) error {
	o, at := p.o, spot{p.o.Name, p.number}
	if o.Class == "InputLayer" {
		t, err := b.input(o)
		b.done[at] = []*nn.Tensor{t}
		return err
	}
	if len(p.inputs) == 0 {
		return wrong("", "has no inputs")
	}
	inputs := make([]*nn.Tensor, len(p.inputs))
	for i, r := range p.inputs {
		var err error
		if inputs[i], err = b.result(r); err != nil {
			return err
		}
	}
	l := b.shared[o.Name]
	if l == nil {
		var err error
		if l, err = b.make(o, inputs); err != nil {
			return err
		}
		if p.of > 1 {
			l = b.nn.Share(l)
			b.shared[o.Name] = l
		}
	}
	b.done[at] = b.nn.AddAll(l, inputs...)
	return fromNN(b.nn.Err())
}
