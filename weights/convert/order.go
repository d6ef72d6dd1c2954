package convert

import (
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// byOrder finds tensors by their place in the file. Of PyTorch's layout the n-th module is the n-th layer, and weights in
// it are found by name; of Keras's the n-th tensor is the n-th weight, as model.get_weights has them.
func byOrder(src *Source, l Layout, all []*slot) finder {
	place := map[*slot]*weights.Tensor{}
	if l == KerasLayout {
		for i, s := range all {
			if i < len(src.Tensors) {
				place[s] = &src.Tensors[i]
			}
		}
		return func(s *slot) *weights.Tensor { return place[s] }
	}
	var modules []map[string]*weights.Tensor
	number := map[string]int{}
	for i := range src.Tensors {
		module, leaf := split(src.Tensors[i].Name)
		n, ok := number[module]
		if !ok {
			n = len(modules)
			number[module] = n
			modules = append(modules, map[string]*weights.Tensor{})
		}
		modules[n][leaf] = &src.Tensors[i]
	}
	return func(s *slot) *weights.Tensor {
		if s.unit < len(modules) {
			return modules[s.unit][s.leaf()]
		}
		return nil
	}
}

// inOneRow says whether every layer with weights gets what the one before it made, by whatever way: then there is one order
// in which they can be written down.
func inOneRow(m *nn.Model) bool {
	layers := m.Layers()
	number := map[string]int{}
	// reach[i] is the last layer with weights on a way to i, such that all layers with weights up to it are on some
	// way: -1 where that is none.
	last := -1
	var above []map[int]bool // for each layer, the layers with weights that it depends on
	for i, l := range layers {
		mine := map[int]bool{}
		for _, in := range l.Inputs {
			before, known := number[in]
			if !known {
				continue // the layer is applied again behind a later one
			}
			for k := range above[before] {
				mine[k] = true
			}
		}
		if len(l.Weights) > 0 {
			if last >= 0 && !mine[last] {
				return false
			}
			last = i
			mine = map[int]bool{i: true} // whoever depends on it depends on those before
		}
		number[l.Name], above = i, append(above, mine)
	}
	return true
}
