package torch

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/internal/npy"
	"github.com/stheno-ml/stheno/weights/internal/pickle"
)

// Arrays and numbers of NumPy occur in checkpoints beside tensors, and alone in pickles of weights.

// ndarray is an array of NumPy.
type ndarray struct {
	dtype   *npyType
	shape   []int
	fortran bool
	data    pickle.Bytes
}

// npyType is a dtype of NumPy.
type npyType struct {
	kind  string // such as "f4"
	order string // "<", ">", "|" or "="
}

// numpyGlobal is the part of the list that is NumPy's.
func numpyGlobal(name string) (any, bool) {
	name = strings.Replace(name, "numpy._core.", "numpy.core.", 1) // its name since NumPy 2
	switch name {
	case "numpy.ndarray":
		return inert{name}, true
	case "numpy.core.multiarray._reconstruct":
		return pickle.Func(func([]any) (any, error) { return &ndarray{}, nil }), true
	case "numpy.core.multiarray.scalar":
		return pickle.Func(npyScalar), true
	case "numpy.core.numeric._frombuffer":
		return pickle.Func(frombuffer), true
	case "numpy.dtype":
		return pickle.Func(func(args []any) (any, error) {
			if len(args) > 0 {
				if kind, ok := args[0].(string); ok && len(kind) < 16 {
					return &npyType{kind: kind, order: "|"}, nil
				}
			}
			return nil, errors.New("a dtype without a name")
		}), true
	}
	return nil, false
}

// SetState implements pickle.Stateful: (version, byte order, …).
func (t *npyType) SetState(state any) error {
	s, ok := state.(pickle.Tuple)
	if !ok || len(s) < 2 {
		return errors.New("a dtype's state that is no tuple")
	}
	if t.order, ok = s[1].(string); !ok || len(t.order) != 1 {
		return errors.New("a dtype without a byte order")
	}
	return nil
}

// SetState implements pickle.Stateful: (version, shape, dtype, in Fortran's order, bytes).
func (a *ndarray) SetState(state any) (err error) {
	s, ok := state.(pickle.Tuple)
	if !ok || len(s) != 5 {
		return errors.New("an array's state that is no tuple of five")
	}
	if a.shape, err = sizes(s[1]); err != nil {
		return err
	}
	a.dtype, ok = s[2].(*npyType)
	if !ok {
		return errors.New("an array without a dtype")
	}
	switch f := s[3].(type) {
	case bool:
		a.fortran = f
	case int64:
		a.fortran = f != 0
	}
	return a.setData(s[4])
}

func (a *ndarray) setData(v any) error {
	switch x := v.(type) {
	case pickle.Bytes:
		a.data = x
	case string: // of Python 2, where bytes and text are one
		a.data = pickle.Bytes(x)
	default:
		return fmt.Errorf("an array of %s instead of bytes (an array of objects?)", pickle.Describe(v))
	}
	return nil
}

// frombuffer is protocol 5's way: (bytes, dtype, shape, order).
func frombuffer(args []any) (any, error) {
	if len(args) != 4 {
		return nil, errors.New("an array of other than four parts")
	}
	a := &ndarray{fortran: args[3] == any("F")}
	var ok bool
	var err error
	if a.dtype, ok = args[1].(*npyType); !ok {
		return nil, errors.New("an array without a dtype")
	}
	if a.shape, err = sizes(args[2]); err != nil {
		return nil, err
	}
	return a, a.setData(args[0])
}

// npyScalar is a single number: (dtype, bytes).
func npyScalar(args []any) (any, error) {
	if len(args) != 2 {
		return nil, errors.New("a number of other than two parts")
	}
	a := &ndarray{}
	var ok bool
	if a.dtype, ok = args[0].(*npyType); !ok {
		return nil, errors.New("a number without a dtype")
	}
	if err := a.setData(args[1]); err != nil {
		return nil, err
	}
	t, err := a.tensor("")
	if err != nil {
		return nil, err
	}
	switch d := t.Data.(type) {
	case []float64:
		return d[0], nil
	case []float32:
		return float64(d[0]), nil
	case []int64:
		return d[0], nil
	case []int32:
		return int64(d[0]), nil
	}
	return inert{"number of " + t.DType}, nil
}

// tensor makes the array a tensor.
func (a *ndarray) tensor(name string) (weights.Tensor, error) {
	if a.dtype == nil {
		return weights.Tensor{}, errors.New("an array without a state")
	}
	t, err := npy.ParseType(a.dtype.order + a.dtype.kind)
	if err != nil {
		return weights.Tensor{}, err
	}
	return npy.ReadData(strings.NewReader(string(a.data)), int64(len(a.data)), name, t, a.shape, a.fortran)
}

func (c *collector) array(a *ndarray) (weights.Tensor, error) {
	if err := c.spend(c.name(), 2*int64(len(a.data))); err != nil {
		return weights.Tensor{}, err
	}
	t, err := a.tensor(c.name())
	return t, c.inTensor(err)
}
