//go:build gpu && cgo && linux

package cuda

import (
	"errors"
	"fmt"
	"os"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// program is a plan with its launches and its arena. A run puts everything on the engine's stream and waits for nothing, unless a
// step must run on the host.
type program struct {
	engine  *Engine
	plan    *graph.Plan
	arena   driver.Ptr
	work    driver.Ptr // working memory, which the steps use one after the other
	steps   []step
	before  []func() error             // what is looked at before a run begins
	at      map[*graph.Value][]address // where the addresses of external values are used
	bound   map[*graph.Value]*memory   // external values
	unmet   map[*graph.Value]bool      // external values that were never bound
	outputs []*graph.Value             // external values that runs compute
	results []*memory                  // what the outputs are bound to in the run at hand
	copies  []graph.Assign             // updates that were not computed in place
	done    *driver.Event              // the run's results are on their way
	close   []func() error
	sync    bool // wait for every step, so that a failure names it
	closed  bool

	merged  merged
	capture capture
	runs    func() error // run, made once so that running allocates nothing
}

// step is one step of the plan, made ready.
type step struct {
	actions []action
	name    string // of what runs it
}

// action puts work on the engine's stream.
type action interface{ run(p *program) error }

// address is a place that an address is written to when its value is bound.
type address struct {
	to     *uint64
	offset int64
}

var (
	_ graph.Observable   = (*program)(nil)
	_ graph.KernelTeller = (*program)(nil)
)

// syncEnv is the environment variable that makes every step wait for its end, so that a kernel which fails is named.
const syncEnv = "STHENO_CUDA_SYNC"

func waitsForSteps() bool { v := os.Getenv(syncEnv); return v != "" && v != "0" }

// Build decides what every step asks of the device, compiles the kernels, and allocates the arena.
func (e *Engine) Build(p *graph.Plan) (graph.Program, error) {
	if e.isClosed() {
		return nil, errClosed
	}
	prog := &program{engine: e, plan: p, at: map[*graph.Value][]address{}, bound: map[*graph.Value]*memory{}, unmet: map[*graph.Value]bool{},
		sync: waitsForSteps()}
	prog.runs = func() error { return prog.run(nil) }
	err := e.dev.Do(func() error {
		e.programs[prog] = true
		return prog.build()
	})
	if err != nil {
		return nil, errors.Join(err, prog.Close())
	}
	return prog, nil
}

// commands are what a step asks of the device. host says that it asks nothing and runs on the host.
type commands struct {
	list []kernel.Command
	work int64
	host bool
}

func (p *program) build() (err error) {
	for _, v := range p.plan.Values {
		r := v.Root()
		if r.Where != graph.External || p.unmet[r] {
			continue
		}
		p.unmet[r] = true
		if !r.Input && r.Const == nil {
			p.outputs = append(p.outputs, r)
		}
	}
	decided, err := p.decide()
	if err != nil {
		return err
	}
	var sources []kernel.Source
	for _, c := range decided {
		sources = append(sources, sourcesOf(c.list)...)
	}
	if err := p.engine.compiler.compile(sources); err != nil {
		return err
	}
	memory := p.engine.dev.Memory
	if p.plan.ArenaBytes > 0 {
		if p.arena, err = memory.Alloc(int64(p.plan.ArenaBytes), fmt.Sprintf("the arena of a program of %d steps", len(p.plan.Steps))); err != nil {
			return err
		}
		p.close = append(p.close, func() error { return memory.Free(p.arena) })
	}
	if p.done, err = driver.NewEvent(); err != nil {
		return err
	}
	p.close = append(p.close, p.done.Close)
	// Every address in working memory is written when its size is known.
	m := &maker{program: p}
	for i, s := range p.plan.Steps {
		made, err := m.step(s, decided[i])
		if err != nil {
			return &graph.StepError{Step: i, Op: s.Instr.String(), Node: s.Out[0].Name, Err: err}
		}
		p.steps = append(p.steps, made)
	}
	if m.most > 0 {
		if p.work, err = memory.Alloc(m.most, "the working memory of kernels and libraries"); err != nil {
			return err
		}
		p.close = append(p.close, func() error { return memory.Free(p.work) })
	}
	for _, a := range m.work {
		*a.to = uint64(p.work) + uint64(a.offset)
	}
	for _, a := range p.plan.Assigns {
		if a.New.Root() != a.Target {
			p.copies = append(p.copies, a)
		}
	}
	p.capture.off = !p.mayCapture()
	return nil
}

// decide asks package kernel about every step.
func (p *program) decide() ([]commands, error) {
	b := &kernel.Builder{Multiprocessors: p.engine.dev.Multiprocessors, Precision: p.engine.precision}
	all := make([]commands, len(p.plan.Steps))
	for i, s := range p.plan.Steps {
		list, err := kernel.Commands(b, s)
		if err != nil {
			return nil, &graph.StepError{Step: i, Op: s.Instr.String(), Node: s.Out[0].Name, Err: err}
		}
		all[i] = commands{list: list, work: b.Work(), host: list == nil}
		if list == nil {
			p.engine.say("no CUDA kernel for %s of %v: it runs on the host, and its operands and results are copied", s.Instr.Kind(), s.Out[0].Dtype)
		}
	}
	return all, nil
}

func sourcesOf(list []kernel.Command) []kernel.Source {
	var all []kernel.Source
	for _, c := range list {
		switch c := c.(type) {
		case *kernel.Launch:
			all = append(all, c.Source)
		case *kernel.Either:
			all = append(append(all, sourcesOf(c.Try)...), sourcesOf(c.Else)...)
		}
	}
	return all
}

// Bind implements graph.Program.
func (p *program) Bind(v *graph.Value, b graph.Buffer) error {
	if p.closed {
		return graph.ErrClosed
	}
	own, ok := b.(*buffer)
	if !ok || own.engine != p.engine {
		return fmt.Errorf("cuda: a buffer of type %T belongs to another engine", b)
	}
	if v.Where != graph.External || v.Alias != nil {
		return fmt.Errorf("cuda: value %q lives in the arena and cannot be bound", v.Name)
	}
	if a := own.data; a.Dtype() != v.Dtype || op.Len(a.Shape) != v.Len() {
		return fmt.Errorf("cuda: value %q wants %d elements of %v, got %d of %v", v.Name, v.Len(), v.Dtype, op.Len(a.Shape), a.Dtype())
	}
	return p.engine.dev.Do(func() error {
		if p.bound[v] == own.memory {
			return nil
		}
		if !v.Input && v.Const == nil && own.outbox == nil {
			var err error
			if own.outbox, err = driver.NewPinned(int64(own.place.bytes)); err != nil {
				return err
			}
		}
		p.bound[v] = own.memory
		delete(p.unmet, v)
		for _, a := range p.at[v] {
			*a.to = uint64(own.ptr) + uint64(a.offset)
		}
		return p.moved()
	})
}

// moved forgets what holds addresses and arguments that have changed.
func (p *program) moved() error { return errors.Join(p.capture.drop(), p.unmerge()) }

// Run implements graph.Program. It returns when the work is on the device's stream; what fails there is told by the next Download
// or Run.
func (p *program) Run() error {
	if p.closed {
		return graph.ErrClosed
	}
	if p.engine.isClosed() {
		return errClosed
	}
	return p.engine.failed(p.engine.dev.Do(p.runs))
}

// RunObserved implements graph.Observable: every step is waited for.
func (p *program) RunObserved(o graph.Observer) error {
	if p.closed {
		return graph.ErrClosed
	}
	if p.engine.isClosed() {
		return errClosed
	}
	return p.engine.failed(p.engine.dev.Do(func() error { return p.run(o) }))
}

// Kernels implements graph.KernelTeller.
func (p *program) Kernels() []string {
	names := make([]string, len(p.steps))
	for i, s := range p.steps {
		names[i] = s.name
	}
	return names
}

func (p *program) run(o graph.Observer) error {
	for v := range p.unmet {
		return fmt.Errorf("cuda: value %q was never bound", v.Name)
	}
	for _, f := range p.before {
		if err := f(); err != nil {
			return err
		}
	}
	p.results = p.results[:0]
	for _, v := range p.outputs {
		p.results = append(p.results, p.bound[v])
	}
	if err := p.merge(); err != nil {
		return err
	}
	done := false
	if o == nil {
		var err error
		if done, err = p.launch(); err != nil {
			return err
		}
	}
	switch {
	case done:
	case o == nil && !p.sync:
		if err := p.everything(); err != nil {
			return err
		}
	default:
		if err := p.eachStep(o); err != nil {
			return err
		}
		if err := p.last(); err != nil {
			return err
		}
	}
	for _, a := range p.plan.Assigns {
		m := p.bound[a.Target.Root()]
		m.newer, m.sent = true, nil
	}
	for _, m := range p.results {
		m.newer, m.sent = false, p.done
	}
	return p.done.Record(p.engine.stream)
}

// eachStep puts the steps on the stream, and waits for each.
func (p *program) eachStep(o graph.Observer) error {
	if err := p.engine.stream.Synchronize(); err != nil { // of what came before this run
		return err
	}
	for i := range p.steps {
		if o != nil {
			o.Before(i)
		}
		for _, a := range p.steps[i].actions {
			if err := a.run(p); err != nil {
				return p.failed(i, err)
			}
		}
		if err := p.engine.stream.Synchronize(); err != nil {
			return p.failed(i, err)
		}
		if o != nil {
			if err := p.show(o, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// last does the updates that are left, and sends the outputs.
func (p *program) last() error {
	for _, a := range p.copies {
		if err := p.engine.stream.Copy(p.address(a.Target), p.address(a.New), int64(a.Target.Bytes())); err != nil {
			return err
		}
	}
	for _, m := range p.results {
		if err := m.send(); err != nil {
			return err
		}
	}
	return nil
}

// everything is a run that nobody watches.
func (p *program) everything() error {
	for _, a := range p.merged.list {
		if err := a.run(p); driver.IsLost(err) { // by any kernel before, which nobody has waited for
			return err
		} else if err != nil {
			return p.failed(a.step, err)
		}
	}
	return p.last()
}

// show brings the results of a step to the host for an observer.
func (p *program) show(o graph.Observer, i int) error {
	if t, ok := o.(graph.TimesOnly); ok && t.TimesOnly() {
		return o.After(i, nil)
	}
	s := p.plan.Steps[i]
	results := make([]op.Array, len(s.Out))
	for k, v := range s.Out {
		a, err := op.NewArray(v.Dtype, v.Shape)
		if err != nil {
			return err
		}
		if err := p.engine.staging.toHost(bytesOf(a), p.address(v)); err != nil {
			return p.failed(i, err)
		}
		results[k] = a
	}
	return o.After(i, results)
}

// address is where a value is now.
func (p *program) address(v *graph.Value) driver.Ptr {
	r := v.Root()
	if r.Where == graph.External {
		return p.bound[r].ptr
	}
	return p.arena + driver.Ptr(r.Offset)
}

func (p *program) failed(i int, err error) error {
	s := p.plan.Steps[i]
	return &graph.StepError{Step: i, Op: s.Instr.String(), Node: s.Out[0].Name, Err: err}
}

// Close implements graph.Program.
func (p *program) Close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	err := p.engine.dev.Do(p.free)
	if errors.Is(err, driver.ErrClosed) { // the engine has freed it
		return nil
	}
	return err
}

// free gives back all that the program has on the device and in C memory. It runs on the device's thread.
func (p *program) free() error {
	delete(p.engine.programs, p)
	for _, m := range p.results {
		if m.sent == p.done { // nobody has asked for the results of the last run; the device has them
			m.sent, m.newer = nil, true
		}
	}
	// The libraries may unload the code of a plan that is closed, so that nothing of it must be under way.
	errs := []error{p.engine.stream.Synchronize(), p.moved()}
	for _, f := range p.close {
		errs = append(errs, f())
	}
	p.steps, p.bound, p.at, p.close, p.results, p.before = nil, nil, nil, nil, nil, nil
	return driver.Join(errs...)
}
