package kernel

import (
	"unsafe"

	"github.com/stheno-ml/stheno/internal/shape"
)

// reach says which elements along an axis a convolution, or the gradient of its input, sums for each result: for result i, first[i].n
// taps at equal distances, each with an element of its own.
type reach struct {
	first        []reached1
	tap, element int // distances from one to the next; taps rise
}

type reached1 struct{ tap, element, n int }

// forwardReach is what output positions see of the input.
func forwardReach(s shape.Span) reach {
	r := reach{make([]reached1, s.Out), 1, s.Dilation}
	for i := range r.first {
		for t := s.Kernel - 1; t >= 0; t-- {
			if at, ok := inside(&s, i, t); ok {
				r.first[i] = reached1{t, at, r.first[i].n + 1}
			}
		}
	}
	return r
}

// backwardReach is which output positions see an input position.
func backwardReach(s shape.Span) reach {
	every := s.Stride / divisor(s.Stride, s.Dilation)
	r := reach{make([]reached1, s.In), every, -every * s.Dilation / s.Stride}
	for i := range r.first {
		for t := s.Kernel - 1; t >= 0; t-- {
			if at, ok := reached(&s, i, t); ok {
				r.first[i] = reached1{t, at, r.first[i].n + 1}
			}
		}
	}
	return r
}

// divisor is the greatest of both.
func divisor(a, b int) int {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}

// inside returns the input position that output position i sees through tap t.
func inside(s *shape.Span, i, t int) (at int, ok bool) {
	at = i*s.Stride + t*s.Dilation - s.Before
	return at, at >= 0 && at < s.In
}

// reached returns the output position that sees input position at through tap t.
func reached(s *shape.Span, at, t int) (i int, ok bool) {
	d := at + s.Before - t*s.Dilation
	if d < 0 || d%s.Stride != 0 {
		return 0, false
	}
	i = d / s.Stride
	return i, i < s.Out
}

// reachStrip is results in a row, step apart, that sum through the same taps, with elements that go on by next from one to the next.
type reachStrip struct {
	at, step, count int
	reached1
	next int
	taps []tapPair // row by row, for as many rows of the window as there are
}

// strips cuts the results along an axis, of which those step apart see neighbours, next apart.
func (r reach) strips(step, next int) (all []reachStrip) {
	for phase := range min(step, len(r.first)) {
		begin := len(all)
		for i := phase; i < len(r.first); i += step {
			f := r.first[i]
			if n := len(all); n > begin {
				if s := &all[n-1]; s.n == f.n && (f.n == 0 || s.tap == f.tap && s.element+s.count*next == f.element) {
					s.count++
					continue
				}
			}
			all = append(all, reachStrip{at: i, step: step, count: 1, reached1: f, next: next})
		}
	}
	return all
}

// tapTable lists the taps of so many rows and columns of a window and, in each, so many channels that follow each other, by their distances
// from the first: width elements of an image follow each other in a row with pixels of so many channels; filters are in rows of
// columns × depth × n.
func tapTable[T Float](h, w reach, rows, columns, depth, width, pixel, kernel, n int) (t []tapPair) {
	size := int(unsafe.Sizeof(T(0)))
	for p := range rows {
		for q := range columns {
			for c := range depth {
				t = append(t, tapPair{size * ((p*h.element*width+q*w.element)*pixel + c), size * (((p*h.tap*kernel+q*w.tap)*depth + c) * n)})
			}
		}
	}
	return t
}

// soonSeen lists, for every row of results but the last, the distances in bytes from the first row of pixels that it sees to those that
// the next one sees and it does not. Rows lie line elements apart.
func soonSeen[T Float](h reach, line int) (all [][]int) {
	for i := range len(h.first) - 1 {
		var soon []int
		now, then := h.first[i], h.first[i+1]
		last := now.element + (now.n-1)*h.element
		for t := range then.n {
			row := then.element + t*h.element
			if now.n == 0 || row < min(now.element, last) || row > max(now.element, last) {
				soon = append(soon, int(unsafe.Sizeof(T(0)))*(row-now.element)*line)
			}
		}
		all = append(all, soon)
	}
	return all
}
