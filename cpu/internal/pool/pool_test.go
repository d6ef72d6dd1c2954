package pool

import (
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// count counts how often each part ran and catches two parts on one worker at a time.
type count struct {
	parts  []atomic.Int32
	inside []atomic.Int32
	clash  atomic.Bool
	each   func(worker, part int)
}

func newCount(p *Pool, n int) *count {
	return &count{parts: make([]atomic.Int32, n), inside: make([]atomic.Int32, p.Threads())}
}

func (c *count) Do(worker, part int) {
	if c.inside[worker].Add(1) != 1 {
		c.clash.Store(true)
	}
	c.parts[part].Add(1)
	if c.each != nil {
		c.each(worker, part)
	}
	c.inside[worker].Add(-1)
}

func (c *count) check(t *testing.T) {
	t.Helper()
	require.False(t, c.clash.Load(), "two parts on one worker at a time")
	for i := range c.parts {
		require.EqualValues(t, 1, c.parts[i].Load(), "runs of part %d", i)
	}
}

func TestEveryPartOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		p := New(threads)
		require.Equal(t, threads, p.Threads())
		for _, n := range []int{0, 1, 2, 3, 7, 100} {
			for range 50 {
				c := newCount(p, n)
				p.Run(c, n)
				c.check(t)
			}
		}
		p.Close()
	}
}

func TestDefaultThreads(t *testing.T) {
	p := New(0)
	defer p.Close()
	require.Equal(t, runtime.GOMAXPROCS(0), p.Threads())
}

// TestHelpersHelp: parts that wait for each other need two workers, parked or not.
func TestHelpersHelp(t *testing.T) {
	p := New(2)
	defer p.Close()
	for _, pause := range []time.Duration{0, 5 * spinFor, 0} {
		time.Sleep(pause)
		var meet sync.WaitGroup
		meet.Add(2)
		c := newCount(p, 2)
		c.each = func(int, int) { meet.Done(); meet.Wait() }
		p.Run(c, 2)
		c.check(t)
	}
}

// TestIdlePoolParks: after the spin no helper is left running.
func TestIdlePoolParks(t *testing.T) {
	p := New(3)
	defer p.Close()
	c := newCount(p, 30)
	p.Run(c, 30)
	require.Eventually(t, func() bool {
		for _, h := range p.helpers {
			if !h.parked.Load() {
				return false
			}
		}
		return true
	}, 5*time.Second, time.Millisecond)
}

func TestConcurrentAndNestedRuns(t *testing.T) {
	p := New(3)
	defer p.Close()
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 100 {
				c := newCount(p, 9)
				c.each = func(_, part int) {
					if part == 4 {
						inner := newCount(p, 5)
						p.Run(inner, 5)
						for i := range inner.parts {
							if inner.parts[i].Load() != 1 {
								c.clash.Store(true)
							}
						}
					}
				}
				p.Run(c, 9)
				if c.clash.Load() {
					t.Error("a nested or concurrent run went wrong")
				}
			}
		}()
	}
	wg.Wait()
}

func TestPanicSurfaces(t *testing.T) {
	for _, threads := range []int{1, 2, 4} {
		p := New(threads)
		for bad := range 8 {
			c := newCount(p, 8)
			c.each = func(_, part int) {
				if part == bad {
					panic(io.ErrUnexpectedEOF)
				}
			}
			caught := func() (v any) {
				defer func() { v = recover() }()
				p.Run(c, 8)
				return nil
			}()
			err, ok := caught.(*Panic)
			require.True(t, ok, "caught %v", caught)
			require.True(t, errors.Is(err, io.ErrUnexpectedEOF))
			require.Equal(t, "pool: a task panicked: unexpected EOF", err.Error(), "without the stack")
			require.Contains(t, string(err.Stack), "pool_test.go", "the stack of the worker")
			// The pool goes on as if nothing had been.
			c = newCount(p, 20)
			p.Run(c, 20)
			c.check(t)
		}
		p.Close()
	}
}

// TestPanicOnHelper forces the panic away from the caller.
func TestPanicOnHelper(t *testing.T) {
	p := New(2)
	defer p.Close()
	var meet sync.WaitGroup
	meet.Add(2)
	c := newCount(p, 2)
	c.each = func(worker, _ int) {
		meet.Done()
		meet.Wait()
		if worker == 1 {
			panic("here")
		}
	}
	require.Panics(t, func() { p.Run(c, 2) })
}

// TestGoexit: a part that ends its goroutine costs a helper at most, never a hang.
func TestGoexit(t *testing.T) {
	p := New(2)
	defer p.Close()
	for range 3 {
		done := make(chan any)
		go func() {
			defer func() { done <- recover() }()
			c := newCount(p, 4)
			c.each = func(int, int) { runtime.Goexit() }
			p.Run(c, 4)
		}()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatal("a Run never returned")
		}
	}
	c := newCount(p, 20)
	p.Run(c, 20)
	c.check(t)
}

func TestClose(t *testing.T) {
	before := runtime.NumGoroutine()
	p := New(4)
	c := newCount(p, 10)
	p.Run(c, 10)
	var wg sync.WaitGroup
	for range 3 {
		wg.Add(1)
		go func() { defer wg.Done(); p.Close() }()
	}
	wg.Wait()
	p.Close()
	for try := 0; runtime.NumGoroutine() > before; try++ {
		require.Less(t, try, 5000, "helpers are left over")
		time.Sleep(time.Millisecond)
	}
	c = newCount(p, 10)
	c.each = func(worker, _ int) { require.Zero(t, worker, "serial after Close") }
	p.Run(c, 10)
	c.check(t)
}

type nothing struct{ x [64]int }

func (n *nothing) Do(_, part int) { n.x[part]++ }

func TestRunDoesNotAllocate(t *testing.T) {
	p := New(2)
	defer p.Close()
	task := &nothing{}
	require.Zero(t, testing.AllocsPerRun(200, func() { p.Run(task, 64) }))
}

func BenchmarkRun(b *testing.B) {
	p := New(2)
	defer p.Close()
	task := &nothing{}
	for b.Loop() {
		p.Run(task, 2)
	}
}
