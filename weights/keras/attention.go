package keras

import (
	"encoding/json"
	"strings"

	"github.com/stheno-ml/stheno/nn"
)

// attends says whether a class is one of attention, whose calls may ask for a causal mask.
func attends(class string) bool {
	return class == "Attention" || class == "AdditiveAttention" || class == "MultiHeadAttention"
}

// takeNamed takes the inputs of attention that are given by their names, in the order of the positional ones, out of the arguments of a call.
func (o *object) takeNamed(kwargs map[string]json.RawMessage) ([]reference, error) {
	if o.Class != "MultiHeadAttention" {
		return nil, nil
	}
	var out []reference
	for _, key := range []string{"query", "value", "key"} {
		raw, ok := kwargs[key]
		if !ok || isNull(raw, 0) {
			continue
		}
		r, _, err := parseReference(raw) // as Keras 2 has it
		found := []reference{r}
		if err != nil {
			if found, err = tensorsOf(raw, 0); err != nil {
				return nil, err
			}
		}
		out = append(out, found...)
		delete(kwargs, key)
	}
	return out, nil
}

// multiHeadAttention leaves out what Keras 2 repeats of the inputs, and axes of attention where they are those of sequences.
func multiHeadAttention(args map[string]json.RawMessage) (nn.Layer, error) {
	for _, key := range []string{"query_shape", "key_shape", "value_shape"} {
		delete(args, key)
	}
	if axes := strings.Trim(string(args["attention_axes"]), "[] \n\t"); axes != "1" && axes != "null" && axes != "" {
		return nil, wrong("", "attention_axes=%s is not supported: attention is along the steps of a sequence", clip(args["attention_axes"]))
	}
	delete(args, "attention_axes")
	return nil, nil
}

// parts are the layers that a layer is made of in Keras, in the order of the weights, as Keras 3's own layout calls them; nil for most layers.
func parts(l nn.Layer) []string {
	switch l.(type) {
	case nn.MultiHeadAttention, *nn.MultiHeadAttention:
		return []string{"query_dense", "key_dense", "value_dense", "output_dense"}
	}
	return nil
}
