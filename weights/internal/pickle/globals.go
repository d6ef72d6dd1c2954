package pickle

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Standard is what may be used of Python's own library, for [Config.Global] to begin with: containers, and the way in which
// protocol 2 writes bytes.
func Standard(name string) (value any, ok bool) {
	switch name {
	case "collections.OrderedDict", "builtins.dict", "__builtin__.dict":
		return Func(dictOf), true
	case "collections.defaultdict":
		return Func(func(args []any) (any, error) { // of a factory, which is not kept
			if len(args) > 1 {
				return dictOf(args[1:])
			}
			return &Dict{}, nil
		}), true
	case "collections.Counter":
		return Func(dictOf), true
	case "builtins.list", "__builtin__.list":
		return Func(func(args []any) (any, error) {
			items, err := itemsOf(args)
			return &List{items}, err
		}), true
	case "builtins.set", "__builtin__.set", "builtins.frozenset", "__builtin__.frozenset":
		return Func(func(args []any) (any, error) {
			items, err := itemsOf(args)
			return &Set{items}, err
		}), true
	case "builtins.tuple", "__builtin__.tuple":
		return Func(func(args []any) (any, error) {
			items, err := itemsOf(args)
			return Tuple(items), err
		}), true
	case "builtins.bytes", "__builtin__.bytes", "builtins.bytearray", "__builtin__.bytearray":
		return Func(bytesOf), true
	case "_codecs.encode":
		return Func(encode), true
	}
	for _, plain := range []string{"int", "long", "float", "bool", "str", "unicode"} { // as the factory of a defaultdict
		if name == "builtins."+plain || name == "__builtin__."+plain {
			return Class(name), true
		}
	}
	return nil, false
}

// itemsOf copies the elements of the only argument.
func itemsOf(args []any) ([]any, error) {
	if len(args) == 0 {
		return nil, nil
	}
	var items []any
	switch x := args[0].(type) {
	case *List:
		items = x.Items
	case Tuple:
		items = x
	case *Set:
		items = x.Items
	default:
		return nil, fmt.Errorf("%s instead of a list", describe(args[0]))
	}
	if len(args) > 1 {
		return nil, fmt.Errorf("%d arguments instead of one", len(args))
	}
	return append([]any(nil), items...), nil
}

// dictOf makes a dict of nothing, another dict, or a list of pairs.
func dictOf(args []any) (any, error) {
	d := &Dict{}
	if len(args) == 0 {
		return d, nil
	}
	if from, ok := args[0].(*Dict); ok && len(args) == 1 {
		for i, k := range from.Keys {
			if err := d.set(k, from.Values[i]); err != nil {
				return nil, err
			}
		}
		return d, nil
	}
	items, err := itemsOf(args)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		var pair []any
		switch x := item.(type) {
		case *List:
			pair = x.Items
		case Tuple:
			pair = x
		}
		if len(pair) != 2 {
			return nil, fmt.Errorf("%s instead of a key and a value", describe(item))
		}
		if err := d.set(pair[0], pair[1]); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// bytesOf is bytes() of nothing or of other bytes.
func bytesOf(args []any) (any, error) {
	switch {
	case len(args) == 0:
		return Bytes(""), nil
	case len(args) > 1 && args[1] == "latin-1":
		return encode(args)
	}
	if b, ok := args[0].(Bytes); ok && len(args) == 1 {
		return b, nil
	}
	return nil, fmt.Errorf("%s instead of bytes", describe(args[0]))
}

// encode is codecs.encode(text, "latin1"), by which protocols before 3 write bytes.
func encode(args []any) (any, error) {
	if len(args) != 2 || args[1] != "latin1" && args[1] != "latin-1" {
		return nil, errors.New("an encoding other than latin1")
	}
	s, ok := args[0].(string)
	if !ok {
		return nil, fmt.Errorf("%s instead of text", describe(args[0]))
	}
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < utf8.RuneSelf
	}
	if ascii {
		return Bytes(s), nil
	}
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return nil, fmt.Errorf("the character %q, which latin1 does not have", r)
		}
		out = append(out, byte(r))
	}
	return Bytes(out), nil
}
