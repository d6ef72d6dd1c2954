// Package pool runs data-parallel loops on a fixed set of workers.
//
// The caller is always worker 0; the other workers are helper goroutines that
// look for work for a few tens of microseconds after a loop and then park, so
// an idle pool burns no CPU. Helpers join a loop when they arrive in time and
// are never waited for when they come too late: on a loaded machine a short
// loop is finished by its caller alone instead of waiting for a wake-up.
//
// Parts are dealt out to the workers in equal shares of consecutive numbers, and
// who has finished his own helps with the others'. So loops over the same data
// find in a worker's cache what it read or wrote before. Still, which worker runs
// which part is not defined. A task whose results must be
// reproducible therefore makes every part independent of the worker index
// (which is meant for choosing scratch memory only).
package pool

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Task is the body of a parallel loop. Implementations are usually pointers to
// a preallocated struct, so that a Run allocates nothing.
type Task interface {
	// Do runs part number part. worker lies in [0, Threads()) and no two calls
	// of the same Run that are under way at one time share it.
	Do(worker, part int)
}

// Pool is a set of workers. It is safe for use by several goroutines: while one
// Run holds the helpers, another Run (also a nested one) runs on its caller alone.
type Pool struct {
	threads int
	helpers []*helper
	exited  sync.WaitGroup

	busy    sync.Mutex    // held by the Run that owns the helpers, and by Close
	closed  atomic.Bool   // set once by Close
	epoch   atomic.Uint32 // grows with every loop; helpers watch it
	gate    atomic.Uint32 // count of helpers inside the loop, plus the two bits below
	drained chan struct{} // one token when the last helper left and the caller parked

	// The current loop. Written only while the gate is shut and empty.
	task    Task
	shares  []share               // a worker's
	failure atomic.Pointer[Panic] // first panic of the current loop
}

const (
	gateShut   = 1 << 31 // no helper may enter
	gateParked = 1 << 30 // the caller sleeps until the last helper leaves
	gateCount  = gateParked - 1
)

// share is the parts of a loop that are a worker's.
type share struct {
	next int64 // the next of them to hand out; atomic while the loop runs
	end  int64
	_    [112]byte // two cache lines: processors fetch them in pairs
}

// take hands out a part; false means that none is left.
func (s *share) take() (part int, ok bool) {
	if atomic.LoadInt64(&s.next) >= s.end {
		return 0, false
	}
	i := atomic.AddInt64(&s.next, 1) - 1
	return int(i), i < s.end
}

type helper struct {
	worker int
	parked atomic.Bool
	wake   chan struct{} // capacity 1; a token is sent only by whoever cleared parked
}

// Panic is what Run panics with when a part panicked, on whichever worker.
type Panic struct {
	Value any    // the value the part panicked with
	Stack []byte // the stack of the worker at that moment
}

// Error describes the original panic, on one line; the stack stays in its field.
func (p *Panic) Error() string { return fmt.Sprintf("pool: a task panicked: %v", p.Value) }

// Unwrap returns the original value when it was an error, else nil.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// asPanic wraps a recovered value, unless a nested Run has done so already.
func asPanic(v any) *Panic {
	if p, ok := v.(*Panic); ok {
		return p
	}
	return &Panic{Value: v, Stack: debug.Stack()}
}

// New starts a pool of the given number of workers, the caller of Run included.
// threads <= 0 means GOMAXPROCS. A pool of one has no goroutines. Close ends it.
func New(threads int) *Pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{threads: threads, shares: make([]share, threads), drained: make(chan struct{}, 1)}
	p.gate.Store(gateShut)
	for w := 1; w < threads; w++ {
		h := &helper{worker: w, wake: make(chan struct{}, 1)}
		p.helpers = append(p.helpers, h)
		p.exited.Add(1)
		go p.help(h)
	}
	return p
}

// Threads returns the number of workers, the caller included. It does not
// change when the pool is closed.
func (p *Pool) Threads() int { return p.threads }

// Close ends the helpers and waits for a loop under way, so a task must not call
// it. It may be called more than once; a Run after Close works and is serial.
func (p *Pool) Close() {
	p.busy.Lock()
	defer p.busy.Unlock()
	if p.closed.Swap(true) {
		return
	}
	p.epoch.Add(1)
	for _, h := range p.helpers {
		h.unpark()
	}
	p.exited.Wait()
}

// Run calls task.Do(worker, part) once for each part in [0, n) and returns when
// all calls have. It allocates nothing. When a part panics, no further parts are
// started and Run panics on the caller with a *Panic.
func (p *Pool) Run(task Task, n int) {
	if n <= 0 {
		return
	}
	if n == 1 || len(p.helpers) == 0 || p.closed.Load() || !p.busy.TryLock() {
		serial(task, n)
		return
	}
	defer p.busy.Unlock()
	if p.closed.Load() { // Close came between the check and the lock
		serial(task, n)
		return
	}
	p.failure.Store(nil)
	p.loop(task, n)
	if f := p.failure.Load(); f != nil {
		panic(f)
	}
}

// serial is Run without helpers.
func serial(task Task, n int) {
	defer func() {
		if v := recover(); v != nil {
			panic(asPanic(v))
		}
	}()
	for i := range n {
		task.Do(0, i)
	}
}

// loop runs one loop with the helpers; p.busy is held. On return no helper is
// inside, whatever the task did.
func (p *Pool) loop(task Task, n int) {
	p.task = task
	for i := range p.shares {
		s := &p.shares[i]
		s.next, s.end = int64(i*n/p.threads), int64((i+1)*n/p.threads)
	}
	p.gate.Store(0) // open
	p.epoch.Add(1)
	for _, h := range p.helpers[:min(n-1, len(p.helpers))] {
		h.unpark()
	}
	defer func() {
		p.drain()
		p.task = nil // do not keep the task's buffers alive
	}()
	p.work(0)
}

// work runs parts until none is left and keeps the first panic.
func (p *Pool) work(worker int) {
	finished := false
	defer func() {
		if finished {
			return
		}
		v := recover()
		if v == nil { // runtime.Goexit, for instance a test's FailNow
			v = "the task ended its goroutine (runtime.Goexit)"
		}
		for i := range p.shares {
			atomic.StoreInt64(&p.shares[i].next, p.shares[i].end)
		}
		p.failure.CompareAndSwap(nil, asPanic(v))
	}()
	for i := range p.shares {
		s := &p.shares[(worker+i)%len(p.shares)]
		for part, ok := s.take(); ok; part, ok = s.take() {
			p.task.Do(worker, part)
		}
	}
	finished = true
}

// drain shuts the gate and waits until the helpers inside have left.
func (p *Pool) drain() {
	if p.gate.Or(gateShut)&gateCount == 0 {
		return
	}
	for s := newSpin(); s.again(); {
		if p.gate.Load()&gateCount == 0 {
			return
		}
	}
	if p.gate.Or(gateParked)&gateCount == 0 {
		return
	}
	<-p.drained
}

// enter lets a helper into the current loop, if it is still open.
func (p *Pool) enter() bool {
	for {
		g := p.gate.Load()
		if g&gateShut != 0 {
			return false
		}
		if p.gate.CompareAndSwap(g, g+1) {
			return true
		}
	}
}

// leave is enter's counterpart; the last one out wakes a parked caller.
func (p *Pool) leave() {
	if p.gate.Add(^uint32(0)) == gateShut|gateParked {
		p.drained <- struct{}{}
	}
}

// help is the life of a helper goroutine.
func (p *Pool) help(h *helper) {
	defer p.exited.Done()
	var seen uint32
	for {
		seen = p.await(h, seen)
		if p.closed.Load() {
			return
		}
		if p.enter() {
			p.join(h.worker)
		}
	}
}

func (p *Pool) join(worker int) {
	defer p.leave() // also when the task ends this goroutine
	p.work(worker)
}

// await returns the epoch once it differs from seen: by spinning for a moment,
// then parked.
func (p *Pool) await(h *helper, seen uint32) uint32 {
	for s := newSpin(); s.again(); {
		if e := p.epoch.Load(); e != seen {
			return e
		}
	}
	h.parked.Store(true)
	if e := p.epoch.Load(); e != seen {
		if !h.parked.CompareAndSwap(true, false) {
			<-h.wake // a Run cleared it first and its token is on the way
		}
		return e
	}
	<-h.wake
	return p.epoch.Load()
}

func (h *helper) unpark() {
	if h.parked.CompareAndSwap(true, false) {
		h.wake <- struct{}{}
	}
}
