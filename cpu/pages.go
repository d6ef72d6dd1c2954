package cpu

import (
	"runtime"
	"sync"
	"unsafe"
)

// pages is memory that a program owns: zeroed bytes that begin at a cache line.
type pages struct {
	bytes  []byte
	mapped []byte // what the system was asked for; nil where the bytes are Go's
}

// leastMapped is the size from which memory comes from the system itself, in huge pages where there are some: the sweeps of
// a training step touch a page for nearly every translation that the processor keeps, and pages of 2 MiB are 512 times fewer. Less
// is not worth a call of the system, nor the rest of the last page.
const leastMapped = 4 << 20

// newPages allocates n bytes. Free them.
func newPages(n int) (pages, error) {
	if n >= leastMapped {
		pace.take(n)
		mapped, bytes, err := mapPages(n)
		switch {
		case err != nil:
			pace.give(n)
			return pages{}, err
		case mapped != nil:
			return pages{bytes, mapped}, nil
		}
		pace.give(n)
	}
	b := make([]byte, n+cacheLine)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (cacheLine - 1))
	return pages{bytes: b[skip : skip+n : skip+n]}, nil
}

// free gives the memory back. Nobody may read it any more: a slice of mapped memory is no longer there.
func (p pages) free() error {
	if p.mapped == nil {
		return nil
	}
	pace.give(len(p.bytes))
	return unmapPages(p.mapped)
}

// pace runs Go's garbage collector, which finds the programs that nobody closed and nobody can reach any more, when mapped
// memory has doubled: the collector does not see it, and would not run for it.
var pace = pacer{next: leastPace}

const leastPace = 256 << 20

type pacer struct {
	mu    sync.Mutex
	bytes int  // in use
	next  int  // the collector runs when there are more
	ran   bool // it did: next is to be set anew
}

func (p *pacer) take(n int) {
	p.mu.Lock()
	if p.ran { // what it found has been freed by now: cleanups run a moment after a collection
		p.next, p.ran = max(2*p.bytes, leastPace), false
	}
	p.bytes += n
	p.ran = p.bytes > p.next
	collect := p.ran
	p.mu.Unlock()
	if collect {
		runtime.GC()
	}
}

func (p *pacer) give(n int) {
	p.mu.Lock()
	p.bytes -= n
	p.mu.Unlock()
}

func (p *pacer) inUse() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes
}
