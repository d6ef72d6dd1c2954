package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// slicing is where the slices of an array lie in it: outer × count runs of run elements, which are outerStep and
// runStep apart. Neighbouring slices are one run.
type slicing struct {
	outer, count, run  int
	outerStep, runStep int
	inner              int // elements from one position of the axis to the next
}

func newSlicing(kernel string, outer, n, inner, count, step int) (slicing, error) {
	if outer < 1 || n < 1 || inner < 1 || count < 1 || step < 1 || (count-1)*step >= n {
		return slicing{}, fmt.Errorf("kernel: %s of %d slices with step %d from %d × %d × %d elements; want at least 1 and no more than there are",
			kernel, count, step, outer, n, inner)
	}
	s := slicing{outer: outer, count: count, run: inner, outerStep: n * inner, runStep: step * inner, inner: inner}
	if step == 1 || count == 1 {
		s.run, s.count, s.runStep = count*inner, 1, s.outerStep
	}
	if s.count == 1 { // then the outer axis may be the one that is stepped along
		s.outer, s.count, s.outerStep = 1, outer, outer*s.outerStep
	}
	return s, nil
}

// Slice is [ir.Slice]: some slices of an array of outer × n × inner elements.
type Slice[T Float] struct {
	slicing
	work split // elements of the result
	loop phase
	y, x []T
	from int
}

// NewSlice prepares taking count of n slices, step apart.
func NewSlice[T Float](p *pool.Pool, outer, n, inner, count, step int) (*Slice[T], error) {
	s, err := newSlicing("Slice", outer, n, inner, count, step)
	if err != nil {
		return nil, err
	}
	k := &Slice[T]{slicing: s, work: cutRuns(s.outer*s.count, s.run)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run copies the slices from number start on to y. All of them must lie within x.
func (k *Slice[T]) Run(y, x []T, start int) {
	k.y, k.x, k.from = y[:k.work.n], x[:k.outer*k.outerStep], start*k.inner
	k.loop.run()
}

func (k *Slice[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	number, at := lo/k.run, lo%k.run
	outer, i := number/k.count, number%k.count
	for ; lo < hi; outer, i = outer+1, 0 {
		from := k.from + outer*k.outerStep + i*k.runStep
		if k.run == 1 {
			y := k.y[lo:min(lo+k.count-i, hi)]
			for j := range y {
				y[j] = k.x[from]
				from += k.runStep
			}
			lo += len(y)
			continue
		}
		for ; i < k.count && lo < hi; i++ {
			end := min(lo+k.run-at, hi)
			copyShort(k.y[lo:end], k.x[from+at:])
			lo, at = end, 0
			from += k.runStep
		}
	}
}

// SliceGrad is [ir.SliceGrad]: the slices back in their places, zeros elsewhere.
type SliceGrad[T Float] struct {
	slicing
	work   split // elements of the result
	loop   phase
	dx, dy []T
	from   int
}

// NewSliceGrad prepares putting back count of n slices, step apart.
func NewSliceGrad[T Float](p *pool.Pool, outer, n, inner, count, step int) (*SliceGrad[T], error) {
	s, err := newSlicing("SliceGrad", outer, n, inner, count, step)
	if err != nil {
		return nil, err
	}
	k := &SliceGrad[T]{slicing: s, work: splitBy(s.outer*s.outerStep, 1)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes dx from dy, the slices from number start on. All of them must lie within dx.
func (k *SliceGrad[T]) Run(dx, dy []T, start int) {
	k.dx, k.dy, k.from = dx[:k.work.n], dy[:k.outer*k.count*k.run], start*k.inner
	k.loop.run()
}

func (k *SliceGrad[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	clear(k.dx[lo:hi]) // which stays in the cache for what follows
	for outer := lo / k.outerStep; outer*k.outerStep < hi; outer++ {
		first := outer*k.outerStep + k.from
		i := 0
		if first+k.run <= lo { // runs that end before this part
			i = (lo-first-k.run)/k.runStep + 1
		}
		at := first + i*k.runStep
		dy := k.dy[outer*k.count*k.run:]
		if k.run == 1 {
			for ; i < k.count && at < hi; i++ {
				k.dx[at] = dy[i]
				at += k.runStep
			}
			continue
		}
		for ; i < k.count && at < hi; i++ {
			a, b := max(at, lo), min(at+k.run, hi)
			copyShort(k.dx[a:b], dy[i*k.run+a-at:])
			at += k.runStep
		}
	}
}
