package graph

import (
	"slices"
	"strings"
)

// layersOf says for every step which layer it belongs to, "" where nothing tells: forward steps bear the name of their
// layer's node, and the steps of the backward pass and of the optimizer are assigned to the layer whose variables or whose
// results they work on. It serves readers of tables and drawings, nothing depends on it.
func layersOf(p *Plan) []string {
	madeBy := map[*Value]int{}
	for i, s := range p.Steps {
		for _, o := range s.Out {
			madeBy[o] = i
		}
	}
	updated := make([]string, len(p.Steps)) // layer of the variable that a step updates, or makes a gradient for
	for i, s := range slices.Backward(p.Steps) {
		if !updating(s.Instr) || len(s.In) == 0 {
			continue
		}
		if updatesVariable(s) {
			updated[i] = layerName(s.In[0].Name)
		}
		for _, v := range s.In {
			if k, ok := maker(madeBy, v); ok && updated[i] != "" {
				updated[k] = updated[i]
			}
		}
	}
	names := make([]string, len(p.Steps))
	for i, s := range p.Steps {
		if !updatesVariable(s) {
			names[i] = layerName(s.Out[0].Name)
		}
	}
	forward := slices.Clone(names)
	for i, s := range p.Steps {
		if names[i] != "" {
			continue
		}
		names[i] = updated[i]
		latest := -1
		for _, v := range s.In {
			if names[i] == "" && v.Input && strings.Contains(v.Name, "/") {
				names[i] = layerName(v.Name)
			}
			if k, ok := maker(madeBy, v); ok && forward[k] != "" {
				latest = max(latest, k)
			}
		}
		if names[i] == "" && latest >= 0 {
			names[i] = forward[latest]
		}
	}
	return names
}

// updatesVariable says that a step computes the new value of its first operand, for an optimizer or a running average.
func updatesVariable(s *Step) bool { return updating(s.Instr) && len(s.In) > 0 && s.In[0].Variable }

// maker finds the step that computed v, or that computed what v is a view of. A value that was computed in place, over another
// one, has a step of its own.
func maker(madeBy map[*Value]int, v *Value) (int, bool) {
	for ; v != nil; v = v.Alias {
		if k, ok := madeBy[v]; ok {
			return k, true
		}
	}
	return 0, false
}

// layerName is the layer that a node was made for: "conv2d/kernel" and "conv2d" are of conv2d. Names that Gorgonia made up
// of an operation and its operands name none.
func layerName(node string) string {
	if strings.Contains(node, "(") {
		return ""
	}
	if i := strings.LastIndex(node, "/"); i > 0 {
		return node[:i]
	}
	return node
}
