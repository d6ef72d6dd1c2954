package keras

import (
	"encoding/json"
	"math"
	"strings"

	"github.com/stheno-ml/stheno/nn"
)

// rescaling takes lists of numbers, one a channel, as well.
func rescaling(args map[string]json.RawMessage) (nn.Layer, error) {
	for _, key := range []string{"scale", "offset"} {
		if raw := args[key]; len(raw) > 0 && raw[0] == '[' {
			args[key+"s"] = raw
			delete(args, key)
		}
	}
	return nil, nil
}

// normalization takes mean and variance as lists, however deep, along one axis. Where there are none they are weights.
func normalization(args map[string]json.RawMessage) (nn.Layer, error) {
	var l nn.Normalization
	for key, to := range map[string]*[]float64{"mean": &l.Mean, "variance": &l.Variance} {
		raw := args[key]
		delete(args, key)
		if len(raw) == 0 || string(raw) == "null" {
			if string(args["axis"]) == "null" {
				return nil, wrong("give mean and variance to the layer in Keras", "with axis=null, %s was adapted to data, which is not supported without the weights", key)
			}
			continue
		}
		if err := json.Unmarshal([]byte("["+strings.NewReplacer("[", "", "]", "").Replace(string(raw))+"]"), to); err != nil {
			return nil, wrong("", "expected numbers as %s, found %s", key, clip(raw))
		}
	}
	axis := args["axis"]
	if string(axis) == "null" && (len(l.Mean) > 1 || len(l.Variance) > 1) {
		return nil, wrong("", "axis=null with several numbers is not supported")
	}
	if len(axis) > 0 && axis[0] == '[' {
		args["axis"] = json.RawMessage(strings.Trim(string(axis), "[] "))
		if string(args["axis"]) == "" {
			delete(args, "axis")
		}
	}
	return l, nil
}

// embedding drops the length of the input, which Keras 2 kept and nothing depends on.
func embedding(args map[string]json.RawMessage) (nn.Layer, error) {
	delete(args, "input_length")
	return nil, nil
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

// valueRange is the name of that argument's field.
var valueRange = map[string]string{"value_range": "Range"}

// equalFactors makes two equal numbers of a single one, which files of Keras 2 hold.
func equalFactors(args map[string]json.RawMessage) (nn.Layer, error) {
	return nil, pairFactor(args, "factor", func(f float64) [2]float64 { return [2]float64{f, f} })
}

// evenFactors makes, of single numbers, numbers on both sides of 0.
func evenFactors(names ...string) func(map[string]json.RawMessage) (nn.Layer, error) {
	return func(args map[string]json.RawMessage) (nn.Layer, error) {
		for _, name := range names {
			if err := pairFactor(args, name, func(f float64) [2]float64 { return [2]float64{-math.Abs(f), math.Abs(f)} }); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
}

// randomZoom makes a width_factor of 0 what package nn calls otherwise than none at all.
func randomZoom(args map[string]json.RawMessage) (nn.Layer, error) {
	_, err := evenFactors("height_factor", "width_factor")(args)
	var width []float64
	if json.Unmarshal(args["width_factor"], &width) == nil && len(width) == 2 && width[0] == 0 && width[1] == 0 {
		delete(args, "width_factor")
		args["fixed_width"] = json.RawMessage("true")
	}
	return nil, err
}

func pairFactor(args map[string]json.RawMessage, name string, pair func(float64) [2]float64) error {
	var f *float64
	if json.Unmarshal(args[name], &f) != nil || f == nil {
		return nil // two numbers, or none
	}
	raw, err := json.Marshal(pair(*f))
	args[name] = raw
	return err
}

// resizing drops how borders are filled, as there are none.
func resizing(args map[string]json.RawMessage) (nn.Layer, error) {
	if string(args["pad_to_aspect_ratio"]) == "true" {
		return nil, wrong("", "pad_to_aspect_ratio=true is not supported")
	}
	delete(args, "fill_mode")
	delete(args, "fill_value")
	return nil, nil
}

// randomCrop says why there is none.
func randomCrop(map[string]json.RawMessage) (nn.Layer, error) {
	return nil, wrong("put CenterCrop in its place in Keras, whose result is what the layers behind it are for, and convert that model",
		"RandomCrop is not supported: in inference Keras 2 cuts out the middle and Keras 3 hands images on as they are")
}
