package torch

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/internal/pickle"
)

// storage is a stretch of memory that tensors show parts of.
type storage struct {
	key      string
	dtype    string // of its elements, as weights.Tensor has it; "" for bytes of any type
	elements int64  // of dtype, or bytes
	at       int64  // offset in the file, in the legacy form
	loaded   map[string]*weights.Tensor
}

// bytes is the size of the storage.
func (s *storage) bytes() int64 {
	size := 1
	if s.dtype != "" {
		size, _ = weights.DTypeSize(s.dtype)
	}
	return s.elements * int64(size)
}

// view is a storage from an element on.
type view struct {
	*storage
	offset int64
}

// tensor is a tensor before its elements are read.
type tensor struct {
	view
	dtype          string
	offset         int64 // in elements, from the beginning of the view
	shape, strides []int
}

// storageType is a class of storages, such as torch.FloatStorage.
type storageType struct {
	name  string
	dtype string // "" for UntypedStorage
}

// elementType is a constant such as torch.float32.
type elementType struct{ dtype string }

// inert stands for classes that are named but not used.
type inert struct{ name string }

// SetState implements pickle.Stateful: the state is dropped.
func (inert) SetState(any) error { return nil }

// namespace is an object that is a dict in all but name.
type namespace struct{ state any }

// SetState implements pickle.Stateful.
func (n *namespace) SetState(state any) error {
	n.state = state
	return nil
}

// storageTypes are the prefixes of "Storage".
var storageTypes = map[string]string{"Float": "F32", "Double": "F64", "Half": "F16", "BFloat16": "BF16", "Long": "I64", "Int": "I32",
	"Short": "I16", "Char": "I8", "Byte": "U8", "Bool": "BOOL", "UInt16": "U16", "UInt32": "U32", "UInt64": "U64", "Untyped": ""}

var elementTypes = map[string]string{"float32": "F32", "float": "F32", "float64": "F64", "double": "F64", "float16": "F16", "half": "F16", "bfloat16": "BF16",
	"int64": "I64", "long": "I64", "int32": "I32", "int": "I32", "int16": "I16", "short": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL",
	"uint16": "U16", "uint32": "U32", "uint64": "U64", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2"}

// global is the list of what a file may name.
func global(name string) (any, bool) {
	if v, ok := pickle.Standard(name); ok {
		return v, true
	}
	if v, ok := numpyGlobal(name); ok {
		return v, true
	}
	switch name {
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2":
		return pickle.Func(rebuild), true
	case "torch._utils._rebuild_tensor_v3":
		return pickle.Func(rebuildTyped), true
	case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state":
		return pickle.Func(parameter), true
	case "torch._tensor._rebuild_from_type_v2":
		return pickle.Func(fromType), true
	case "torch.Size":
		return pickle.Func(func(args []any) (any, error) {
			if len(args) == 1 {
				if t, ok := args[0].(pickle.Tuple); ok {
					return t, nil
				}
			}
			return nil, errors.New("torch.Size of something else than a tuple")
		}), true
	case "torch.device":
		return pickle.Func(func([]any) (any, error) { return inert{name}, nil }), true
	case "argparse.Namespace": // the arguments of a training, as many checkpoints have them
		return pickle.Func(func([]any) (any, error) { return &namespace{}, nil }), true
	case "torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.Parameter", "torch._tensor.Tensor":
		return inert{name}, true
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch strings.TrimSuffix(name, "."+last) {
	case "torch", "torch.cuda", "torch.storage":
		if prefix, ok := strings.CutSuffix(last, "Storage"); ok {
			if dtype, ok := storageTypes[prefix]; ok {
				return storageType{last, dtype}, true
			}
		}
		if dtype, ok := elementTypes[last]; ok && name == "torch."+last {
			return elementType{dtype}, true
		}
	}
	return nil, false
}

// persistent resolves the ids of storages: ("storage", type, key, location, elements), in the legacy form with a sixth
// part that is None or (key, offset, elements) of a part of the storage.
func (d *decoder) persistent(id any) (any, error) {
	t, ok := id.(pickle.Tuple)
	if !ok || len(t) < 5 || len(t) > 6 || t[0] != any("storage") {
		return nil, fmt.Errorf("%s instead of a storage's", pickle.Describe(id))
	}
	class, ok := t[1].(storageType)
	key, named := t[2].(string)
	n, counted := t[4].(int64)
	if !ok || !named || !counted || n < 0 || len(key) > 256 {
		return nil, errors.New("a storage without type, key or size")
	}
	s := &storage{key: key, dtype: class.dtype, elements: n, at: -1}
	if n > d.limit()/max(s.bytes()/max(n, 1), 1) {
		return nil, fmt.Errorf("storage %q of %d elements in a file of %d bytes", key, n, d.size)
	}
	switch first := d.storages[key]; {
	case first == nil:
		d.storages[key] = s
	case first.dtype != s.dtype || first.elements != n:
		return nil, fmt.Errorf("storage %q has %d elements of %s here, %d of %s before", key, n, s.dtype, first.elements, first.dtype)
	default:
		s = first
	}
	v := view{s, 0}
	if len(t) == 6 && t[5] != nil {
		part, ok := t[5].(pickle.Tuple)
		if !ok || len(part) != 3 {
			return nil, errors.New("a part of a storage without its place")
		}
		offset, ok := part[1].(int64)
		length, counted := part[2].(int64)
		if !ok || !counted || offset < 0 || length < 0 || offset > n || length > n-offset {
			return nil, fmt.Errorf("a part of storage %q that lies outside of it", key)
		}
		v.offset = offset
	}
	return v, nil
}

// limit is more than any storage can have.
func (d *decoder) limit() int64 { return 1100*d.size + 1<<20 }

// rebuild is torch._utils._rebuild_tensor_v2(storage, storage_offset, size, stride, requires_grad, backward_hooks,
// metadata), of which the last three are not used.
func rebuild(args []any) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("a tensor of %d parts", len(args))
	}
	v, ok := args[0].(view)
	if !ok {
		return nil, fmt.Errorf("a tensor over %s instead of a storage", pickle.Describe(args[0]))
	}
	if v.dtype == "" {
		return nil, errors.New("a tensor without a type over a storage without one")
	}
	return newTensor(v, v.dtype, args[1:4])
}

// rebuildTyped is torch._utils._rebuild_tensor_v3(storage, storage_offset, size, stride, requires_grad, backward_hooks,
// dtype, metadata), for types that have no class of storages.
func rebuildTyped(args []any) (any, error) {
	if len(args) < 7 {
		return nil, fmt.Errorf("a tensor of %d parts", len(args))
	}
	v, ok := args[0].(view)
	e, typed := args[6].(elementType)
	if !ok || !typed {
		return nil, fmt.Errorf("a tensor of %s over %s", pickle.Describe(args[6]), pickle.Describe(args[0]))
	}
	if v.dtype != "" && v.dtype != e.dtype {
		return nil, fmt.Errorf("a tensor of %s over a storage of %s", e.dtype, v.dtype)
	}
	return newTensor(v, e.dtype, args[1:4])
}

// newTensor makes a tensor of its place, offset, size and stride.
func newTensor(v view, dtype string, place []any) (any, error) {
	offset, ok := place[0].(int64)
	shape, err := sizes(place[1])
	strides, err2 := sizes(place[2])
	if !ok || offset < 0 || offset > 1<<62 || err != nil || err2 != nil || len(shape) != len(strides) {
		return nil, fmt.Errorf("a tensor of offset %s, size %s and stride %s", pickle.Describe(place[0]), pickle.Describe(place[1]), pickle.Describe(place[2]))
	}
	return &tensor{view: v, dtype: dtype, offset: offset, shape: shape, strides: strides}, nil
}

// sizes reads a tuple of whole numbers.
func sizes(v any) ([]int, error) {
	var items []any
	switch x := v.(type) {
	case pickle.Tuple:
		items = x
	case *pickle.List:
		items = x.Items
	default:
		return nil, errors.New("no tuple")
	}
	if len(items) > 64 {
		return nil, errors.New("more than 64 axes")
	}
	out := make([]int, len(items))
	for i, item := range items {
		n, ok := item.(int64)
		if !ok || n < 0 || int64(int(n)) != n {
			return nil, errors.New("no size")
		}
		out[i] = int(n)
	}
	return out, nil
}

// parameter is torch._utils._rebuild_parameter(data, requires_grad, backward_hooks): the data.
func parameter(args []any) (any, error) {
	if len(args) == 0 {
		return nil, errors.New("a parameter without data")
	}
	if t, ok := args[0].(*tensor); ok {
		return t, nil
	}
	return nil, fmt.Errorf("a parameter of %s", pickle.Describe(args[0]))
}

// fromType is torch._tensor._rebuild_from_type_v2(function, type, arguments, state), for tensors that were given attributes.
func fromType(args []any) (any, error) {
	if len(args) < 3 {
		return nil, fmt.Errorf("a tensor of %d parts", len(args))
	}
	f, ok := args[0].(pickle.Func)
	inner, tuple := args[2].(pickle.Tuple)
	if !ok || !tuple {
		return nil, errors.New("a tensor made by something else than a function")
	}
	for _, a := range inner { // none that are costly to copy: that is counted for the outer call's only
		switch x := a.(type) {
		case *pickle.Dict: // hooks, of which none are saved
			if len(x.Keys) == 0 {
				continue
			}
		case view, int64, bool, nil, elementType, *tensor:
			continue
		case pickle.Tuple:
			if len(x) <= 64 {
				continue
			}
		}
		return nil, fmt.Errorf("a tensor made of %s", pickle.Describe(a))
	}
	v, err := f(inner)
	if _, ok := v.(*tensor); err == nil && !ok {
		return nil, errors.New("something else than a tensor")
	}
	return v, err
}
