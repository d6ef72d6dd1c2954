package numtest

import (
	"fmt"
	"math"
	"testing"

	"gorgonia.org/tensor"
)

// AssertClose fails the test, without ending it, when an element of got is further from want than tol allows, and
// reports whether all were near enough. NaN equals NaN only, an infinity only itself. want and got are each a []float32,
// []float64, []int, float32, float64, int, a *tensor.Dense, a gorgonia.Value (anything with Data()), or a *Tensor.
// Shapes are compared when both sides have one. msg says what is compared; the report adds the worst element, both
// values, the absolute and relative error, and the number of bad elements.
func AssertClose(t testing.TB, want, got any, tol Tolerance, msg string) bool {
	t.Helper()
	w, wantShape, err := values(want)
	if err != nil {
		t.Errorf("%s: want: %v", msg, err)
		return false
	}
	g, gotShape, err := values(got)
	if err != nil {
		t.Errorf("%s: got: %v", msg, err)
		return false
	}
	if wantShape != nil && gotShape != nil && !wantShape.Eq(gotShape) {
		t.Errorf("%s: want shape %v, got %v", msg, wantShape, gotShape)
		return false
	}
	if len(w) != len(g) {
		t.Errorf("%s: want %d elements, got %d", msg, len(w), len(g))
		return false
	}
	if worst := compare(w, g, tol); worst.bad > 0 {
		t.Errorf("%s: %s", msg, worst.describe(w, g, wantShape))
		return false
	}
	return true
}

// difference is the result of a comparison: the number of elements out of tolerance and the worst of them.
type difference struct {
	bad, index int
	allowed    float64
	excess     float64
}

func compare(want, got []float64, tol Tolerance) difference {
	scale := 0.0
	for _, v := range want {
		if a := math.Abs(v); a > scale && !math.IsInf(a, 0) {
			scale = a
		}
	}
	var d difference
	for i, w := range want {
		allowed := tol.Rel*math.Abs(w) + tol.Norm*scale + tol.Abs
		excess := 0.0
		switch g := got[i]; {
		case w == g || math.IsNaN(w) && math.IsNaN(g):
			continue
		case math.IsNaN(w) || math.IsNaN(g) || math.IsInf(w, 0) || math.IsInf(g, 0):
			excess = math.Inf(1)
		case math.Abs(w-g) <= allowed:
			continue
		case allowed == 0:
			excess = math.MaxFloat64
		default:
			excess = math.Abs(w-g) / allowed
		}
		d.bad++
		if excess > d.excess {
			d.excess, d.index, d.allowed = excess, i, allowed
		}
	}
	return d
}

func (d difference) describe(want, got []float64, shape tensor.Shape) string {
	at := fmt.Sprint(d.index)
	if len(shape) > 1 {
		at = fmt.Sprintf("%d %v", d.index, coordinates(d.index, shape))
	}
	w, g := want[d.index], got[d.index]
	return fmt.Sprintf("%d of %d elements out of tolerance; worst is element %s: want %v, got %v, error %.3g, relative %.3g, allowed %.3g",
		d.bad, len(want), at, w, g, math.Abs(w-g), math.Abs(w-g)/math.Abs(w), d.allowed)
}

func coordinates(index int, shape tensor.Shape) []int {
	c := make([]int, len(shape))
	for i := len(shape) - 1; i >= 0; i-- {
		c[i] = index % shape[i]
		index /= shape[i]
	}
	return c
}

// values turns what AssertClose accepts into float64s and, for tensors, a shape; the shape of a bare slice is nil.
func values(x any) ([]float64, tensor.Shape, error) {
	switch v := x.(type) {
	case nil:
		return nil, nil, fmt.Errorf("nothing to compare (nil)")
	case []float64:
		return v, nil, nil
	case []float32:
		return widen(v), nil, nil
	case []int:
		return widen(v), nil, nil
	case float64:
		return []float64{v}, nil, nil
	case float32:
		return []float64{float64(v)}, nil, nil
	case int:
		return []float64{float64(v)}, nil, nil
	case *Tensor:
		return v.Data, tensor.Shape(v.Shape), nil
	case tensor.Tensor:
		if v.RequiresIterator() {
			v = tensor.Materialize(v)
		}
		data, _, err := values(v.Data())
		return data, v.Shape(), err
	case interface {
		Data() any
		Shape() tensor.Shape
	}:
		data, _, err := values(v.Data())
		return data, v.Shape(), err
	}
	return nil, nil, fmt.Errorf("cannot compare a %T", x)
}

func widen[T float32 | int](in []T) []float64 {
	out := make([]float64, len(in))
	for i, v := range in {
		out[i] = float64(v)
	}
	return out
}
