package keras

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/nn"
)

// object is a Keras object as its configuration describes it.
type object struct {
	Class   string          `json:"class_name"`
	Config  json.RawMessage `json:"config"`
	Name    string          `json:"name"`
	Inbound json.RawMessage `json:"inbound_nodes"`
	Build   struct {
		InputShape json.RawMessage `json:"input_shape"`
	} `json:"build_config"`

	causal bool // it is called with use_causal_mask=True
}

// modelConfig is what the configuration of a model says beside its name.
type modelConfig struct {
	Name       string          `json:"name"`
	Layers     []object        `json:"layers"`
	Inputs     json.RawMessage `json:"input_layers"`
	Outputs    json.RawMessage `json:"output_layers"`
	BuildShape json.RawMessage `json:"build_input_shape"`
}

// modelClasses are the classes whose configuration is one of layers.
var modelClasses = map[string]bool{"Functional": true, "Model": true, "Sequential": true}

// fields takes the configuration of a layer apart.
func (o *object) fields() (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	if len(o.Config) == 0 {
		return out, nil
	}
	if err := json.Unmarshal(o.Config, &out); err != nil {
		return nil, wrong("", "its config is no JSON object: %v", err)
	}
	return out, nil
}

// parseModel reads the configuration of a Sequential or Functional model.
func parseModel(o *object) (*modelConfig, error) {
	var c modelConfig
	if list := bytes.TrimSpace(o.Config); o.Class == "Sequential" && len(list) > 0 && list[0] == '[' { // before Keras 2.2.3
		if err := json.Unmarshal(list, &c.Layers); err != nil {
			return nil, wrong("", "its layers are not valid: %v", err)
		}
	} else if err := json.Unmarshal(o.Config, &c); err != nil {
		return nil, wrong("", "its config is not valid: %v", err)
	}
	for i := range c.Layers {
		l := &c.Layers[i]
		if l.Name != "" {
			continue
		}
		var own struct {
			Name string `json:"name"`
		}
		if err := json.Unmarshal(l.Config, &own); err == nil { // else the layer's own maker complains
			l.Name = own.Name
		}
	}
	return &c, nil
}

// reference is a tensor by the layer that makes it.
type reference struct {
	layer        string
	node, tensor int
	number       *float64 // not nil for a number in a tensor's place, in x + 3
	modern       bool     // Keras 3 wrote it, as an argument
}

// parseReference reads ["conv2d", 0, 0] or ["conv2d", 0, 0, {keyword arguments}].
func parseReference(raw json.RawMessage) (r reference, kwargs json.RawMessage, err error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil || len(parts) < 3 || len(parts) > 4 {
		return r, nil, wrong("", "expected a tensor as [layer, node, tensor], found %s", clip(raw))
	}
	for i, to := range []any{&r.layer, &r.node, &r.tensor} {
		if err := json.Unmarshal(parts[i], to); err != nil {
			return r, nil, wrong("", "expected a tensor as [layer, node, tensor], found %s", clip(raw))
		}
	}
	if len(parts) == 4 {
		kwargs = parts[3]
	}
	return r, kwargs, nil
}

// parseEnds reads input_layers or output_layers: one tensor, a list of them, or names with them, whose order Keras takes.
func parseEnds(raw json.RawMessage) ([]reference, error) {
	out, err := endsOf(raw, 0)
	if err == nil && len(out) == 0 {
		err = wrong("", "expected tensors, found %s", clip(raw))
	}
	return out, err
}

func endsOf(raw json.RawMessage, depth int) ([]reference, error) {
	if r, _, err := parseReference(raw); err == nil {
		return []reference{r}, nil
	}
	parts, err := flatten(raw)
	if err != nil || depth > 3 {
		return nil, wrong("", "expected a list of tensors, found %s", clip(raw))
	}
	var out []reference
	for _, one := range parts {
		more, err := endsOf(one, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// flatten takes a list, or what an object holds in the order of its keys, as Keras does with dicts of tensors.
func flatten(raw json.RawMessage) ([]json.RawMessage, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err == nil {
		return list, nil
	}
	var named map[string]json.RawMessage
	if err := json.Unmarshal(raw, &named); err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(named)) {
		list = append(list, named[key])
	}
	return list, nil
}

// calls lists the tensors that a layer is called with, once for each time, in either form of inbound_nodes:
// [[["conv2d", 0, 0, {}], …]], or [{"name": ["conv2d", 0, 0, {}], …}] of a model whose inputs have names, in Keras 2,
// [{"args": […], "kwargs": {…}}] in Keras 3.
func (o *object) calls() ([][]reference, error) {
	var nodes []json.RawMessage
	if len(o.Inbound) > 0 {
		if err := json.Unmarshal(o.Inbound, &nodes); err != nil {
			return nil, wrong("", "its inbound_nodes are not valid: %v", err)
		}
	}
	var out [][]reference
	for i, node := range nodes {
		before := o.causal
		o.causal = false
		call, err := o.call(node)
		if err != nil {
			return nil, err
		}
		if i > 0 && o.causal != before {
			return nil, wrong("give each place a layer of its own", "is called with use_causal_mask=True in some places and without it in others, which is not supported")
		}
		out = append(out, call)
	}
	if len(out) > 1 {
		for _, call := range out {
			if slices.ContainsFunc(call, func(r reference) bool { return r.number != nil }) {
				return nil, wrong("", "is called several times, and with numbers, which is not supported")
			}
		}
	}
	return out, nil
}

// call lists the tensors of one call.
func (o *object) call(node json.RawMessage) ([]reference, error) {
	var call struct {
		Args   json.RawMessage            `json:"args"`
		Kwargs map[string]json.RawMessage `json:"kwargs"`
	}
	if raw := bytes.TrimSpace(node); len(raw) > 0 && raw[0] == '{' {
		if err := json.Unmarshal(raw, &call); err != nil {
			return nil, wrong("", "its inbound_nodes are not valid: %v", err)
		}
		if len(call.Args) > 0 || call.Kwargs != nil {
			positional, err := tensorsOf(call.Args, 0)
			if err != nil {
				return nil, err
			}
			named, err := o.takeNamed(call.Kwargs)
			if err != nil {
				return nil, err
			}
			return append(positional, named...), o.checkKeywords(call.Kwargs)
		}
	}
	tensors, err := flatten(node)
	if err != nil {
		return nil, wrong("", "its inbound_nodes are not valid: %v", err)
	}
	var out, more []reference
	for _, raw := range tensors {
		r, kwargs, err := parseReference(raw)
		if err != nil {
			return nil, err
		}
		if len(kwargs) > 0 {
			call.Kwargs = nil
			if err := json.Unmarshal(kwargs, &call.Kwargs); err != nil {
				return nil, wrong("", "its keyword arguments are not valid: %v", err)
			}
			named, err := o.takeNamed(call.Kwargs)
			if err != nil {
				return nil, err
			}
			if more = append(more, named...); len(more) > 0 && len(tensors) > 1 {
				return nil, wrong("", "is called with tensors in a list and by name at once, which is not supported")
			}
			if err := o.checkKeywords(call.Kwargs); err != nil {
				return nil, err
			}
		}
		out = append(out, r)
	}
	return append(out, more...), nil
}

// tensorsOf lists the tensors in positional arguments, which may be lists of them.
func tensorsOf(raw json.RawMessage, depth int) ([]reference, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] == '[' && depth < 4 {
		var parts []json.RawMessage
		if err := json.Unmarshal(raw, &parts); err != nil {
			return nil, wrong("", "its arguments are not valid: %v", err)
		}
		var out []reference
		for _, p := range parts {
			more, err := tensorsOf(p, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
		return out, nil
	}
	var number float64
	if len(raw) > 0 && json.Unmarshal(raw, &number) == nil && string(raw) != "null" {
		return []reference{{number: &number}}, nil
	}
	var t struct {
		Class  string `json:"class_name"`
		Config struct {
			History json.RawMessage `json:"keras_history"`
		} `json:"config"`
	}
	if err := json.Unmarshal(raw, &t); err != nil || t.Class != "__keras_tensor__" {
		if parts, err := flatten(raw); err == nil && t.Class == "" && len(parts) > 0 && depth < 4 { // a model whose inputs have names
			var out []reference
			for _, p := range parts {
				more, err := tensorsOf(p, depth+1)
				if err != nil {
					return nil, err
				}
				out = append(out, more...)
			}
			return out, nil
		}
		return nil, wrong("", "is called with %s; only the results of layers, and one number, are supported as arguments", clip(raw))
	}
	r, _, err := parseReference(t.Config.History)
	r.modern = true
	return []reference{r}, err
}

// checkKeywords refuses arguments of calls that change a result. training=False, as in base(x, training=False), is what
// inference means anyway; freeze the layer to have it in training as well. Keras 3 records training=True, the default, of layers that augment, and
// does not mind it in inference.
func (o *object) checkKeywords(kwargs map[string]json.RawMessage) error {
	for key, value := range kwargs {
		text := string(value)
		if isNull(value, 0) || key == "training" && (text == "false" || text == "true" && changesImages(o.Class)) {
			continue
		}
		if attends(o.Class) && (key == "use_causal_mask" || key == "return_attention_scores") && (text == "false" || text == "true" && key[0] == 'u') {
			o.causal = text == "true"
			continue
		}
		return wrong("", "is called with the argument %s=%s, which is not supported", key, clip(value))
	}
	return nil
}

// isNull says whether an argument is null, or a list of nothing else, as the masks of several tensors without one are.
func isNull(raw json.RawMessage, depth int) bool {
	if text := string(bytes.TrimSpace(raw)); text == "null" || text == "" {
		return true
	}
	parts, err := flatten(raw)
	if err != nil || len(parts) == 0 || depth > 3 {
		return false
	}
	return !slices.ContainsFunc(parts, func(p json.RawMessage) bool { return !isNull(p, depth+1) })
}

// clip shortens a piece of a configuration for a message.
func clip(raw json.RawMessage) string {
	s := strings.Join(strings.Fields(string(raw)), " ")
	if s == "" {
		return "nothing"
	}
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return s
}

// parseShape reads a shape with its batch axis, [null, 32, 32, 3]; batch is 0 where it is open. What else is open is taken from
// given, the shape of a sample that the model gets.
func parseShape(raw json.RawMessage, given nn.Shape) (batch int, sample []int, err error) {
	var dims []*int
	if err := json.Unmarshal(raw, &dims); err != nil || len(dims) < 1 {
		return 0, nil, wrong("", "expected the shape of a batch such as [null, 32, 32, 3], found %s", clip(raw))
	}
	if dims[0] != nil {
		batch = *dims[0]
	}
	for i, d := range dims[1:] {
		switch {
		case d != nil:
			sample = append(sample, *d)
		case len(given) == len(dims)-1:
			sample = append(sample, given[i])
		default:
			return 0, nil, wrong("say in Options which shape is meant, or save the model with an Input of a fixed shape",
				"the input's shape %s is open beside the batch", clip(raw))
		}
	}
	return batch, sample, nil
}

// fill puts layer and class into an error that does not have them yet.
func (o *object) fill(err error) error {
	e, ok := err.(*Error)
	if !ok {
		return &Error{Layer: o.Name, Class: o.Class, Problem: fmt.Sprint(err), Err: err}
	}
	if e.Class == "" {
		e.Class, e.Layer = o.Class, o.Name
	}
	return e
}
