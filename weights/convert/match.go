package convert

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// Rule is a way to find out which tensor is which weight.
type Rule string

const (
	// RuleMap goes by a list of names that the caller gives.
	RuleMap Rule = "map"
	// RuleNames goes by equal names.
	RuleNames Rule = "names"
	// RuleTorch goes by the names that PyTorch's implementations of known architectures have.
	RuleTorch Rule = "torch-names"
	// RuleOrder goes by the order in the file. Unless it is asked for, it is used only where the order is certain.
	RuleOrder Rule = "order"
)

// Rules are the names of the rules that may be asked for.
func Rules() []string { return []string{string(RuleNames), string(RuleTorch), string(RuleOrder)} }

// Options say how to match. The zero value tries all rules.
type Options struct {
	// Map names tensors of the file by names of weights ("conv1/kernel": "module.conv1.weight"), or modules by names
	// of layers ("conv1": "module.conv1"). With a Map no other rule is tried.
	Map map[string]string
	// Rule, if not "", is the only one that is tried.
	Rule Rule
	// Layout, if not "", is the file's order of axes, where it is not what the names say.
	Layout Layout
	// Ignore are patterns (as of path.Match, over whole names) of tensors that the network is not meant to have.
	Ignore []string
	// Fresh are names of weights that need not be in the file as the network has them, such as those of the classifier of a network for other
	// classes. If one of a layer's is not, all of the layer's stay without values: Plan.Fresh.
	Fresh []string
}

// Pair is a weight and the tensor that it takes its values from.
type Pair struct {
	Weight *nn.Weight
	Tensor *weights.Tensor
	Moves  string // what happens to the axes, "" for nothing

	how arrangement
}

// Plan is what Match found out.
type Plan struct {
	Rule    Rule
	Layout  Layout
	Pairs   []Pair  // in the network's order
	Ignored []Aside // tensors that are not used: those of Source.Aside, and those that Options.Ignore names
	Notes   []string
	// Fresh are the weights of Options.Fresh that get no values from the file, and lose those they have.
	Fresh []*nn.Weight

	model *nn.Model
}

// Match finds out which tensor of the source is which weight of the model. Where they are not one to one, the error is a
// *[MismatchError].
func Match(m *nn.Model, src *Source, o Options) (*Plan, error) {
	if m == nil {
		return nil, errNoModel
	}
	if src == nil {
		return nil, errors.New("convert: the source is nil; look at the error of Open")
	}
	if src.complete != nil {
		if err := src.complete(); err != nil {
			return nil, err
		}
	}
	layout := o.Layout
	switch layout {
	case "":
		layout = src.Layout
	case KerasLayout, TorchLayout:
	default:
		return nil, fmt.Errorf("convert: unknown layout %q; use keras or torch", o.Layout)
	}
	for _, pattern := range o.Ignore {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("convert: the pattern %q: %w", pattern, err)
		}
	}
	if src.forModel != nil && len(o.Map) == 0 {
		named, err := src.forModel(m)
		if err != nil {
			return nil, err
		}
		own := *src
		own.Tensors = named
		src = &own
	}
	src, ignored := src.without(o.Ignore)
	all, _ := slots(m)
	if src.forModel == nil && src.complete == nil {
		src = src.splitAttention(all)
	}
	sorted := src.sorted()
	if sorted && layout == TorchLayout && o.Rule != RuleOrder {
		if inOrder, ok := src.counted(); ok {
			src, sorted = inOrder, false
		}
	}
	certain := (layout == KerasLayout || inOneRow(m)) && !sorted
	type try struct {
		rule Rule
		find finder
	}
	var tries []try
	switch {
	case len(o.Map) > 0:
		find, err := byMap(src, o.Map)
		if err != nil {
			return nil, err
		}
		tries = []try{{RuleMap, find}}
	default:
		tries = []try{{RuleNames, byEqualNames(src)}, {RuleTorch, byTorchNames(src)}, {RuleOrder, byOrder(src, layout, all)}}
		if o.Rule != "" {
			tries = slices.DeleteFunc(tries, func(t try) bool { return t.rule != o.Rule })
			if len(tries) == 0 {
				return nil, fmt.Errorf("convert: unknown rule %q; use %s", o.Rule, strings.Join(Rules(), ", "))
			}
		}
	}
	var best *Plan
	var wrong *MismatchError
	for _, t := range tries {
		p, e := match(m, src, all, t.rule, layout, t.find, o.Fresh)
		if e == nil {
			told := layout == KerasLayout || p.partsAreTold(all)
			if t.rule == RuleOrder && !(certain && told) && o.Rule != RuleOrder {
				if wrong.Remedy = sortedRemedy; sorted {
					continue
				}
				if wrong.Remedy = attentionRemedy; !told {
					continue
				}
				wrong.Remedy = "all shapes agree in the order of the file, but the network has branches, so that another order would fit too; " +
					"if the file's order is the network's, ask for it with --match order"
				continue
			}
			best = p
			break
		}
		// A rule that all but fits says most; the order says something only where the names say nothing.
		if wrong == nil || e.Matched > wrong.Matched && (t.rule != RuleOrder || wrong.Matched == 0) {
			wrong = e
		}
	}
	if best == nil {
		return nil, wrong
	}
	best.Ignored = append(append(slices.Clone(src.Aside), ignored...), best.Ignored...)
	best.Notes = best.notes()
	return best, nil
}

const sortedRemedy = "all shapes agree in the order of the file, but it has its tensors sorted by name, which is not the order of the layers " +
	"(10 comes before 2): convert the file that it was made of, name the layers with --map, or ask for this order with --match order"

const attentionRemedy = "all shapes agree in the order of the file, but its names do not tell the queries, keys and values of attention apart, which " +
	"may be in another order than here: name them with --map (\"attention/query/kernel\": \"attn.q_proj.weight\"), or ask for this order with --match order"

const positionsRemedy = "an image has as many positions as squares are cut of it, and one for a class token: name the size of the images that the weights " +
	"were trained on, such as --input 224x224x3"

// without leaves out the tensors of some patterns.
func (s *Source) without(patterns []string) (*Source, []Aside) {
	var ignored []Aside
	out := *s
	out.Tensors = nil
	for _, t := range s.Tensors {
		if slices.ContainsFunc(patterns, func(p string) bool {
			full, _ := path.Match(p, s.Prefix+t.Name)
			short, _ := path.Match(p, t.Name)
			return full || short
		}) {
			ignored = append(ignored, Aside{t.Name, "ignored, as asked for"})
			continue
		}
		out.Tensors = append(out.Tensors, t)
	}
	return &out, ignored
}

// match tries one rule.
func match(m *nn.Model, src *Source, all []*slot, rule Rule, layout Layout, find finder, mayLack []string) (*Plan, *MismatchError) {
	p := &Plan{Rule: rule, Layout: layout, model: m}
	fresh := freshLayers(src, all, layout, find, mayLack)
	e := &MismatchError{Path: src.Path, Model: m.Name(), Rule: rule, Weights: len(all), Tensors: len(src.Tensors)}
	used := map[*weights.Tensor]bool{}
	outputs := map[int]bool{} // what the file has for the outputs of the last layer
	for _, s := range all {
		how := s.arrangement(layout)
		t := find(s)
		if fresh[layerOf(s.weight)] {
			p.Fresh = append(p.Fresh, s.weight)
			if t != nil && !used[t] {
				used[t] = true
				p.Ignored = append(p.Ignored, Aside{t.Name, "in the place of a layer that is new"})
			}
			continue
		}
		switch {
		case t == nil || used[t]:
			e.Differences = append(e.Differences, Difference{Kind: "missing", Weight: s.weight.Name, Wanted: how.shape})
			continue
		case !isFloat(t):
			e.Differences = append(e.Differences, Difference{Kind: "type", Weight: s.weight.Name, Tensor: t.Name, Type: t.TypeName()})
		case !slices.Equal(how.shape, t.Shape):
			e.Differences = append(e.Differences, Difference{Kind: "shape", Weight: s.weight.Name, Tensor: t.Name, Wanted: how.shape, Got: t.Shape})
			if s.layer.Class == "PositionEmbedding" {
				e.Remedy = positionsRemedy
			}
			if s.layer == all[len(all)-1].layer {
				outputs[otherOutputs(how.shape, t.Shape, layout)] = true
			} else {
				outputs[0] = true
			}
		default:
			e.Matched++
			p.Pairs = append(p.Pairs, Pair{Weight: s.weight, Tensor: t, Moves: how.moves(s.weight.Shape), how: how})
		}
		used[t] = true
	}
	for _, t := range oldLayer(src, all, layout, used, p.Fresh) {
		used[t] = true
		p.Ignored = append(p.Ignored, Aside{t.Name, "in the place of a layer that is new"})
	}
	for i := range src.Tensors {
		if t := &src.Tensors[i]; !used[t] {
			e.Differences = append(e.Differences, Difference{Kind: "unexpected", Tensor: t.Name, Got: t.Shape})
		}
	}
	if len(e.Differences) == 0 {
		return p, nil
	}
	shapes := 0
	for _, d := range e.Differences {
		if d.Kind == "shape" {
			shapes++
		}
	}
	if shapes == len(e.Differences) && len(outputs) == 1 {
		for n := range outputs {
			e.Classes = n
		}
	}
	return nil, e
}

// freshLayers are the layers of weights that may be lacking where one of these is, or is another one.
func freshLayers(src *Source, all []*slot, layout Layout, find finder, mayLack []string) map[string]bool {
	fresh := map[string]bool{}
	if len(mayLack) == 0 {
		return fresh
	}
	for _, s := range all {
		if !slices.Contains(mayLack, s.weight.Name) {
			continue
		}
		t := find(s)
		if t == nil || !isFloat(t) || !slices.Equal(s.arrangement(layout).shape, t.Shape) {
			fresh[layerOf(s.weight)] = true
		}
	}
	return fresh
}

// layerOf is the name of a weight's layer, which may have weights in parts, such as an attention's query/kernel.
func layerOf(w *nn.Weight) string {
	layer, _, _ := strings.Cut(w.Name, "/")
	return layer
}

// oldLayer finds what the file has in the place of fresh weights under a name that no rule knows: all that is left, where that is one module and
// a kernel in it differs from a fresh one in the number of outputs alone.
func oldLayer(src *Source, all []*slot, layout Layout, used map[*weights.Tensor]bool, fresh []*nn.Weight) (found []*weights.Tensor) {
	module, kernel := "", false
	for i := range src.Tensors {
		t := &src.Tensors[i]
		if used[t] {
			continue
		}
		of, _ := split(t.Name)
		if module == "" {
			module = of
		}
		if of != module {
			return nil
		}
		for _, s := range all {
			if slices.Contains(fresh, s.weight) && len(t.Shape) > 1 && otherOutputs(s.arrangement(layout).shape, t.Shape, layout) > 0 {
				kernel = true
			}
		}
		found = append(found, t)
	}
	if !kernel {
		return nil
	}
	return found
}

// otherOutputs is the number of outputs that a tensor of the last layer has where that is all that differs, else 0.
func otherOutputs(want, got []int, l Layout) int {
	axis := len(want) - 1
	if l == TorchLayout {
		axis = 0
	}
	if len(want) != len(got) || len(want) == 0 {
		return 0
	}
	for i := range want {
		if i != axis && want[i] != got[i] {
			return 0
		}
	}
	return got[axis]
}

// Apply copies the values into the weights, which get memory of float32 first if they have none, and reports the
// tensors that hold NaN or infinities. Those of Fresh have no values then, for [nn.Model.InitializeRest].
func (p *Plan) Apply() (notFinite []string, err error) {
	if _, ok := p.model.Dtype(); !ok {
		if err := p.model.Allocate(tensor.Float32); err != nil {
			return nil, err
		}
	}
	for _, pair := range p.Pairs {
		values, err := pair.how.take(pair.Tensor)
		if err != nil {
			return nil, fmt.Errorf("convert: %q: %w", pair.Tensor.Name, err)
		}
		shape := pair.Weight.Shape.Clone()
		if err := pair.Weight.Set(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(values, func(v float32) bool { return v-v != 0 }) {
			notFinite = append(notFinite, pair.Tensor.Name)
		}
	}
	for _, w := range p.Fresh {
		w.Value = nil
	}
	return notFinite, nil
}
