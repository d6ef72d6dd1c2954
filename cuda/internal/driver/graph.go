//go:build gpu && cgo && linux

package driver

/*
#include <cuda.h>

// Calls that package cu lacks.
static CUresult begin_capture(CUstream s) { return cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL); }
static CUresult instantiate(CUgraphExec *e, CUgraph g) { return cuGraphInstantiateWithFlags(e, g, 0); }
*/
import "C"

import "errors"

// Graph is work that was recorded, to be put on a stream with one call.
type Graph struct{ exec C.CUgraphExec }

// Capture records what f puts on the stream instead of doing it. f may wait for nothing. Arguments of launches are those of now.
func (s *Stream) Capture(f func() error) (*Graph, error) {
	if err := failure("cuStreamBeginCapture", C.begin_capture(s.raw())); err != nil {
		return nil, err
	}
	var graph C.CUgraph
	ended := errors.New("cuda: the recording was broken off")
	err := func() error {
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
	g := &Graph{}
	err = failure("cuGraphInstantiate", C.instantiate(&g.exec, graph))
	if err = errors.Join(err, failure("cuGraphDestroy", C.cuGraphDestroy(graph))); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
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
