package kernel

import "github.com/stheno-ml/stheno/cpu/internal/gemm"

// patches is the patch matrix of a convolution, which exists only implicitly ([gemm.Source]): row (n·rows+i)·cols+j
// holds, tap after tap, the channels of the image elements that a window at output position (i, j) of image n covers,
// and 0 where the window hangs over the border.
//
// Taps are arbitrary offsets, so that strides, dilations and the phases of a strided backward pass are all the same
// thing. Neighbouring taps of one image row that lie next to each other in memory are joined into one run.
type patches[T Float] struct {
	x                []T // NHWC images; set before each product
	h, w             int // rows and columns of an image
	pixel            int // elements from one column to the next: all channels
	first, c         int // first channel taken and their number
	rows, cols       int // output positions
	strideH, strideW int
	runs             []run
}

// run is a number of taps whose elements are contiguous: tap t covers the image element (i·strideH+dh, j·strideW+dw+t).
type run struct {
	dh, dw, taps int
	k0           int // column of the patch matrix at which it starts
	inLo, inHi   int // output columns j in [inLo, inHi) have all taps inside the image
}

// tap is the offset of an image element from the window's output position times the stride.
type tap struct{ dh, dw int }

// newPatches describes the windows of taps over images of h×w×pixel elements.
func newPatches[T Float](h, w, pixel, first, c, rows, cols, strideH, strideW int, taps []tap) *patches[T] {
	p := &patches[T]{h: h, w: w, pixel: pixel, first: first, c: c, rows: rows, cols: cols, strideH: strideH, strideW: strideW}
	for i, t := range taps {
		if n := len(p.runs); n > 0 && pixel == c {
			if last := &p.runs[n-1]; last.dh == t.dh && last.dw+last.taps == t.dw {
				last.taps++
				continue
			}
		}
		p.runs = append(p.runs, run{dh: t.dh, dw: t.dw, taps: 1, k0: i * c})
	}
	for i := range p.runs {
		r := &p.runs[i]
		r.inLo = min(max(ceilDiv(-r.dw, strideW), 0), cols)
		r.inHi = min(max(ceilDiv(w-(r.dw+r.taps-1), strideW), r.inLo), cols)
	}
	return p
}

// ceilDiv is a/b rounded up, for b > 0 and any a.
func ceilDiv(a, b int) int {
	if a <= 0 {
		return -(-a / b)
	}
	return (a + b - 1) / b
}

// Block implements [gemm.Source].
func (p *patches[T]) Block(dst []T, ld, r0, nr, c0, nc int) {
	p.block(mover[T]{copyRuns[T], 1}, dst, ld, r0, nr, c0, nc)
}

// InPairs implements [gemm.PairSource]: no pair has elements of two taps.
func (p *patches[T]) InPairs() bool { return p.c%2 == 0 }

// PairBlock implements [gemm.PairSource].
func (p *patches[T]) PairBlock(round gemm.RoundFunc[T], dst []T, ld, r0, nr, c0, nc int) {
	p.block(mover[T]{round, 2}, dst, ld, r0, nr, c0, nc)
}

// mover takes runs of elements to where they make 1/fold as many.
type mover[T Float] struct {
	runs gemm.RoundFunc[T] // like copyRuns
	fold int
}

func (p *patches[T]) block(m mover[T], dst []T, ld, r0, nr, c0, nc int) {
	n, i, j := r0/(p.rows*p.cols), r0/p.cols%p.rows, r0%p.cols
	for done := 0; done < nr; { // one row of output positions after the other
		count := min(p.cols-j, nr-done)
		to := dst[done*ld:]
		for ri := range p.runs {
			r := &p.runs[ri]
			length := r.taps * p.c
			lo, hi := max(c0-r.k0, 0), min(c0+nc-r.k0, length)
			if lo >= hi {
				if r.k0 >= c0+nc {
					break
				}
				continue
			}
			at := (r.k0 + lo - c0) / m.fold
			si := i*p.strideH + r.dh
			if uint(si) >= uint(p.h) {
				zeroRuns(to[at:], ld, count, (hi-lo)/m.fold)
				continue
			}
			p.runRow(m, to[at:], ld, r, (n*p.h+si)*p.w, j, count, lo, hi)
		}
		done += count
		j = 0
		if i++; i == p.rows {
			i, n = 0, n+1
		}
	}
}

// runRow writes elements [lo, hi) of a run for the output columns [j, j+count); row is the number of the image row's
// first pixel.
func (p *patches[T]) runRow(m mover[T], dst []T, ld int, r *run, row, j, count, lo, hi int) {
	end := j + count
	inLo, inHi := min(max(r.inLo, j), end), min(max(r.inHi, j), end)
	for q := j; q < inLo; q++ {
		p.edge(m, dst[(q-j)*ld:], r, row, q, lo, hi)
	}
	if inLo < inHi {
		src := p.x[(row+inLo*p.strideW+r.dw)*p.pixel+p.first+lo:]
		m.runs(dst[(inLo-j)*ld:], ld, src, p.strideW*p.pixel, inHi-inLo, hi-lo)
	}
	for q := max(inHi, inLo); q < end; q++ {
		p.edge(m, dst[(q-j)*ld:], r, row, q, lo, hi)
	}
}

// edge writes elements [lo, hi) of a run that may hang over the left or right border.
func (p *patches[T]) edge(m mover[T], dst []T, r *run, row, j, lo, hi int) {
	col := j*p.strideW + r.dw
	from := min(max(-col*p.c, lo), hi)      // first element inside the image
	to := max(min((p.w-col)*p.c, hi), from) // first one behind it
	clear(dst[:(from-lo)/m.fold])
	if from < to {
		at := row*p.pixel + p.first + col*p.pixel // runs of several taps have pixel == c
		m.runs(dst[(from-lo)/m.fold:], 0, p.x[at+from:], 0, 1, to-from)
	}
	clear(dst[(to-lo)/m.fold : (hi-lo)/m.fold])
}

// tapWeights is the weight matrix of a backward pass to the input, which exists only implicitly ([gemm.Source]): row c
// holds, tap after tap, the filters of input channel c. The stored kernel is (taps, c, ld) with the group's filters
// starting at first.
type tapWeights[T Float] struct {
	w        []T   // set before each product
	taps     []int // taps of the kernel in the order of the columns
	c        int   // input channels of a group
	first, f int   // first filter taken and their number
	ld       int   // all filters
}

// Block implements [gemm.Source].
func (t *tapWeights[T]) Block(dst []T, ld, r0, nr, c0, nc int) {
	for done := 0; done < nc; {
		at, lo := (c0+done)/t.f, (c0+done)%t.f
		n := min(t.f-lo, nc-done)
		src := t.w[(t.taps[at]*t.c+r0)*t.ld+t.first+lo:]
		copyRuns(dst[done:], ld, src, t.ld, nr, n)
		done += n
	}
}
