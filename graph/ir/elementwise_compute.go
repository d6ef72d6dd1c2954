package ir

import (
	"fmt"

	"github.com/stheno-ml/stheno/graph/op"
)

func unary[T op.Float](f UnaryFn, y, x []T) {
	for i, v := range x {
		y[i] = T(f.Of(float64(v)))
	}
}

func binary[T op.Float](f BinaryFn, out op.Array, a, b []T) error {
	switch y := out.Data.(type) {
	case []T:
		for i := range y {
			y[i] = T(f.Of(float64(a[i]), float64(b[i])))
		}
	case []bool:
		if !f.Compares() {
			return fmt.Errorf("ir: %s has no boolean result", f)
		}
		for i := range y {
			y[i] = compare(f, a[i], b[i])
		}
	default:
		return fmt.Errorf("ir: %s of floats has a result of %v", f, out.Dtype())
	}
	return nil
}

func binaryInt(f BinaryFn, out op.Array, a, b []int) error {
	if y, ok := out.Data.([]bool); ok && f.Compares() {
		for i := range y {
			y[i] = compare(f, a[i], b[i])
		}
		return nil
	}
	y, ok := out.Data.([]int)
	if !ok {
		return fmt.Errorf("ir: %s of integers has a result of %v", f, out.Dtype())
	}
	for i := range y {
		switch {
		case f == Add:
			y[i] = a[i] + b[i]
		case f == Sub:
			y[i] = a[i] - b[i]
		case f == Mul:
			y[i] = a[i] * b[i]
		case f == Div && b[i] == 0:
			return fmt.Errorf("ir: element %d is divided by the integer 0", i)
		case f == Div:
			y[i] = a[i] / b[i]
		case f == Min:
			y[i] = min(a[i], b[i])
		case f == Max:
			y[i] = max(a[i], b[i])
		case f.Compares():
			y[i] = 0
			if compare(f, a[i], b[i]) {
				y[i] = 1
			}
		default:
			return fmt.Errorf("ir: %s takes floats, got int", f)
		}
	}
	return nil
}

func compare[T op.Float | ~int](f BinaryFn, a, b T) bool {
	switch f {
	case Lt:
		return a < b
	case Gt:
		return a > b
	case Lte:
		return a <= b
	case Gte:
		return a >= b
	case Eq:
		return a == b
	}
	return a != b
}
