package convert

import (
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// Attention is one layer here, with kernels (features, heads, size), and in PyTorch a module whose queries, keys and values have one matrix, or one
// each. A file's are taken apart, and called as a layer's are: "X.query.weight" and so on, and "X.attention_output.weight".

// attentionParts are the projections of a layer, in the order in which PyTorch and timm stack them.
var attentionParts = []string{"query", "key", "value"}

// attentionNames are what the tensors of attention are called behind their module, by what the layer has in their place: whole parts, or leaves of
// all three projections together.
var attentionNames = []struct{ theirs, ours string }{
	{"in_proj_weight", "*.weight"}, {"in_proj_bias", "*.bias"}, {"q_proj_weight", "query.weight"}, {"k_proj_weight", "key.weight"},
	{"v_proj_weight", "value.weight"}, {"out_proj.weight", "attention_output.weight"}, {"out_proj.bias", "attention_output.bias"},
	{"qkv.weight", "*.weight"}, {"qkv.bias", "*.bias"}, {"proj.weight", "attention_output.weight"}, {"proj.bias", "attention_output.bias"},
}

// splitAttention takes stacked projections of PyTorch's MultiheadAttention (in_proj_weight, out_proj) and of timm's (qkv, proj) apart, for a
// network that has attention: in another one such a matrix is that of one dense layer.
func (s *Source) splitAttention(all []*slot) *Source {
	if !slices.ContainsFunc(all, func(s *slot) bool { return s.part != "" }) {
		return s
	}
	modules := map[string]bool{} // of attention
	for _, t := range s.Tensors {
		for _, n := range attentionNames {
			if module, ok := strings.CutSuffix(t.Name, "."+n.theirs); ok && strings.HasSuffix(n.ours, ".weight") && !strings.HasPrefix(n.ours, "attention_output") {
				modules[module] = true
			}
		}
	}
	if len(modules) == 0 {
		return s
	}
	out := *s
	out.Tensors = nil
	for _, t := range s.Tensors {
		out.Tensors = append(out.Tensors, attentionTensors(t, modules)...)
	}
	return &out
}

// partsAreTold says whether the modules that are found for the projections of attention are called like these. Nothing else tells queries, keys and
// values apart, which are of one size and are written down in any order.
func (p *Plan) partsAreTold(all []*slot) bool {
	parts := map[*nn.Weight]string{}
	for _, s := range all {
		parts[s.weight] = s.part
	}
	for _, pair := range p.Pairs {
		part := parts[pair.Weight]
		if !slices.Contains(attentionParts, part) {
			continue
		}
		module, _ := split(pair.Tensor.Name)
		if _, last := split(module); last != part {
			return false
		}
	}
	return true
}

// attentionTensors is the tensor, or what it is made of, as layers call it.
func attentionTensors(t weights.Tensor, modules map[string]bool) []weights.Tensor {
	for _, n := range attentionNames {
		module, ok := strings.CutSuffix(t.Name, "."+n.theirs)
		if !ok || !modules[module] {
			continue
		}
		if leaf, all := strings.CutPrefix(n.ours, "*."); all {
			return thirds(t, module, leaf)
		}
		t.Name = module + "." + n.ours
		return []weights.Tensor{t}
	}
	return []weights.Tensor{t}
}

// thirds cuts a tensor along its first axis into three; one that cannot be cut stays as it is, and will be left over.
func thirds(t weights.Tensor, module, leaf string) []weights.Tensor {
	if len(t.Shape) == 0 || t.Shape[0]%len(attentionParts) != 0 {
		return []weights.Tensor{t}
	}
	shape := append([]int{t.Shape[0] / len(attentionParts)}, t.Shape[1:]...)
	var out []weights.Tensor
	for i, part := range attentionParts {
		v, err := t.View(module+"."+part+"."+leaf, i*elements(shape), shape, strides(shape))
		if err != nil {
			return []weights.Tensor{t}
		}
		out = append(out, v)
	}
	return out
}

// attention is the arrangement in PyTorch of a weight of a part of attention.
func (s *slot) attention() arrangement {
	shape := []int(s.weight.Shape)
	switch {
	case len(shape) == 3 && s.part == "attention_output": // (heads, size, out) from (out, heads·size)
		h, k, out := shape[0], shape[1], shape[2]
		return arrangement{shape: []int{out, h * k}, view: shape, strides: []int{k, 1, h * k}}
	case len(shape) == 3: // (features, heads, size) from (heads·size, features)
		in, h, k := shape[0], shape[1], shape[2]
		return arrangement{shape: []int{h * k, in}, view: shape, strides: []int{1, k * in, in}}
	case len(shape) == 2:
		return arrangement{shape: []int{shape[0] * shape[1]}, view: shape, strides: []int{shape[1], 1}}
	}
	return plain(shape)
}

// stacker puts the projections of attention together as PyTorch's MultiheadAttention has them, where they are of one size.
type stacker struct {
	pending map[string][]weights.Tensor // the parts of a layer so far, by layer and leaf
}

// add returns what is to be written for the tensor of a slot: itself, nothing yet, or three together.
func (k *stacker) add(s *slot, t weights.Tensor) []weights.Tensor {
	module := strings.TrimSuffix(t.Name, "."+s.part+"."+s.leaf())
	switch {
	case s.part == "":
		return []weights.Tensor{t}
	case s.part == "attention_output":
		t.Name = module + ".out_proj." + s.leaf()
		return []weights.Tensor{t}
	}
	key := module + "." + s.leaf()
	k.pending[key] = append(k.pending[key], t)
	parts := k.pending[key]
	if len(parts) < len(attentionParts) {
		return nil
	}
	delete(k.pending, key)
	stacked := weights.Tensor{Name: module + ".in_proj_" + s.leaf(), Shape: append([]int{len(parts) * parts[0].Shape[0]}, parts[0].Shape[1:]...)}
	for _, p := range parts {
		if len(p.Shape) != len(stacked.Shape) || p.Shape[0] != parts[0].Shape[0] || elements(p.Shape) != elements(parts[0].Shape) {
			return parts // no module of PyTorch has them so
		}
		switch x := p.Data.(type) {
		case []float32:
			d, _ := stacked.Data.([]float32)
			stacked.Data = append(d, x...)
		case []float64:
			d, _ := stacked.Data.([]float64)
			stacked.Data = append(d, x...)
		}
	}
	return []weights.Tensor{stacked}
}
