package cpu

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// Convolutions lists the convolutions of a plan that there are several ways to compute, each once, in the order of the plan, and how
// often the plan has each; of those that are run image by image, those of one. Nothing is computed.
func (e *Engine) Convolutions(p *graph.Plan) (list []Convolution, count map[Convolution]int, err error) {
	b, count := e.builder(), map[Convolution]int{}
	b.choose = func(conv kernel.Conv, _ []kernel.Way) string {
		c := Convolution{conv, e.Threads()}
		if count[c]++; count[c] == 1 {
			list = append(list, c)
		}
		return ""
	}
	images := findStretch(p)
	for i, s := range p.Steps {
		if images != nil && i >= images.from && i < images.to {
			s = newSliceValues(images).step(s)
		}
		if _, err := b.step(s); err != nil {
			return nil, nil, &graph.StepError{Step: i, Op: s.Instr.String(), Node: s.Out[0].Name, Err: err}
		}
	}
	return list, count, nil
}

// Measurements take turns at least so often, and longer where that is over sooner than leastMeasured, but not more than mostTurns.
const (
	leastTurns    = 7
	mostTurns     = 41
	leastMeasured = 150 * time.Millisecond
)

// Measure computes a convolution all ways there are, in turns, and returns what each takes in the median. In between as much other memory is
// touched as a net has, around bytes, such as Plan.PeakBytes: whether filters come from memory or from a cache is as it is there. Nothing
// else should run meanwhile. It takes some tenths of a second, or some turns of a convolution that takes longer. When ctx ends, its error
// is returned within a turn.
func (e *Engine) Measure(ctx context.Context, c Convolution, around int) (Measurement, error) {
	if c.threads != e.Threads() {
		return Measurement{}, fmt.Errorf("cpu: a convolution for %d threads is to be measured with %d; use an engine with as many", c.threads, e.Threads())
	}
	if e.isClosed() {
		return Measurement{}, errClosed
	}
	if c.conv.Double {
		return measure[float64](ctx, e, c, around)
	}
	return measure[float32](ctx, e, c, around)
}

func measure[T kernel.Float](ctx context.Context, e *Engine, c Convolution, around int) (m Measurement, err error) {
	w := &workbench[T]{engine: e, conv: c.conv}
	defer w.close()
	if err := w.numbers(around); err != nil {
		return m, err
	}
	ways := c.Ways()
	runs, times := make([]func(), len(ways)), make([][]time.Duration, len(ways))
	for i, way := range ways {
		if runs[i], err = w.prepare(way); err != nil {
			return m, err
		}
	}
	start := time.Now()
	for turn := -1; turn < leastTurns || time.Since(start) < leastMeasured && turn < mostTurns; turn++ {
		for i, run := range runs {
			if err := ctx.Err(); err != nil {
				return m, err
			}
			w.wipe()
			began := time.Now()
			run()
			if took := time.Since(began); turn >= 0 { // the turn before is to get warm
				times[i] = append(times[i], max(took, 1))
			}
		}
	}
	m.Convolution = c
	for i, way := range ways {
		slices.Sort(times[i])
		m.Times = append(m.Times, WayTime{way, times[i][len(times[i])/2].Seconds()})
	}
	return m, nil
}

// workbench is what a convolution is measured on.
type workbench[T kernel.Float] struct {
	engine  *Engine
	conv    kernel.Conv
	pages   []pages
	x, w, y []T       // images, filter, result; of a gradient one of them is computed
	others  []float32 // in their place in the caches come these
	sums    [wipeParts]float32
}

// mostAround is how much memory stands for the rest of a net at most: more than the caches of some cores hold.
const mostAround = 64 << 20

func (w *workbench[T]) take(n int) ([]T, error) {
	size := int(unsafe.Sizeof(*new(T)))
	p, err := newPages(max(n, 1) * size)
	if err != nil {
		return nil, fmt.Errorf("cpu: no memory to measure a convolution with: %w", err)
	}
	w.pages = append(w.pages, p)
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(p.bytes))), n), nil
}

// numbers makes images, filter and result, and what is around them. What the numbers are does not matter, but that there are some: zeros, and what becomes
// too small, may take another time.
func (w *workbench[T]) numbers(around int) (err error) {
	g := w.conv.Geometry
	for _, a := range []struct {
		of *[]T
		n  int
	}{{&w.x, op.Len(g.Input())}, {&w.w, op.Len(g.Filter())}, {&w.y, op.Len(g.Output())}} {
		if *a.of, err = w.take(a.n); err != nil {
			return err
		}
		state := uint32(1)
		for i := range *a.of {
			state = state*1664525 + 1013904223
			(*a.of)[i] = T(int32(state)) / (1 << 31)
		}
	}
	around = min(max(around, 1<<16), mostAround)
	p, err := newPages(around)
	if err != nil {
		return fmt.Errorf("cpu: no memory to measure a convolution with: %w", err)
	}
	w.pages = append(w.pages, p)
	w.others = unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(p.bytes))), around/4)
	for i := range w.others { // pages that nobody has written are one and the same, which any cache holds
		w.others[i] = 1
	}
	return nil
}

// prepare makes a way ready to run.
func (w *workbench[T]) prepare(way string) (run func(), err error) {
	b := w.engine.builder()
	b.choose = func(kernel.Conv, []kernel.Way) string { return way }
	e, g := env[T](b), w.conv.Geometry
	scratch := func(k scratcher[T]) {
		var s []T
		if s, err = w.take(k.Workspace()); err == nil {
			k.SetScratch(s)
		}
	}
	switch w.conv.Pass {
	case kernel.BackwardInput:
		k, failed := kernel.NewConv2DBackwardInput(e, g)
		if failed != nil {
			return nil, failed
		}
		scratch(k)
		return func() { k.Run(w.x, w.y, w.w) }, err
	case kernel.BackwardFilter:
		k, failed := kernel.NewConv2DBackwardFilter(e, g)
		if failed != nil {
			return nil, failed
		}
		scratch(k)
		return func() { k.Run(w.w, w.x, w.y) }, err
	}
	k, failed := kernel.NewConv2D(e, g, kernel.ConvOptions{Frozen: w.conv.Frozen})
	if failed != nil {
		return nil, failed
	}
	scratch(k)
	if err == nil && w.conv.Frozen {
		var kept []T
		if kept, err = w.take(k.KeptLen()); err == nil {
			k.SetKept(kept)
			k.Pack(w.w)
		}
	}
	return func() { k.Run(w.y, w.x, w.w, nil, nil) }, err
}

// wipe brings other numbers into the caches, on all workers, which also wakes them up. They are only read: what a cache has to write back
// later would be counted among what comes next.
func (w *workbench[T]) wipe() { w.engine.pool.Run(w, wipeParts) }

const wipeParts = 64

// Do implements pool.Task.
func (w *workbench[T]) Do(_, part int) {
	n := len(w.others) / wipeParts
	mine, sum := w.others[part*n:(part+1)*n], float32(0)
	for i := 0; i < n; i += cacheLine / 4 {
		sum += mine[i]
	}
	w.sums[part] = sum // or the compiler would leave the loop out
}

func (w *workbench[T]) close() {
	for _, p := range w.pages {
		_ = p.free()
	}
}
