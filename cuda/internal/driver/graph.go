//go:build gpu && cgo && linux

package driver

/*
#include <cuda.h>

// Calls that package cu lacks.
static CUresult begin_capture(CUstream s) { return cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL); }
static CUresult instantiate(CUgraphExec *e, CUgraph g) { return cuGraphInstantiateWithFlags(e, g, 0); }
*/
import "C"

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
)

// recordings keeps those apart who record a stream and those who wait for a whole device: the driver refuses the latter while any thread records
// on the device, whatever the mode of its recording, and breaks that, too. Several may record at the same time.
var recordings sync.RWMutex

var (
	recording sync.Map     // threads that record
	apart     atomic.Int64 // the thread that is in Apart
)

// Apart runs f, which waits for all of a device or has a library do so, while no thread of the process records a stream. It may be called by f.
func Apart(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own := int64(syscall.Gettid())
	if _, records := recording.Load(own); records || apart.Load() == own { // who records is told by the driver that it must not wait
		return f()
	}
	recordings.Lock()
	defer recordings.Unlock()
	apart.Store(own)
	defer apart.Store(0)
	return f()
}

// Graph is work that was recorded, to be put on a stream with one call.
type Graph struct{ exec C.CUgraphExec }

// Capture records what f puts on the stream instead of doing it. f may wait for nothing. Arguments of launches are those of now.
func (s *Stream) Capture(f func() error) (*Graph, error) {
	graph, err := s.record(f)
	if err != nil {
		return nil, err
	}
	g := &Graph{}
	err = failure("cuGraphInstantiate", C.instantiate(&g.exec, graph))
	if err = errors.Join(err, failure("cuGraphDestroy", C.cuGraphDestroy(graph))); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// record is a graph that is not made ready yet.
func (s *Stream) record(f func() error) (graph C.CUgraph, err error) {
	recordings.RLock()
	defer recordings.RUnlock()
	own := int64(syscall.Gettid()) // nobody records on a thread that is not the device's, to which its goroutine is locked
	recording.Store(own, nil)
	defer recording.Delete(own)
	if err := failure("cuStreamBeginCapture", C.begin_capture(s.raw())); err != nil {
		return nil, err
	}
	ended := errors.New("cuda: the recording was broken off")
	err = func() error {
		defer func() { ended = failure("cuStreamEndCapture", C.cuStreamEndCapture(s.raw(), &graph)) }() // after a panic, too
		return f()
	}()
	if ended != nil || err != nil {
		if ended != nil { // a stream that went on recording would never do anything again; if it does not, this is an error that changes nothing
			C.cuStreamEndCapture(s.raw(), &graph)
		}
		if graph != nil {
			C.cuGraphDestroy(graph)
		}
		return nil, errors.Join(err, ended)
	}
	return graph, nil
}

// Launch puts the work on a stream.
func (g *Graph) Launch(s *Stream) error {
	return failure("cuGraphLaunch", C.cuGraphLaunch(g.exec, s.raw()))
}

// Close frees the graph. A launch that is under way goes on to its end.
func (g *Graph) Close() error {
	if g == nil || g.exec == nil {
		return nil
	}
	err := failure("cuGraphExecDestroy", C.cuGraphExecDestroy(g.exec))
	g.exec = nil
	return err
}
