package onnx

import "slices"

// permuted returns the shape whose axis i is axis to[i] of s.
func permuted(s, to []int) []int {
	out := make([]int, len(to))
	for i, axis := range to {
		out[i] = s[axis]
	}
	return out
}

// size is the number of elements of a shape.
func size(s []int) int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// steps returns how far apart the neighbours along each axis lie.
func steps(s []int) []int {
	out, step := make([]int, len(s)), 1
	for i := len(s) - 1; i >= 0; i-- {
		out[i] = step
		step *= s[i]
	}
	return out
}

// gather returns the array of the given shape whose element at an index is a's at start + Σ index·step.
func gather(a *array, s []int, start int, step []int) *array {
	out := &array{elem: a.elem, shape: slices.Clone(s)}
	n := size(s)
	switch {
	case a.f32 != nil:
		out.f32 = gathered(a.f32, n, s, start, step)
	case a.f64 != nil:
		out.f64 = gathered(a.f64, n, s, start, step)
	default:
		out.i64 = gathered(a.i64, n, s, start, step)
	}
	return out
}

func gathered[T any](from []T, n int, s []int, place int, step []int) []T {
	out, index := make([]T, n), make([]int, len(s))
	for i := range out {
		out[i] = from[place]
		for axis := len(s) - 1; axis >= 0; axis-- {
			index[axis]++
			place += step[axis]
			if index[axis] < s[axis] {
				break
			}
			place -= index[axis] * step[axis]
			index[axis] = 0
		}
	}
	return out
}

func transpose(a *array, to []int) *array {
	return gather(a, permuted(a.shape, to), 0, permuted(steps(a.shape), to))
}

// broadcastShape stretches shapes to one as NumPy does; ok is false where they don't fit.
func broadcastShape(shapes ...[]int) (out []int, ok bool) {
	for _, s := range shapes {
		if len(s) > len(out) {
			out = append(slices.Repeat([]int{1}, len(s)-len(out)), out...)
		}
		for i, d := range s {
			at := len(out) - len(s) + i
			switch {
			case out[at] == 1:
				out[at] = d
			case d != 1 && d != out[at]:
				return nil, false
			}
		}
	}
	return out, true
}

// broadcast stretches a to a shape that broadcastShape returned for it.
func broadcast(a *array, s []int) *array {
	if slices.Equal(a.shape, s) {
		return a
	}
	own, step := steps(a.shape), make([]int, len(s))
	for i, d := range a.shape {
		if d != 1 {
			step[len(s)-len(a.shape)+i] = own[i]
		}
	}
	return gather(a, s, 0, step)
}
