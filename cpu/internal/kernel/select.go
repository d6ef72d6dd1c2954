package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// Gather is [ir.Gather]: slices of an array of outer × n × inner elements, by their numbers.
type Gather[T Float] struct {
	outer, n, inner, count int
	work                   split // elements of the result
	loop                   phase
	y, x                   []T
	indices                []int
}

func checkSelect(kernel string, outer, n, inner, count int) error {
	if outer < 1 || n < 1 || inner < 1 || count < 1 {
		return fmt.Errorf("kernel: %s of %d slices of %d × %d × %d elements; want at least 1", kernel, count, outer, n, inner)
	}
	return nil
}

// NewGather prepares taking count slices.
func NewGather[T Float](p *pool.Pool, outer, n, inner, count int) (*Gather[T], error) {
	if err := checkSelect("Gather", outer, n, inner, count); err != nil {
		return nil, err
	}
	k := &Gather[T]{outer: outer, n: n, inner: inner, count: count, work: cutRuns(outer*count, inner)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from x and the indices, all of which are below n.
func (k *Gather[T]) Run(y, x []T, indices []int) {
	k.y, k.x, k.indices = y[:k.work.n], x[:k.outer*k.n*k.inner], indices[:k.count]
	k.loop.run()
}

func (k *Gather[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	number, at := lo/k.inner, lo%k.inner
	outer, i := number/k.count, number%k.count
	for lo < hi {
		from := (outer*k.n + k.indices[i]) * k.inner
		if k.inner == 1 {
			k.y[lo] = k.x[from]
			lo++
		} else {
			end := min(lo+k.inner-at, hi)
			copyShort(k.y[lo:end], k.x[from+at:])
			lo, at = end, 0
		}
		if i++; i == k.count {
			outer, i = outer+1, 0
		}
	}
}

// GatherGrad is [ir.GatherGrad]. Every part has positions of its own and goes through all indices in their order, so
// that the sums of an index that comes more than once do not depend on the workers.
type GatherGrad[T Float] struct {
	outer, n, inner, count int
	zero                   split // elements of the result
	work                   split // positions on the axis
	zeros, adds            phase
	dx, dy                 []T
	indices                []int
}

// gatherParts bounds the parts of one outer position: all of them read all indices.
const gatherParts = 16

// NewGatherGrad prepares adding up count slices.
func NewGatherGrad[T Float](p *pool.Pool, outer, n, inner, count int) (*GatherGrad[T], error) {
	if err := checkSelect("GatherGrad", outer, n, inner, count); err != nil {
		return nil, err
	}
	k := &GatherGrad[T]{outer: outer, n: n, inner: inner, count: count, zero: splitBy(outer*n*inner, 1)}
	parts := min(gatherParts, splitBy(count, inner).parts, (inner+3)/4) // an index is worth about four additions
	k.work = splitInto(n, parts)
	k.zeros = newPhase(p, k.zero.parts, k.zeroPart)
	k.adds = newPhase(p, outer*k.work.parts, k.addPart)
	return k, nil
}

// Run computes dx from dy and the indices, all of which are below n.
func (k *GatherGrad[T]) Run(dx, dy []T, indices []int) {
	k.dx, k.dy, k.indices = dx[:k.zero.n], dy[:k.outer*k.count*k.inner], indices[:k.count]
	k.zeros.run()
	k.adds.run()
}

func (k *GatherGrad[T]) zeroPart(_, part int) {
	lo, hi := k.zero.bounds(part)
	clear(k.dx[lo:hi])
}

func (k *GatherGrad[T]) addPart(_, part int) {
	outer := part / k.work.parts
	lo, hi := k.work.bounds(part % k.work.parts)
	dx := k.dx[outer*k.n*k.inner:]
	dy := k.dy[outer*k.count*k.inner:]
	for i, at := range k.indices {
		if at < lo || at >= hi {
			continue
		}
		to, from := dx[at*k.inner:(at+1)*k.inner], dy[i*k.inner:(i+1)*k.inner]
		if k.inner >= 16 {
			add(to, to, from)
			continue
		}
		for j, v := range from {
			to[j] += v
		}
	}
}
