//go:build gpu && cgo && linux

package cuda

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// program is a plan with its launches. A run puts everything on the engine's stream and waits for nothing, unless a
// step must run on the host.
type program struct {
	engine  *Engine
	plan    *graph.Plan
	room    *graph.Room // places in the engine's scratch memory
	needs   int64       // bytes of it
	works   []int       // bytes of working memory, by step
	within  []address   // where addresses in it are used
	steps   []step
	before  []func() error             // what is looked at before a run begins
	at      map[*graph.Value][]address // where the addresses of external values are used
	bound   map[*graph.Value]*memory   // external values
	unmet   map[*graph.Value]bool      // external values that were never bound
	outputs []*graph.Value             // external values that runs compute
	results []*memory                  // what the outputs are bound to in the run at hand
	copies  []graph.Assign             // updates that were not computed in place
	done    [2]*driver.Event           // the results of a run are in the outboxes of this number
	slot    int                        // of the latest run
	timers  []*driver.Event            // between the steps, once a profile was asked for
	close   []func() error
	sync    bool // wait for every step, so that a failure names it
	closed  bool

	merged  merged
	filters filters
	lanes   lanes
	capture capture
	runs    func() error // run, made once so that running allocates nothing
	follows func() error // run behind another
}

// step is one step of the plan, made ready.
type step struct {
	actions []action
	name    string // of what runs it
}

// action puts work on the engine's stream.
type action interface{ run(p *program) error }

// address is a place that an address is written to when its value is bound, or the memory that it is in moves.
type address struct {
	to     *uint64
	offset int64
}

// handle is what a machine has of a program. The engine knows the program, the program does not know its handle: so one that nobody
// closes and nobody can reach any more is closed by the garbage collector, as the machines of Gorgonia's programs often are not.
type handle struct {
	*program
	unreachable runtime.Cleanup
}

var (
	_ graph.Observable   = (*handle)(nil)
	_ graph.KernelTeller = (*handle)(nil)
	_ graph.Queuer       = (*handle)(nil)
	_ graph.RoomTeller   = (*handle)(nil)
)

func newHandle(p *program) *handle {
	h := &handle{program: p}
	h.unreachable = runtime.AddCleanup(h, func(p *program) {
		go p.Close() // whose errors nobody is left to hear
	}, p)
	return h
}

// Bind, Run and RunObserved keep the handle reachable until they return: their call may be its last use, and the program must not be
// closed under it.

// Bind implements graph.Program.
func (h *handle) Bind(v *graph.Value, b graph.Buffer) error {
	defer runtime.KeepAlive(h)
	return h.program.Bind(v, b)
}

// Run implements graph.Program.
func (h *handle) Run() error {
	defer runtime.KeepAlive(h)
	return h.program.Run()
}

// RunNext implements graph.Queuer.
func (h *handle) RunNext() error {
	defer runtime.KeepAlive(h)
	return h.program.RunNext()
}

// RunObserved implements graph.Observable.
func (h *handle) RunObserved(o graph.Observer) error {
	defer runtime.KeepAlive(h)
	return h.program.RunObserved(o)
}

// Close implements graph.Program.
func (h *handle) Close() error {
	h.unreachable.Stop()
	return h.program.Close()
}

// syncEnv is the environment variable that makes every step wait for its end, so that a kernel which fails is named.
const syncEnv = "STHENO_CUDA_SYNC"

func waitsForSteps() bool { v := os.Getenv(syncEnv); return v != "" && v != "0" }

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
		if !v.Input && v.Const == nil {
			if err := own.open(0); err != nil {
				return err
			}
		}
		own.refs++ // the program's own, so that the memory outlives its buffer
		old := p.bound[v]
		p.bound[v] = own.memory
		own.count(v)
		delete(p.unmet, v)
		for _, a := range p.at[v] {
			*a.to = uint64(own.ptr) + uint64(a.offset)
		}
		if old == nil {
			return p.moved()
		}
		p.unsend(old)
		return errors.Join(p.moved(), old.release())
	})
}

// unsend leaves results on the device that nobody has asked for: the program will not tell any more when they are in the outbox.
func (p *program) unsend(m *memory) {
	for _, s := range m.sent[:m.unread] {
		if s.done == p.done[0] || s.done == p.done[1] {
			m.unread, m.newer = 0, true
			return
		}
	}
}

// moved forgets what holds addresses and arguments that have changed.
func (p *program) moved() error { return errors.Join(p.capture.drop(), p.unmerge(), p.dropFilters()) }

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

// RunNext implements graph.Queuer.
func (p *program) RunNext() error {
	if p.closed {
		return graph.ErrClosed
	}
	if p.engine.isClosed() {
		return errClosed
	}
	return p.engine.failed(p.engine.dev.Do(p.follows))
}

// RunObserved implements graph.Observable: every step is waited for.
func (p *program) RunObserved(o graph.Observer) error {
	if p.closed {
		return graph.ErrClosed
	}
	if p.engine.isClosed() {
		return errClosed
	}
	return p.engine.failed(p.engine.dev.Do(func() error { return p.run(o, false) }))
}

// Kernels implements graph.KernelTeller.
func (p *program) Kernels() []string {
	names := make([]string, len(p.steps))
	for i, s := range p.steps {
		names[i] = s.name
	}
	return names
}

// Room implements graph.RoomTeller.
func (p *program) Room() *graph.Room { return p.room }

// address is where a value is now.
func (p *program) address(v *graph.Value) driver.Ptr {
	r := v.Root()
	if r.Where == graph.External {
		return p.bound[r].ptr
	}
	return p.engine.scratch.at + driver.Ptr(p.room.Offsets[r.ID])
}

func (p *program) failed(i int, err error) error {
	s := p.plan.Steps[i]
	e := &graph.StepError{Step: i, Op: s.Instr.String(), Node: s.Out[0].Name, Err: err}
	if r := (*panicked)(nil); errors.As(err, &r) {
		e.Stack = r.stack
	}
	return e
}

// Close frees the program. Closing twice is harmless.
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
		p.unsend(m)
	}
	// The libraries may unload the code of a plan that is closed, so that nothing of it must be under way.
	errs := []error{p.engine.stream.Synchronize(), p.moved(), p.freeFilters()}
	for _, f := range p.close {
		errs = append(errs, f())
	}
	for _, m := range p.bound {
		errs = append(errs, m.release())
	}
	errs = append(errs, p.engine.scratch.release())
	p.steps, p.bound, p.at, p.close, p.results, p.before, p.within = nil, nil, nil, nil, nil, nil, nil
	return driver.Join(errs...)
}
