package keras

import (
	"encoding/json"
	"strings"

	"github.com/stheno-ml/stheno/nn"
)

// number reads an argument that is a number; missing and null give the default.
func number(args map[string]json.RawMessage, key string, otherwise float64) (float64, error) {
	raw, ok := args[key]
	delete(args, key)
	if !ok || string(raw) == "null" {
		return otherwise, nil
	}
	var v float64
	if err := json.Unmarshal(raw, &v); err != nil {
		// Keras 2 wrote some numbers as {"class_name": "__numpy__", …} or arrays of one.
		return 0, wrong("", "expected a number as %s, found %s", key, clip(raw))
	}
	return v, nil
}

// relu is the class ReLU without its options.
func relu(args map[string]json.RawMessage) (nn.Layer, error) {
	for _, key := range []string{"max_value", "negative_slope", "threshold"} {
		v, err := number(args, key, 0)
		if err != nil {
			return nil, err
		}
		if v != 0 {
			return nil, wrong("", "%s=%v is not supported", key, v)
		}
	}
	return nn.Activation{Func: nn.ReLU}, nil
}

// softmax is the class Softmax along the last axis.
func softmax(args map[string]json.RawMessage) (nn.Layer, error) {
	axis, err := number(args, "axis", -1)
	if err != nil {
		return nil, err
	}
	if axis != -1 {
		return nil, wrong("", "axis=%v is not supported: -1 is", axis)
	}
	return nn.Activation{Func: nn.Softmax}, nil
}

// rescaling is the class Rescaling: x·scale + offset.
func rescaling(args map[string]json.RawMessage) (nn.Layer, error) {
	scale, err := number(args, "scale", 1)
	if err != nil {
		return nil, err
	}
	l := nn.Rescale{Scale: scale}
	if scale == 0 {
		return nil, wrong("", "scale=0 is not supported")
	}
	var many []float64
	if raw := args["offset"]; json.Unmarshal(raw, &many) == nil && many != nil {
		delete(args, "offset")
		l.Shift = many
		return l, nil
	}
	offset, err := number(args, "offset", 0)
	if err != nil {
		return nil, err
	}
	if offset != 0 {
		return nil, wrong("", "offset=%v is not supported: one number a channel is", offset)
	}
	return l, nil
}

// noBorder makes a border of no width, which the layers take for their defaults, an identity.
func noBorder(key string) func(map[string]json.RawMessage) (nn.Layer, error) {
	return func(args map[string]json.RawMessage) (nn.Layer, error) {
		if raw, ok := args[key]; ok && strings.Trim(string(raw), "[]0, \n\t") == "" && strings.Contains(string(raw), "0") {
			delete(args, key)
			return nn.Activation{Func: nn.Linear}, nil
		}
		return nil, nil
	}
}
