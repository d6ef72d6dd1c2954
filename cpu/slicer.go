package cpu

import (
	"slices"
	"time"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// slicer runs a stretch.
type slicer struct {
	stretch
	mem   *memory   // of the program
	whole []int     // values that every slice reads as they are
	cut   []portion // values in the program's memory of which a slice reads or writes its part

	pool  *pool.Pool
	alone []*crew // one of each worker, for so many slices at a time as there are workers
	all   *crew   // all workers together, for the slices that are left; nil for none

	timed bool // steps are
}

// portion is the part of a value that a slice has.
type portion struct{ id, size int }

// crew is the kernels of a stretch for one image, with memory of their own.
type crew struct {
	mem   *memory
	steps []step
	took  []time.Duration // the steps, if they are timed
	at    int             // the step at hand, which stays there when it fails; -1 for none
	err   error
}

// slice makes a stretch of the plan ready to run: its kernels for one image, once for each worker, with working memory that is added to the
// program's. What kernels keep of weights they share.
func (p *program) slice(s *stretch, b *builder) error {
	x := &slicer{stretch: *s, mem: p.mem, pool: b.pool}
	inside := p.inside(s)
	images := newSliceValues(s)
	copies := make([]*graph.Step, 0, s.to-s.from)
	seen := map[*graph.Value]bool{}
	for _, old := range p.plan.Steps[s.from:s.to] {
		copies = append(copies, images.step(old))
		for _, v := range slices.Concat(old.In, old.Out) {
			switch {
			case seen[v]:
			case !s.sliced[v]:
				x.whole = append(x.whole, v.ID)
			case !inside[v.Root()]:
				x.cut = append(x.cut, portion{v.ID, v.Len() / s.images})
			}
			seen[v] = true
		}
	}
	var lives []life
	for i, c := range copies {
		for _, v := range slices.Concat(c.In, c.Out) {
			if images.isCopy(v) && inside[images.of[v.Root()]] {
				lives = extend(lives, v.Root(), i)
			}
		}
	}
	places, bytes := layOut(lives)
	add := func(workers *pool.Pool) (*crew, *builder, error) {
		mine := p.engine.builder()
		mine.pool = workers
		c := &crew{took: make([]time.Duration, len(copies))}
		for i, step := range copies {
			mine.way = ""
			run, err := mine.step(step)
			if err != nil {
				return nil, nil, &graph.StepError{Step: s.from + i, Op: step.Instr.String(), Node: step.Out[0].Name, Err: err}
			}
			c.steps = append(c.steps, run)
			if len(p.names) < s.from+i+1 {
				p.names = append(p.names, mine.kernelName(step))
			}
		}
		scratch := mine.scratchBytes()
		mem, err := p.allocate(roundUp(bytes) + scratch)
		if err != nil {
			return nil, nil, err
		}
		p.scratch += len(mem)
		mine.shareScratch(mem[roundUp(bytes):])
		c.mem = &memory{arrays: make([]op.Array, len(p.plan.Values)), f32: make([][]float32, len(p.plan.Values)), f64: make([][]float64, len(p.plan.Values)), arena: mem}
		for v := range s.sliced {
			if r := v.Root(); inside[r] {
				a, err := arrayAt(mem[places[images.copy(r)]:], images.copy(v))
				if err != nil {
					return nil, nil, err
				}
				c.mem.set(images.copy(v), a.Data)
			}
		}
		return c, mine, nil
	}
	var kept []*builder
	threads := b.pool.Threads()
	if threads > 1 && s.images >= threads {
		for range threads {
			c, mine, err := add(pool.New(1))
			if err != nil {
				return err
			}
			x.alone = append(x.alone, c)
			kept = append(kept, mine)
		}
	}
	if len(x.alone) == 0 || s.images%threads > 0 {
		c, mine, err := add(b.pool)
		if err != nil {
			return err
		}
		x.all = c
		kept = append(kept, mine)
	}
	for i, k := range kept[0].kept { // the same in all
		b.kept = append(b.kept, scratch{k.bytes, func(mem []byte) {
			for _, mine := range kept {
				mine.kept[i].set(mem)
			}
		}})
	}
	b.packs = append(b.packs, kept[0].packs...)
	p.slices = x
	return nil
}

// run is a run of the stretch. In the end at is the step that failed, if one did.
func (x *slicer) run(at *int) error {
	defer x.failed(at)
	if x.all != nil {
		x.begin(x.all)
	}
	parallel := 0
	if n := len(x.alone); n > 0 {
		parallel = x.images / n * n
		for _, c := range x.alone {
			x.begin(c)
		}
		x.pool.Run(x, parallel)
		for _, c := range x.alone {
			if c.err != nil {
				return c.err
			}
		}
	}
	if x.all == nil {
		return nil
	}
	for i := parallel; i < x.images; i++ {
		x.slice(x.all, i)
	}
	return x.all.err
}

// failed sets at to a step that did not come to its end, of those of all workers to the first.
func (x *slicer) failed(at *int) {
	last := x.to
	for i := range len(x.alone) + 1 {
		c := x.all
		if i < len(x.alone) {
			c = x.alone[i]
		}
		if c != nil && c.at >= 0 {
			last = min(last, x.from+c.at)
		}
	}
	if last < x.to {
		*at = last
	}
}

// Do implements [pool.Task]: a slice.
func (x *slicer) Do(worker, part int) { x.slice(x.alone[worker], part) }

// begin gives a crew what all slices read.
func (x *slicer) begin(c *crew) {
	c.at, c.err = -1, nil
	for _, id := range x.whole {
		c.mem.f32[id], c.mem.f64[id] = x.mem.f32[id], x.mem.f64[id]
	}
	clear(c.took)
}

func (x *slicer) slice(c *crew, i int) {
	if c.err != nil {
		return
	}
	for _, p := range x.cut {
		c.mem.f32[p.id] = x.mem.f32[p.id][i*p.size : (i+1)*p.size]
	}
	var last time.Time
	if x.timed {
		last = time.Now()
	}
	for k, run := range c.steps {
		c.at = k
		if c.err = run(c.mem); c.err != nil {
			return
		}
		if x.timed {
			now := time.Now()
			c.took[k] += now.Sub(last)
			last = now
		}
	}
	c.at = -1
}

// tell tells how long the steps took: a run that began then and there, of workers of which each had its share of the slices.
func (x *slicer) tell(o graph.Timekeeper, began time.Duration) {
	for k := range x.to - x.from {
		took := time.Duration(0)
		for _, c := range x.alone {
			took += c.took[k] / time.Duration(len(x.alone))
		}
		if x.all != nil {
			took += x.all.took[k]
		}
		o.Took(x.from+k, began, took)
		began += took
	}
}
