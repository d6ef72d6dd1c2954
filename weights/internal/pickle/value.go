package pickle

import (
	"fmt"
	"math/big"
)

// Bytes is Python's bytes or bytearray, not text.
type Bytes string

// Tuple is Python's tuple.
type Tuple []any

// List is Python's list.
type List struct{ Items []any }

// Set is Python's set or frozenset, in the order of the file; equal elements are kept.
type Set struct{ Items []any }

// Dict is Python's dict, OrderedDict or defaultdict: keys and values in the order of the file.
type Dict struct {
	Keys, Values []any
	index        map[any]int
}

// maxKey bounds texts used as keys, which are hashed each time: a long one could be named again and again at little cost
// to the file.
const maxKey = 1 << 16

// Get returns the value under a key of text.
func (d *Dict) Get(key string) (any, bool) {
	i, ok := d.index[key]
	if !ok {
		return nil, false
	}
	return d.Values[i], true
}

// set puts a value under a key; a key that is there already gets another value. Keys that Go cannot compare, such as
// tuples, are kept as entries of their own.
func (d *Dict) set(key, value any) error {
	switch k := key.(type) {
	case string:
		if len(k) > maxKey {
			return fmt.Errorf("keys of at most %d bytes, found one of %d", maxKey, len(k))
		}
	case Bytes:
		if len(k) > maxKey {
			return fmt.Errorf("keys of at most %d bytes, found one of %d", maxKey, len(k))
		}
	case nil, bool, int64, float64:
	default:
		d.Keys, d.Values = append(d.Keys, key), append(d.Values, value)
		return nil
	}
	if i, ok := d.index[key]; ok {
		d.Values[i] = value
		return nil
	}
	if d.index == nil {
		d.index = map[any]int{}
	}
	d.index[key] = len(d.Keys)
	d.Keys, d.Values = append(d.Keys, key), append(d.Values, value)
	return nil
}

// Func is what stands for a function or class of Python that may be called: it makes a value of arguments.
type Func func(args []any) (any, error)

// Class is a class of Python that is named and cannot be called.
type Class string

// Stateful is implemented by values that take the state which Python's __setstate__ would.
type Stateful interface{ SetState(state any) error }

// describe names a value in a message.
func describe(v any) string {
	switch x := v.(type) {
	case nil:
		return "None"
	case bool, int64, float64:
		return fmt.Sprint(x)
	case string:
		return fmt.Sprintf("the text %q", clip(x))
	case Bytes:
		return fmt.Sprintf("%d bytes", len(x))
	case Tuple:
		return fmt.Sprintf("a tuple of %d", len(x))
	case *List:
		return fmt.Sprintf("a list of %d", len(x.Items))
	case *Dict:
		return fmt.Sprintf("a dict of %d", len(x.Keys))
	case *Set:
		return fmt.Sprintf("a set of %d", len(x.Items))
	case *big.Int:
		return fmt.Sprintf("an integer of %d bits", x.BitLen())
	case Class:
		return "the class " + clip(string(x))
	case Func:
		return "a function"
	case mark:
		return "a mark"
	}
	return fmt.Sprintf("%T", v)
}

// Describe names a value in a message, in Python's words.
func Describe(v any) string { return describe(v) }
