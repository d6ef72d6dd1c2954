package cpu

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/host"
)

// step computes one step of a plan on the memory of its values. Kernels allocate nothing; references and host operations
// may.
type step func(m *memory) error

// program is a plan with its kernels and its arena.
type program struct {
	engine *Engine
	plan   *graph.Plan
	mem    *memory
	steps  []step
	once   int            // of the steps, which come first, are run again only when stale
	stale  bool           // resident inputs may have changed
	packs  [][]pack       // what kernels take over of the results of a step that is run once; at the end, of inputs and constants
	names  []string       // of the kernels, by step
	copies []graph.Assign // updates that were not computed in place
	seen   []op.Array     // what an observer is shown of a step, kept so that showing it allocates nothing
	unmet  map[*graph.Value]bool
	closed bool
	slices *slicer  // of steps that are run image by image, nil where there are none
	plain  *program // without slices, for observers of values; nil until there is one

	scratch int // bytes of the kernels' working memory
	kept    int // bytes of what they took over

	pages       []pages // of the arena and of the working memory
	unreachable []runtime.Cleanup
}

var (
	_ graph.Observable   = (*program)(nil)
	_ graph.KernelTeller = (*program)(nil)
	_ graph.Refresher    = (*program)(nil)
)

// Build chooses a kernel for every step.
func (e *Engine) Build(p *graph.Plan) (graph.Program, error) {
	if e.isClosed() {
		return nil, errClosed
	}
	if err := checkMemory(p, host.Memory()); err != nil {
		return nil, err
	}
	return e.build(p, findStretch(p))
}

// build is Build with a stretch of steps that is run image by image; nil for none.
func (e *Engine) build(p *graph.Plan, s *stretch) (*program, error) {
	prog := &program{engine: e, plan: p, steps: make([]step, len(p.Steps)), unmet: map[*graph.Value]bool{}}
	if err := prog.prepare(s); err != nil {
		_ = prog.Close()
		return nil, err
	}
	return prog, nil
}

// prepare allocates the program's memory and makes its steps ready.
func (p *program) prepare(images *stretch) error {
	var places map[*graph.Value]int
	bytes := p.plan.ArenaBytes
	if images != nil {
		places, bytes = p.places(images)
	}
	arena, err := p.allocate(bytes)
	if err != nil {
		return err
	}
	if p.mem, err = newMemory(p.plan, arena, places); err != nil {
		return err
	}
	b := p.engine.builder()
	for i, s := range p.plan.Steps {
		if images != nil && i >= images.from && i < images.to {
			if i == images.from {
				if err := p.slice(images, b); err != nil {
					return err
				}
			}
			continue
		}
		b.way = ""
		if p.steps[i], err = b.step(s); err != nil {
			return &graph.StepError{Step: i, Op: s.Instr.String(), Node: s.Out[0].Name, Err: err}
		}
		p.names = append(p.names, b.kernelName(s))
	}
	scratch, err := p.allocate(b.scratchBytes())
	if err != nil {
		return err
	}
	p.scratch += len(scratch)
	b.shareScratch(scratch)
	p.kept = b.keptBytes()
	kept, err := p.allocate(p.kept)
	if err != nil {
		return err
	}
	b.allotKept(kept)
	p.sortPacks(b.packs)
	for _, a := range p.plan.Assigns {
		if a.New.Root() != a.Target {
			p.copies = append(p.copies, a)
		}
	}
	for v := range p.mem.shared {
		p.unmet[v] = true
	}
	return nil
}

// allocate returns memory that lives until the program is closed. One that nobody closes and nobody can reach any more, as the
// machines of Gorgonia's programs often are not, gives it back when the garbage collector finds it.
func (p *program) allocate(n int) ([]byte, error) {
	m, err := newPages(n)
	if err != nil {
		return nil, noMemory(p.plan, n, err)
	}
	if m.mapped != nil {
		p.pages = append(p.pages, m)
		p.unreachable = append(p.unreachable, runtime.AddCleanup(p, func(m pages) { _ = m.free() }, m))
	}
	return m.bytes, nil
}

// Bind implements graph.Program.
func (p *program) Bind(v *graph.Value, b graph.Buffer) error {
	if p.closed {
		return graph.ErrClosed
	}
	own, ok := b.(buffer)
	if !ok {
		return fmt.Errorf("cpu: a buffer of type %T belongs to another engine", b)
	}
	if err := p.mem.bind(v, own.data); err != nil {
		return err
	}
	delete(p.unmet, v)
	if v.Fixed {
		p.Refresh()
	}
	return nil
}

// Refresh implements graph.Refresher.
func (p *program) Refresh() {
	p.stale = true
	if p.plain != nil {
		p.plain.stale = true
	}
}

// Run implements graph.Program. A panic in a kernel or in a host operation comes back as an error.
func (p *program) Run() error { return p.run(nil) }

// RunObserved implements graph.Observable. Of steps that are run image by image there are times, but no moment at which the results of one are
// all there: who wants to see them gets those of a program that goes step by step.
func (p *program) RunObserved(o graph.Observer) error {
	if t, ok := o.(graph.Timekeeper); p.slices == nil || p.closed || ok && t.TimesOnly() {
		return p.run(o)
	}
	if p.plain == nil {
		plain, err := p.engine.build(p.plan, nil)
		if err != nil {
			return err
		}
		p.plain = plain
	}
	for v := range p.mem.shared {
		if p.unmet[v] {
			continue
		}
		if err := p.plain.mem.bind(v, p.mem.arrays[v.ID]); err != nil {
			return err
		}
		delete(p.plain.unmet, v)
	}
	return p.plain.run(o)
}

// Kernels implements graph.KernelTeller.
func (p *program) Kernels() []string { return p.names }

func (p *program) run(o graph.Observer) (err error) {
	defer runtime.KeepAlive(p) // a step may be all that is left of it, and works on its memory
	if p.closed {
		return graph.ErrClosed
	}
	if p.engine.isClosed() {
		return errClosed
	}
	for v := range p.unmet {
		return fmt.Errorf("cpu: value %q was never bound", v.Name)
	}
	at, began := 0, time.Now()
	defer func() {
		if r := recover(); r != nil {
			err = p.failed(at, panicError(r))
			if e, ok := err.(*graph.StepError); ok {
				e.Stack = debug.Stack()
			}
		}
	}()
	if p.stale {
		if err := p.runOnce(o, &at); err != nil {
			return err
		}
	}
	from := p.once
	if x := p.slices; x != nil {
		if err := p.runSteps(o, &at, from, x.from); err != nil {
			return err
		}
		at, x.timed = x.from, o != nil
		start := time.Since(began)
		if err := x.run(&at); err != nil {
			return p.failed(at, err)
		}
		if x.timed {
			x.tell(o.(graph.Timekeeper), start)
		}
		from = x.to
	}
	if err := p.runSteps(o, &at, from, len(p.steps)); err != nil {
		return err
	}
	at = len(p.steps)
	for _, a := range p.copies {
		op.Copy(p.mem.arrays[a.Target.ID], p.mem.arrays[a.New.ID])
	}
	return nil
}

// runSteps runs steps from up to to; at is the one at hand.
func (p *program) runSteps(o graph.Observer, at *int, from, to int) error {
	for i := from; i < to; i++ {
		*at = i
		if o != nil {
			o.Before(i)
		}
		if err := p.steps[i](p.mem); err != nil {
			return p.failed(i, err)
		}
		if o != nil {
			if err := o.After(i, p.results(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// results are the values that step i has just written.
func (p *program) results(i int) []op.Array {
	p.seen = p.seen[:0]
	for _, v := range p.plan.Steps[i].Out {
		p.seen = append(p.seen, p.mem.arrays[v.ID])
	}
	return p.seen
}

func (p *program) failed(i int, err error) error {
	if i >= len(p.plan.Steps) {
		return err
	}
	s := p.plan.Steps[i]
	return &graph.StepError{Step: i, Op: s.Instr.String(), Node: s.Out[0].Name, Err: err}
}

func panicError(r any) error {
	if err, ok := r.(error); ok {
		return fmt.Errorf("panic: %w", err)
	}
	return fmt.Errorf("panic: %v", r)
}

// Close implements graph.Program. Nothing of the arena is left behind: outputs and variables have memory of their own.
func (p *program) Close() error {
	p.closed = true
	p.mem, p.steps, p.seen, p.slices = nil, nil, nil, nil
	var errs []error
	if p.plain != nil {
		errs = append(errs, p.plain.Close())
		p.plain = nil
	}
	for i, m := range p.pages {
		p.unreachable[i].Stop()
		errs = append(errs, m.free())
	}
	p.pages, p.unreachable = nil, nil
	return errors.Join(errs...)
}
