package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// Repeat is [ir.Repeat]: each of the rows of inner elements of x comes a number of times, one copy next to the other.
type Repeat[T Float] struct {
	rows, inner, times int
	work               split // elements of the result
	loop               phase
	y, x               []T
}

// NewRepeat prepares the repetition of rows of inner elements.
func NewRepeat[T Float](p *pool.Pool, rows, inner, times int) (*Repeat[T], error) {
	if rows < 1 || inner < 1 || times < 1 {
		return nil, fmt.Errorf("kernel: Repeat of %d rows of %d elements %d times; want at least 1", rows, inner, times)
	}
	if times == 1 { // a copy
		rows, inner = 1, rows*inner
	}
	k := &Repeat[T]{rows: rows, inner: inner, times: times, work: cutRuns(rows, inner*times)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from x, which must not overlap.
func (k *Repeat[T]) Run(y, x []T) {
	k.y, k.x = y[:k.work.n], x[:k.rows*k.inner]
	k.loop.run()
}

func (k *Repeat[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	size := k.inner * k.times
	row, at := lo/size, lo%size
	if k.inner == 1 && k.times <= 32 { // whole rows, too short to be worth a call
		y, x := k.y[lo:hi], k.x[row:hi/size]
		for i, v := range x {
			for j := range y[i*k.times : (i+1)*k.times] {
				y[i*k.times+j] = v
			}
		}
		return
	}
	for ; lo < hi; row++ {
		end := min(lo+size-at, hi)
		if k.inner == 1 {
			spread(k.y[lo:end], k.x[row])
		} else {
			tile(k.y[lo:end], k.x[row*k.inner:(row+1)*k.inner], at%k.inner)
		}
		lo, at = end, 0
	}
}
