package keras

import "crypto/sha256"

// embeddings keeps which inputs of models Embedding layers depend on, by the models' configurations: in models in models each is looked at once.
type embeddings map[[sha256.Size]byte][]bool

// needs names the layers that an Embedding, in c or in a model in it, depends on. What is wrong, others complain about.
func (e embeddings) needs(c *modelConfig, class string, depth int) map[string]bool {
	takes, found := map[string][]reference{}, map[string]bool{} // what each layer takes, in all its calls
	var queue []string
	need := func(r reference) {
		if r.number == nil && !found[r.layer] {
			found[r.layer] = true
			queue = append(queue, r.layer)
		}
	}
	for i := range c.Layers {
		o := &c.Layers[i]
		calls, err := o.calls()
		if class == "Sequential" {
			if err = nil; i > 0 {
				calls = [][]reference{{{layer: c.Layers[i-1].Name}}}
			} else if o.Class != "InputLayer" {
				calls = [][]reference{{{layer: firstInputName(o)}}}
			}
		}
		if err != nil {
			continue
		}
		for _, refs := range calls {
			takes[o.Name] = append(takes[o.Name], refs...)
			switch {
			case o.Class == "Embedding":
				for _, r := range refs {
					need(r)
				}
			case modelClasses[o.Class] && depth < deepest:
				for i, whole := range e.of(o, depth+1) {
					if whole && i < len(refs) {
						need(refs[i])
					}
				}
			}
		}
	}
	for len(queue) > 0 {
		layer := queue[0]
		queue = queue[1:]
		for _, r := range takes[layer] {
			need(r)
		}
	}
	return found
}

// of says which inputs of a model Embedding layers depend on.
func (e embeddings) of(o *object, depth int) []bool {
	hash := sha256.New()
	hash.Write([]byte(o.Class))
	hash.Write(o.Config)
	key := [sha256.Size]byte(hash.Sum(nil))
	takes, known := e[key]
	if !known {
		takes = e.inputs(o, depth)
		e[key] = takes
	}
	return takes
}

func (e embeddings) inputs(o *object, depth int) []bool {
	c, err := parseModel(o)
	if err != nil {
		return nil
	}
	found := e.needs(c, o.Class, depth)
	if o.Class == "Sequential" {
		if len(c.Layers) == 0 {
			return nil
		}
		return []bool{found[c.Layers[0].Name] || found[firstInputName(&c.Layers[0])]}
	}
	ends, err := parseEnds(c.Inputs)
	if err != nil {
		return nil
	}
	takes := make([]bool, len(ends))
	for i, r := range ends {
		takes[i] = found[r.layer]
	}
	return takes
}
