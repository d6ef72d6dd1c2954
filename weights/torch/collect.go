package torch

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/internal/pickle"
)

const (
	maxDepth = 64      // dicts in dicts
	maxNodes = 1 << 22 // values looked at: the same dict may be met on many ways
)

// collector walks through the file's value.
type collector struct {
	*decoder
	file  *File
	path  []string
	nodes int
	names map[string]bool
}

// collect finds the tensors below root and reads them.
func (d *decoder) collect(root any) (*File, error) {
	c := &collector{decoder: d, file: &File{Values: map[string]any{}}, names: map[string]bool{}}
	if err := c.walk(root); err != nil {
		return nil, err
	}
	if len(c.file.Tensors) == 0 {
		return nil, fail("", "holds %s and no tensor", pickle.Describe(root))
	}
	return c.file, nil
}

func (c *collector) walk(v any) error {
	if c.nodes++; c.nodes > maxNodes {
		return fail("", "holds more than %d values, counting those that are reached on several ways", maxNodes)
	}
	if len(c.path) > maxDepth {
		return fail("", "is nested more than %d deep", maxDepth)
	}
	switch x := v.(type) {
	case *tensor:
		t, err := c.read(x)
		if err != nil {
			return err
		}
		return c.add(t)
	case *ndarray:
		t, err := c.array(x)
		if err != nil {
			return err
		}
		return c.add(t)
	case *pickle.Dict:
		for i, k := range x.Keys {
			name, ok := keyName(k)
			if !ok { // such as a tuple; a tensor below must not be lost for it
				name = fmt.Sprintf("key %d (%s)", i, pickle.Describe(k))
			}
			if err := c.down(name, x.Values[i]); err != nil {
				return err
			}
		}
	case *pickle.List:
		return c.each(x.Items)
	case pickle.Tuple:
		return c.each(x)
	case *pickle.Set:
		return c.each(x.Items)
	case *namespace:
		return c.walk(x.state)
	case bool, int64, float64, string:
		if len(c.path) == 1 {
			c.file.Values[c.path[0]] = v
		}
	}
	return nil
}

func (c *collector) each(items []any) error {
	for i, item := range items {
		if err := c.down(strconv.Itoa(i), item); err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) down(name string, v any) error {
	c.path = append(c.path, name)
	err := c.walk(v)
	c.path = c.path[:len(c.path)-1]
	return err
}

// keyName is the name that a dict's key gives.
func keyName(k any) (string, bool) {
	switch x := k.(type) {
	case string:
		return x, true
	case int64:
		return strconv.FormatInt(x, 10), true
	case pickle.Bytes:
		return string(x), true
	}
	return "", false
}

// name is the name of a tensor that was just met.
func (c *collector) name() string {
	if len(c.path) == 0 {
		return "tensor" // the file holds nothing else
	}
	return strings.Join(c.path, ".")
}

func (c *collector) add(t weights.Tensor) error {
	const longest = 1 << 12
	if len(t.Name) > longest {
		return fail("", "has a tensor whose name has %d bytes, more than %d", len(t.Name), longest)
	}
	if c.names[t.Name] {
		return fail("", "has two tensors called %q", t.Name)
	}
	c.names[t.Name] = true
	c.file.Tensors = append(c.file.Tensors, t)
	return nil
}

// read reads a tensor's storage, unless it has been read, and takes the tensor out of it.
func (c *collector) read(t *tensor) (weights.Tensor, error) {
	s := t.storage
	flat := s.loaded[t.dtype]
	if flat == nil {
		if s.loaded == nil {
			s.loaded = map[string]*weights.Tensor{}
		} else if err := c.spend(c.name(), s.bytes()); err != nil { // of another type: read again
			return weights.Tensor{}, err
		}
		loaded, err := c.load(s, t.dtype)
		if err != nil {
			return loaded, c.inTensor(err)
		}
		flat = &loaded
		s.loaded[t.dtype] = flat
	}
	n, ok := weights.Elements(t.shape)
	size, _ := weights.DTypeSize(t.dtype)
	stored := s.bytes() / int64(size)
	if !ok || int64(n) > stored {
		return weights.Tensor{}, fail("in Python, save a copy of it: tensor.clone()", "tensor %q of shape %v has more elements than the %d of its storage", c.name(), t.shape, stored)
	}
	if !inOrder(t.shape, t.strides) {
		if err := c.spend(c.name(), int64(n)*int64(size)); err != nil {
			return weights.Tensor{}, err
		}
	}
	offset := t.view.offset + t.offset
	if int64(int(offset)) != offset {
		return weights.Tensor{}, fail("", "tensor %q lies at element %d", c.name(), offset)
	}
	v, err := flat.View(c.name(), int(offset), t.shape, t.strides)
	return v, c.inTensor(err)
}

// inTensor says in which tensor something is wrong.
func (c *collector) inTensor(err error) error {
	if err == nil {
		return nil
	}
	if own, ok := errors.AsType[*Error](err); ok {
		own.Reason = fmt.Sprintf("tensor %q: %s", c.name(), own.Reason)
		return own
	}
	return &Error{Reason: fmt.Sprintf("tensor %q: %s", c.name(), strings.TrimPrefix(err.Error(), "weights: ")), Err: err}
}

// inOrder says whether elements lie in row-major order without gaps.
func inOrder(shape, strides []int) bool {
	next := 1
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] != 1 && strides[i] != next {
			return false
		}
		next *= shape[i]
	}
	return true
}
