// Package memcopy copies large memory with several cores: one alone cannot read and write as fast as memory does, and a batch that a GPU
// computes in a third of a millisecond takes as long to be copied.
package memcopy

import (
	"runtime"
	"sync"
	"unsafe"
)

const (
	part    = 1 << 20 // what is worth waking another core for
	helpers = 3       // that memory keeps busy
)

// job is a part of a copy.
type job struct {
	to, from []byte
	done     *sync.WaitGroup
}

var (
	start sync.Once
	jobs  chan job
	waits = sync.Pool{New: func() any { return new(sync.WaitGroup) }}
)

// Copy is the built-in copy: it copies as many elements as the shorter of the two has and returns their number. T must hold no pointers, and
// the two must not overlap. Copying the same again allocates nothing.
func Copy[T any](to, from []T) int {
	n := min(len(to), len(from))
	bytes := n * int(unsafe.Sizeof(*new(T)))
	parts := min(bytes/part, 1+helpers, runtime.GOMAXPROCS(0))
	if parts < 2 {
		return copy(to, from)
	}
	inParts(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(to))), bytes), unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(from))), bytes), parts)
	return n
}

func inParts(to, from []byte, parts int) {
	start.Do(func() {
		jobs = make(chan job, helpers)
		for range helpers {
			go func() {
				for j := range jobs {
					copy(j.to, j.from)
					j.done.Done()
				}
			}()
		}
	})
	done := waits.Get().(*sync.WaitGroup)
	size := (len(to)/parts + 63) / 64 * 64 // parts share no line of the cache
	for len(to) > size {
		done.Add(1)
		jobs <- job{to[:size], from[:size], done}
		to, from = to[size:], from[size:]
	}
	copy(to, from)
	done.Wait()
	waits.Put(done)
}
