package kernel

import (
	"fmt"
	"unsafe"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vmath"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// loopBytes is the size of a block of one register of a [Loop]: a dozen of them fit into the first-level cache.
const loopBytes = 4096

// Loop runs an ir.Loop block by block: each of its steps is a function of package vmath over a block, and what they hand
// to each other stays in the cache.
type Loop[T Float] struct {
	Scratch[T]
	loop   phase
	work   split // of blocks
	blocks blocks
	code   []loopCode[T]
	stride []uintptr // of each slot: 0 where it is a number
	homes  []int     // slots that are in the scratch, each of slot elements
	slot   int
	full   []place // slots that are a piece of an input's or result's own memory
	spread []*stretched
	copies []place // results that could be overwritten too early: slot of the register, index of the result
	single []place // inputs of one element
	frames []frame[T]
	area   []area[T] // of each frame
	fill   vmath.F1[T]
	out    [][]T
	in     [][]T
	run    int // number of the run, for what is stretched once in each
}

// place pairs a slot with the index of an input or, from -1 downwards, of a result.
type place struct{ slot, index int }

// loopCode is one step: the function that is not nil, of slots.
type loopCode[T Float] struct {
	f1         vmath.F1[T]
	f2         vmath.F2[T]
	f3         vmath.F3[T]
	d, a, b, c int
}

// frame is where the slots are for one worker. Numbers and registers stay, pieces of arrays move on with the block.
type frame[T Float] struct {
	at    []*T
	fresh []stretch // what the register of each stretched input holds copies of
}

// stretch is a row of an input in a run, from 1 on: where it begins.
type stretch struct{ run, from int }

// NewLoop prepares an ir.Loop over elements of shape s with inputs of the given shapes. over says which result may have
// the memory of which input.
func NewLoop[T Float](p *pool.Pool, l *ir.Loop, s tensor.Shape, in []tensor.Shape, over func(result, input int) bool) (*Loop[T], error) {
	if err := checkLen("Loop", op.Len(s)); err != nil {
		return nil, err
	}
	if len(in) != l.Inputs {
		return nil, fmt.Errorf("kernel: Loop of %d inputs, got %d", l.Inputs, len(in))
	}
	most := loopBytes / int(unsafe.Sizeof(T(0)))
	plan, err := planLoop(l, s, in, most)
	if err != nil {
		return nil, err
	}
	k := &Loop[T]{slot: most, blocks: plan.blocks, spread: plan.spread, fill: vmath.For[T](ops[T]().Level()).Fill}
	cost := k.translate(plan, over)
	k.work = splitBy(k.blocks.count, k.blocks.size*cost)
	k.loop = newPhase(p, k.work.parts, k.part)
	workers := 1
	if k.work.parts > 1 {
		workers = p.Threads()
	}
	k.frames = make([]frame[T], workers)
	k.layOut(plan)
	return k, nil
}

// layOut reserves the scratch of the registers and lets the slots of numbers point to them.
func (k *Loop[T]) layOut(plan *loopPlan) {
	numbers := make([]T, len(plan.numbers)*vmath.Lanes)
	for i, x := range plan.numbers {
		for j := range vmath.Lanes {
			numbers[i*vmath.Lanes+j] = T(x)
		}
	}
	for i := range k.frames {
		f := &k.frames[i]
		f.at = make([]*T, len(k.stride))
		f.fresh = make([]stretch, len(k.spread))
		for n := range plan.numbers {
			f.at[n] = &numbers[n*vmath.Lanes]
		}
		k.area = append(k.area, k.reserve(len(k.homes)*k.slot))
	}
}

// SetScratch also lets the slots of registers point into the scratch.
func (k *Loop[T]) SetScratch(mem []T) {
	k.Scratch.SetScratch(mem)
	for i, a := range k.area {
		for j, slot := range k.homes {
			k.frames[i].at[slot] = &a.of(&k.Scratch)[j*k.slot]
		}
	}
}

// Run computes the results, each over all elements of the shape.
func (k *Loop[T]) Run(out, in [][]T) {
	k.out, k.in = out, in
	k.run++
	for _, p := range k.single {
		for i := range k.frames {
			k.fill(k.frames[i].at[p.slot], &in[p.index][0], k.length(p.slot, k.blocks.size))
		}
	}
	k.loop.run()
}

// length is how many times a number is written to its slot, for a block of n elements.
func (k *Loop[T]) length(slot, n int) uintptr {
	if k.stride[slot] == 0 {
		return vmath.Lanes
	}
	return uintptr(n)
}

func (k *Loop[T]) part(worker, part int) {
	lo, hi := k.work.bounds(part)
	for b := lo; b < hi; b++ {
		k.block(&k.frames[worker], b)
	}
}

func (k *Loop[T]) block(f *frame[T], b int) {
	lo, n := k.blocks.bounds(b)
	for _, p := range k.full {
		if p.index < 0 {
			f.at[p.slot] = &k.out[-1-p.index][lo]
		} else {
			f.at[p.slot] = &k.in[p.index][lo]
		}
	}
	for i, s := range k.spread {
		k.stretch(f, i, s, lo, n)
	}
	k.compute(f, n)
	for _, p := range k.copies {
		copy(k.out[p.index][lo:lo+n], unsafe.Slice(f.at[p.slot], n))
	}
}

// over computes the result of a loop of one input in the input's place: at most slot elements.
func (k *Loop[T]) over(f *frame[T], x []T) {
	for _, p := range k.full {
		f.at[p.slot] = &x[0]
	}
	k.compute(f, len(x))
	for _, p := range k.copies {
		copy(x, unsafe.Slice(f.at[p.slot], len(x)))
	}
}

// compute runs the steps on n elements of the slots.
func (k *Loop[T]) compute(f *frame[T], n int) {
	at, stride, size := f.at, k.stride, uintptr(n)
	for i := range k.code {
		switch c := &k.code[i]; {
		case c.f1 != nil:
			c.f1(at[c.d], at[c.a], size)
		case c.f2 != nil:
			c.f2(at[c.d], at[c.a], at[c.b], size, stride[c.a], stride[c.b])
		default:
			c.f3(at[c.d], at[c.a], at[c.b], at[c.c], size, stride[c.a], stride[c.b], stride[c.c])
		}
	}
}

// stretch makes a stretched input ready for a block: a row that the block lies in is read in place, anything else is
// written to the input's register.
func (k *Loop[T]) stretch(f *frame[T], i int, s *stretched, lo, n int) {
	x := k.in[s.input]
	if k.blocks.within {
		from := s.offset(lo)
		if s.inner() == 1 {
			f.at[s.slot] = &x[from]
		} else {
			k.fill(f.at[s.slot], &x[from], k.length(s.slot, n))
		}
		return
	}
	if s.sameRow(lo, n) {
		from := s.offset(lo)
		if f.fresh[i] == (stretch{k.run, from}) {
			return
		}
		f.fresh[i] = stretch{k.run, from}
		n = k.blocks.size // the next block may be longer
		tile(unsafe.Slice(f.at[s.slot], n), x[from:][:s.sizes[len(s.sizes)-1]], 0)
		return
	}
	f.fresh[i] = stretch{}
	stretchTo(unsafe.Slice(f.at[s.slot], n), x, s, lo, k.fill)
}
