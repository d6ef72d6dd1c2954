package keras

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/nn"
)

// maker makes an initializer, regularizer or constraint of its arguments.
type maker[T any] func(a *arguments) T

// arguments reads the configuration of such an object and keeps the first mistake.
type arguments struct {
	raw map[string]json.RawMessage
	err error
}

// number is an argument; missing and null give the default.
func (a *arguments) number(key string, otherwise float64) float64 {
	v, err := number(a.raw, key, otherwise)
	if err != nil && a.err == nil {
		a.err = fmt.Errorf("%s is no number", key)
	}
	return v
}

// number reads an argument that is a number; missing and null give the default.
func number(args map[string]json.RawMessage, key string, otherwise float64) (float64, error) {
	raw, ok := args[key]
	delete(args, key)
	if !ok || string(raw) == "null" {
		return otherwise, nil
	}
	var v float64
	if err := json.Unmarshal(raw, &v); err != nil {
		return 0, wrong("", "expected a number as %s, found %s", key, clip(raw))
	}
	return v, nil
}

// nonzero is a number whose zero would mean another one.
func (a *arguments) nonzero(key string, otherwise float64) float64 {
	v := a.number(key, otherwise)
	if v == 0 && a.err == nil {
		a.err = fmt.Errorf("%s=0 is not supported", key)
	}
	return v
}

// axes is the argument axis: a number or a list.
func (a *arguments) axes() []int {
	raw, ok := a.raw["axis"]
	delete(a.raw, "axis")
	if !ok {
		return nil
	}
	var list []int
	if json.Unmarshal(raw, &list) != nil && json.Unmarshal(fmt.Appendf(nil, "[%s]", raw), &list) != nil && a.err == nil {
		a.err = fmt.Errorf("axis is no number or list of numbers")
	}
	return list
}

// text is an argument that is a name.
func (a *arguments) text(key, otherwise string) string {
	raw, ok := a.raw[key]
	delete(a.raw, key)
	v := otherwise
	if ok && json.Unmarshal(raw, &v) != nil && a.err == nil {
		a.err = fmt.Errorf("%s is no name", key)
	}
	return v
}

// initializers by class; Keras 1 and 2 also write the names of the functions.
var initializers = map[string]maker[nn.Initializer]{
	"Zeros":         func(*arguments) nn.Initializer { return nn.Zeros{} },
	"Ones":          func(*arguments) nn.Initializer { return nn.Ones{} },
	"Constant":      func(a *arguments) nn.Initializer { return nn.Constant{Value: a.number("value", 0)} },
	"GlorotUniform": func(*arguments) nn.Initializer { return nn.GlorotUniform{} },
	"GlorotNormal":  func(*arguments) nn.Initializer { return nn.GlorotNormal{} },
	"HeUniform":     func(*arguments) nn.Initializer { return nn.HeUniform{} },
	"HeNormal":      func(*arguments) nn.Initializer { return nn.HeNormal{} },
	"LecunUniform":  func(*arguments) nn.Initializer { return nn.LecunUniform{} },
	"LecunNormal":   func(*arguments) nn.Initializer { return nn.LecunNormal{} },
	"RandomNormal": func(a *arguments) nn.Initializer {
		return nn.RandomNormal{Mean: a.number("mean", 0), Stddev: a.nonzero("stddev", 0.05)}
	},
	"TruncatedNormal": func(a *arguments) nn.Initializer {
		return nn.TruncatedNormal{Mean: a.number("mean", 0), Stddev: a.nonzero("stddev", 0.05)}
	},
	"RandomUniform": func(a *arguments) nn.Initializer {
		return nn.RandomUniform{Min: a.number("minval", -0.05), Max: a.number("maxval", 0.05)}
	},
	"VarianceScaling": func(a *arguments) nn.Initializer {
		v := nn.VarianceScaling{Scale: a.nonzero("scale", 1), Mode: nn.FanMode(a.text("mode", "fan_in")),
			Distribution: nn.Distribution(a.text("distribution", "truncated_normal"))}
		if v.Distribution == "normal" { // until Keras 2.2.3
			v.Distribution = nn.TruncatedNormalDistribution
		}
		return v
	},
	"Orthogonal": func(a *arguments) nn.Initializer { return nn.Orthogonal{Gain: a.nonzero("gain", 1)} },
	"Identity":   func(a *arguments) nn.Initializer { return nn.Identity{Gain: a.nonzero("gain", 1)} },
}

// regularizers by class.
var regularizers = map[string]maker[nn.Regularizer]{
	"L1": func(a *arguments) nn.Regularizer { return nn.L1(a.number("l1", 0.01)) },
	"L2": func(a *arguments) nn.Regularizer { return nn.L2(a.number("l2", 0.01)) },
	"L1L2": func(a *arguments) nn.Regularizer { // Keras 2 wrote this class for the other two as well
		l := nn.L1L2{L1: a.number("l1", 0), L2: a.number("l2", 0)}
		switch {
		case l.L1 == 0:
			return nn.L2(l.L2)
		case l.L2 == 0:
			return nn.L1(l.L1)
		}
		return l
	},
	"OrthogonalRegularizer": func(a *arguments) nn.Regularizer {
		return nn.OrthogonalRegularizer{Factor: a.nonzero("factor", 0.01), Columns: a.text("mode", "rows") == "columns"}
	},
}

// constraints by class.
var constraints = map[string]maker[nn.Constraint]{
	"MaxNorm": func(a *arguments) nn.Constraint {
		return nn.MaxNorm{MaxValue: a.nonzero("max_value", 2), Axis: a.axes()}
	},
	"MinMaxNorm": func(a *arguments) nn.Constraint {
		return nn.MinMaxNorm{MinValue: a.number("min_value", 0), MaxValue: a.nonzero("max_value", 1), Rate: a.nonzero("rate", 1), Axis: a.axes()}
	},
	"NonNeg":   func(*arguments) nn.Constraint { return nn.NonNeg{} },
	"UnitNorm": func(a *arguments) nn.Constraint { return nn.UnitNorm{Axis: a.axes()} },
}

// setObject reads {"class_name": "HeNormal", "config": {…}}, or the name alone.
func setObject[T any](to *T, raw json.RawMessage, known map[string]maker[T]) error {
	var o object
	var name string
	if json.Unmarshal(raw, &name) == nil {
		o.Class = name
	} else if err := json.Unmarshal(raw, &o); err != nil {
		return fmt.Errorf("%v", err)
	}
	supported := func() error {
		if len(known) == 0 {
			return fmt.Errorf("none is")
		}
		return fmt.Errorf("%s are", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	mk, ok := known[o.Class]
	if !ok { // he_normal is HeNormal; l2 is L2
		for class := range known {
			if strings.EqualFold(class, strings.ReplaceAll(o.Class, "_", "")) {
				mk, ok = known[class], true
			}
		}
	}
	if !ok {
		return supported()
	}
	a := &arguments{raw: map[string]json.RawMessage{}}
	if len(o.Config) > 0 && string(o.Config) != "null" {
		if err := json.Unmarshal(o.Config, &a.raw); err != nil {
			return fmt.Errorf("its config is no JSON object")
		}
	}
	for _, ignored := range []string{"seed", "dtype", "input_axes", "output_axes", "layout"} {
		delete(a.raw, ignored)
	}
	v := mk(a)
	for _, key := range slices.Sorted(maps.Keys(a.raw)) {
		if text := string(a.raw[key]); text != "null" && text != "false" && a.err == nil {
			a.err = fmt.Errorf("%s=%s is unknown", key, clip(a.raw[key]))
		}
	}
	if a.err != nil {
		return a.err
	}
	*to = v
	return nil
}
