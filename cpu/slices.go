package cpu

import (
	"cmp"
	"slices"
	"time"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// In inference nothing but the first axis separates the images of a batch. Where a net's images are large, as in the first half of most nets, a
// batch of them is in no cache when the next step reads it. Such a stretch of steps is therefore run image by image, all of it for one before the
// next: what one step writes the next finds in the cache. Each worker has images of its own, so that workers wait for each other at the
// end of the stretch instead of in every step. Where weights outweigh images, at the end of most nets, the whole batch goes through each step.
//
// What is computed does not depend on the number of workers: steps for one image are the same whether one worker runs them or all do, as
// those for images that are too few for all workers.

// stretch is steps [from, to) of a plan that are run for slice after slice of a batch.
type stretch struct {
	from, to int
	images   int // slices: the first axis of what is sliced
	sliced   map[*graph.Value]bool
}

// sliceFrom is how many bytes of an image steps must read and write, beyond those of weights, to be run image by image: less stays in the
// caches anyway, in batches of a usual size, and is too little work for the steps' beginnings and ends. Tests set it; below 0 the longest
// stretch there is counts.
var sliceFrom = 8 << 20

// findStretch returns the stretch that saves most memory traffic, nil if there is none worth it. It begins where steps begin that can be sliced,
// and ends where the images of all its steps outweigh the weights most.
func findStretch(p *graph.Plan) *stretch {
	if len(p.Assigns) > 0 {
		return nil
	}
	var best *stretch
	most := 0
	for from := 0; from < len(p.Steps); {
		s, gain := stretchFrom(p, from)
		if s == nil {
			from++
			continue
		}
		if gain > most {
			best, most = s, gain
		}
		from = s.to + 1
	}
	if best == nil || sliceFrom >= 0 && most < sliceFrom*best.images {
		return nil
	}
	// The steps behind the best end were looked at as well: what they slice is nobody's any more.
	best.sliced = map[*graph.Value]bool{}
	for _, s := range p.Steps[best.from:best.to] {
		in, _ := slicesOf(s, best.images)
		for i, v := range s.In {
			if in[i] {
				best.sliced[v] = true
			}
		}
		for _, v := range s.Out {
			best.sliced[v] = true
		}
	}
	return best
}

// stretchFrom is the stretch that begins with a step, and by how many bytes its images outweigh its weights, which are read for each of them.
func stretchFrom(p *graph.Plan, from int) (*stretch, int) {
	first := p.Steps[from]
	if first.Once || len(first.In) == 0 || len(first.In[0].Shape) < 2 {
		return nil, 0
	}
	n := first.In[0].Shape[0]
	if n < 2 {
		return nil, 0
	}
	whole, sliced := map[*graph.Value]bool{}, map[*graph.Value]bool{} // memory, by its owner
	gain, most, end := 0, 0, from
	for i := from; i < len(p.Steps); i++ {
		s := p.Steps[i]
		in, ok := slicesOf(s, n)
		if !ok {
			break
		}
		for j, v := range s.In {
			if in[j] {
				sliced[v.Root()] = true
				gain += v.Bytes()
			} else {
				whole[v.Root()] = true
				gain -= n * v.Bytes()
			}
		}
		for _, v := range s.Out {
			sliced[v.Root()] = true
			gain += v.Bytes()
		}
		for _, v := range slices.Concat(s.In, s.Out) { // nothing is both, be it to one step
			r := v.Root()
			ok = ok && !(whole[r] && sliced[r])
		}
		if !ok {
			break
		}
		if sliceFrom < 0 {
			gain = i + 1 - from
		}
		if gain > most {
			most, end = gain, i+1
		}
	}
	if end == from {
		return nil, 0
	}
	return &stretch{from: from, to: end, images: n}, most
}

// slicesOf says which operands of a step are images, if what it makes of n images it makes of each by itself.
func slicesOf(s *graph.Step, n int) (in []bool, ok bool) {
	if s.Once || len(s.In) == 0 || kernels[s.Instr.Kind()].of(s.Out[0].Dtype) == nil {
		return nil, false
	}
	batch := func(v *graph.Value) bool {
		return len(v.Shape) > 1 && v.Shape[0] == n && v.Dtype == tensor.Float32 && v.Root().Len() == v.Len()
	}
	for _, v := range s.Out {
		if !batch(v) {
			return nil, false
		}
	}
	in = make([]bool, len(s.In))
	in[0] = true
	switch o := s.Instr.(type) {
	case *op.Conv2D, *op.MaxPool2D, *op.AvgPool2D, *op.GlobalAvgPool2D, *op.ReLU, *op.Scale, *op.LayerNorm:
	case *graph.FusedConv2D:
		if o.Stats {
			return nil, false
		}
		in[len(in)-1] = o.Add
	case *op.BatchNormInference:
		if o.Axis == 0 {
			return nil, false
		}
	case *graph.FusedBatchNorm:
		if o.Axis == 0 {
			return nil, false
		}
		if o.Add {
			in[len(in)-1] = true
		}
	case *op.BiasAdd:
		if o.Axis == 0 {
			return nil, false
		}
	case *op.ChannelAffine:
		if o.Axis == 0 {
			return nil, false
		}
	case *ir.Concat:
		if o.Axis == 0 {
			return nil, false
		}
		for i := range in {
			in[i] = true
		}
	case *op.Permute:
		if o.Axes[0] != 0 {
			return nil, false
		}
	case *op.Add, *op.Mul:
		in[1] = true
	case *ir.Unary, *ir.Binary, *ir.Loop:
		for i, v := range s.In {
			in[i] = batch(v)
			if !in[i] && v.Len() != 1 && v.Shape[0] != 1 { // what is stretched along the first axis is the same for all
				return nil, false
			}
		}
	default:
		return nil, false
	}
	for i, v := range s.In {
		if in[i] && !batch(v) {
			return nil, false
		}
	}
	return in, slices.Contains(in, true)
}

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

// inside is the memory, by its owner, that the steps of a stretch alone read and write.
func (p *program) inside(s *stretch) map[*graph.Value]bool {
	inside := map[*graph.Value]bool{}
	for v := range s.sliced {
		inside[v.Root()] = v.Root().Where == graph.Arena
	}
	for i, step := range p.plan.Steps {
		if i >= s.from && i < s.to {
			continue
		}
		for _, v := range slices.Concat(step.In, step.Out) {
			delete(inside, v.Root())
		}
	}
	return inside
}

// places is where the program's memory has the values of its arena, by owner, if a stretch's own have no part in it, and those that it reads
// or writes by slices live as long as it runs; and how much memory that is.
func (p *program) places(s *stretch) (map[*graph.Value]int, int) {
	inside := p.inside(s)
	var lives []life
	for i, step := range p.plan.Steps {
		for j, v := range slices.Concat(step.In, step.Out) {
			r := v.Root()
			if r.Where != graph.Arena || inside[r] || j < len(step.In) && step.Takes(v) {
				continue
			}
			at := i
			if i >= s.from && i < s.to {
				lives = extend(lives, r, s.from)
				at = s.to - 1
			}
			lives = extend(lives, r, at)
		}
	}
	for i := range lives {
		if l := &lives[i]; l.v.Lasts() {
			l.dies = len(p.plan.Steps)
		}
	}
	return layOut(lives)
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

// sliceValues are a stretch's values for one image.
type sliceValues struct {
	s    *stretch
	made map[*graph.Value]*graph.Value
	of   map[*graph.Value]*graph.Value
}

func newSliceValues(s *stretch) *sliceValues {
	return &sliceValues{s, map[*graph.Value]*graph.Value{}, map[*graph.Value]*graph.Value{}}
}

func (x *sliceValues) isCopy(v *graph.Value) bool { return x.of[v] != nil }

// copy returns the value of one image, with the number of that of all.
func (x *sliceValues) copy(v *graph.Value) *graph.Value {
	if c := x.made[v]; c != nil {
		return c
	}
	c := *v
	c.Shape = v.Shape.Clone()
	if len(c.Shape) > 0 && c.Shape[0] == x.s.images {
		c.Shape[0] = 1
	}
	x.made[v], x.of[&c] = &c, v
	if v.Alias != nil {
		c.Alias = x.copy(v.Alias)
	}
	return &c
}

func (x *sliceValues) step(old *graph.Step) *graph.Step {
	s := &graph.Step{Instr: old.Instr}
	if l, ok := old.Instr.(*ir.Loop); ok && l.Shape != nil {
		one := *l
		one.Shape = l.Shape.Clone()
		if one.Shape[0] == x.s.images {
			one.Shape[0] = 1
		}
		s.Instr = &one
	}
	for _, v := range old.In {
		if x.s.sliced[v] {
			v = x.copy(v)
		}
		s.In = append(s.In, v)
	}
	for _, v := range old.Out {
		s.Out = append(s.Out, x.copy(v))
	}
	return s
}

// life is the steps, both ends included, during which memory is in use.
type life struct {
	v          *graph.Value // that owns it
	born, dies int
}

// extend adds a step to the life of v.
func extend(lives []life, v *graph.Value, step int) []life {
	for i := range lives {
		if l := &lives[i]; l.v == v {
			l.born, l.dies = min(l.born, step), max(l.dies, step)
			return lives
		}
	}
	return append(lives, life{v, step, step})
}

// layOut finds places: the largest value first, each at the lowest place that is free for its whole life.
func layOut(lives []life) (places map[*graph.Value]int, bytes int) {
	lives = slices.Clone(lives)
	slices.SortStableFunc(lives, func(a, b life) int { return cmp.Compare(b.v.Bytes(), a.v.Bytes()) })
	places = map[*graph.Value]int{}
	var placed []life // by place
	for _, l := range lives {
		at, size := 0, roundUp(l.v.Bytes())
		for _, o := range placed {
			if o.dies < l.born || l.dies < o.born {
				continue
			}
			if places[o.v] >= at+size {
				break
			}
			at = max(at, places[o.v]+roundUp(o.v.Bytes()))
		}
		places[l.v] = at
		bytes = max(bytes, at+size)
		k, _ := slices.BinarySearchFunc(placed, at, func(o life, at int) int { return cmp.Compare(places[o.v], at) })
		placed = slices.Insert(placed, k, l)
	}
	return places, bytes
}
