package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// Concat is [ir.Concat]: each row of the result is a row of each of the inputs, one after the other.
type Concat[T Float] struct {
	widths []int // of the inputs' rows
	width  int   // of the result's
	work   split // elements of the result
	loop   phase
	y      []T
	x      [][]T
}

// NewConcat prepares joining inputs of so many rows.
func NewConcat[T Float](p *pool.Pool, rows int, widths []int) (*Concat[T], error) {
	k := &Concat[T]{widths: widths}
	for _, w := range widths {
		if w < 1 {
			return nil, fmt.Errorf("kernel: Concat of rows of %v elements; want at least 1", widths)
		}
		k.width += w
	}
	if err := checkLen("Concat", rows*k.width); err != nil {
		return nil, err
	}
	k.work = cutRuns(rows, k.width)
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from the inputs x, which it must not overlap.
func (k *Concat[T]) Run(y []T, x [][]T) {
	k.y, k.x = y[:k.work.n], x[:len(k.widths)]
	k.loop.run()
}

func (k *Concat[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	first := 0
	for i, w := range k.widths {
		x := k.x[i]
		if w <= 8 && k.work.size%k.width == 0 { // whole rows, and runs that are not worth a call
			for at, from := lo+first, lo/k.width*w; at < hi; at, from = at+k.width, from+w {
				for j, v := range x[from : from+w] {
					k.y[at+j] = v
				}
			}
			first += w
			continue
		}
		for row := lo / k.width; row*k.width < hi; row++ {
			at := row*k.width + first
			if a, b := max(at, lo), min(at+w, hi); a < b {
				copyShort(k.y[a:b], x[row*w+a-at:])
			}
		}
		first += w
	}
}
