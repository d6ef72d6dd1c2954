package keras

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/nn"
)

// setFields puts arguments into the fields of a layer: "kernel_initializer" into KernelInitializer; "use_bias" into NoBias,
// and "center" into NoCenter, inverted; or where the class says. What has no field must be null, false, or the fixed value.
func setFields(to reflect.Value, c class, args map[string]json.RawMessage) error {
	for _, key := range slices.Sorted(maps.Keys(args)) {
		raw := args[key]
		if common[key] {
			continue
		}
		name, invert := fieldOf(to, c, key)
		text := string(raw)
		switch {
		case c.fixed[key] == text && text != "":
		case name != "" && text == "null":
			// None is the default of every argument that can be None.
		case name != "":
			if err := setField(to.FieldByName(name), raw, invert); err != nil {
				return wrong("", "%s=%s is not supported: %s", key, clip(raw), err)
			}
			if to.FieldByName(name).IsZero() && slices.Contains(c.nonzero, key) {
				return wrong("", "%s=0 is not supported", key)
			}
		case text != "null" && text != "false":
			return wrong("", "the option %s=%s is not supported", key, clip(raw))
		}
	}
	return nil
}

// fieldOf is the name of an argument's field, or "".
func fieldOf(to reflect.Value, c class, key string) (name string, invert bool) {
	find := func(name string) (string, bool) {
		f, ok := to.Type().FieldByNameFunc(func(field string) bool { return strings.EqualFold(field, name) })
		return f.Name, ok
	}
	for _, name := range []string{c.fields[key], strings.ReplaceAll(key, "_", ""), synonyms[key]} {
		if name == "" {
			continue
		}
		name, invert = strings.CutPrefix(name, "!")
		if name, ok := find(name); ok && name != "Name" {
			return name, invert
		}
	}
	if name, ok := find("No" + strings.ReplaceAll(strings.TrimPrefix(key, "use_"), "_", "")); ok && to.FieldByName(name).Kind() == reflect.Bool {
		return name, true
	}
	return "", false
}

// setField converts a value to the type of a field.
func setField(to reflect.Value, raw json.RawMessage, invert bool) error {
	switch p := to.Addr().Interface().(type) {
	case *nn.Initializer:
		return setObject(p, raw, initializers)
	case *nn.Regularizer:
		return setObject(p, raw, regularizers)
	case *nn.Constraint:
		return setObject(p, raw, constraints)
	case *[2][2]int:
		return setBorder(p, raw)
	case *[2]float64:
		var list []float64
		if err := json.Unmarshal(raw, &list); err != nil || len(list) != 2 {
			return fmt.Errorf("a list of two numbers is")
		}
		copy(p[:], list)
		return nil
	}
	switch to.Kind() {
	case reflect.Bool:
		var v bool
		if err := json.Unmarshal(raw, &v); err != nil {
			return fmt.Errorf("true or false is")
		}
		to.SetBool(v != invert)
	case reflect.Int:
		v, err := integers(raw, 1)
		if err != nil {
			return err
		}
		to.SetInt(int64(v[0]))
	case reflect.Array:
		v, err := integers(raw, to.Len())
		if err != nil {
			return err
		}
		for i := range v {
			to.Index(i).SetInt(int64(v[i]))
		}
	case reflect.Float64:
		var v float64
		if err := json.Unmarshal(raw, &v); err != nil {
			return fmt.Errorf("a number is")
		}
		to.SetFloat(v)
	case reflect.String:
		var v string
		if err := json.Unmarshal(raw, &v); err != nil {
			return fmt.Errorf("a name is")
		}
		to.SetString(v)
	case reflect.Pointer:
		v := reflect.New(to.Type().Elem())
		if err := setField(v.Elem(), raw, invert); err != nil {
			return err
		}
		to.Set(v)
	case reflect.Slice:
		v := reflect.New(to.Type())
		if err := json.Unmarshal(raw, v.Interface()); err != nil {
			// One number may stand for a list of one.
			if err := json.Unmarshal(fmt.Appendf(nil, "[%s]", raw), v.Interface()); err != nil {
				return fmt.Errorf("a list of numbers is")
			}
		}
		to.Set(v.Elem())
	default:
		return fmt.Errorf("%s has no such value", to.Type())
	}
	return nil
}

// integers reads a whole number, or a list of n of them; one number stands for n.
func integers(raw json.RawMessage, n int) ([]int, error) {
	var list []float64
	var one float64
	if json.Unmarshal(raw, &one) == nil {
		for range n {
			list = append(list, one)
		}
	} else if json.Unmarshal(raw, &list) != nil || len(list) != n {
		return nil, fmt.Errorf("a whole number or a list of %d is", n)
	}
	out := make([]int, n)
	for i, v := range list {
		if v != math.Trunc(v) || math.Abs(v) > 1<<31 {
			return nil, fmt.Errorf("whole numbers are")
		}
		out[i] = int(v)
	}
	return out, nil
}

// setBorder reads widths as Keras takes them: n, [rows, columns], or [[top, bottom], [left, right]].
func setBorder(to *[2][2]int, raw json.RawMessage) error {
	if v, err := integers(raw, 2); err == nil {
		*to = [2][2]int{{v[0], v[0]}, {v[1], v[1]}}
		return nil
	}
	var sides []json.RawMessage
	if err := json.Unmarshal(raw, &sides); err != nil || len(sides) != 2 {
		return fmt.Errorf("n, [rows, columns] or [[top, bottom], [left, right]] is")
	}
	for i := range sides {
		v, err := integers(sides[i], 2)
		if err != nil {
			return err
		}
		to[i] = [2]int{v[0], v[1]}
	}
	return nil
}
