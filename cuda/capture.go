//go:build gpu && cgo && linux

package cuda

import (
	"os"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
)

// graphEnv is the environment variable that, set to 0, turns CUDA graphs off.
const graphEnv = "STHENO_CUDA_GRAPH"

// capture is the program's run as one CUDA graph: a single call instead of one a kernel. It is made on the second run with the same
// addresses and arguments, when whatever is done once has been done: kernels are loaded, libraries have what they need. So a program
// for which another value is bound before every run never pays for a graph that is launched once.
type capture struct {
	off   bool // the program cannot be captured, or is not to be
	warm  bool // it ran once with the addresses and arguments that it has
	graph *driver.Graph
}

// waits is an action that waits for the stream, which cannot be captured.
type waits interface{ waits() }

func (*hostStep) waits()  {}
func (*hostCheck) waits() {}

// mayCapture says whether nothing in the program waits for the device.
func (p *program) mayCapture() bool {
	if p.sync || os.Getenv(graphEnv) == "0" {
		return false
	}
	for _, s := range p.steps {
		for _, a := range s.actions {
			if _, ok := a.(waits); ok {
				return false
			}
		}
	}
	return true
}

// drop forgets the graph: an address or an argument in it has changed.
func (c *capture) drop() error {
	g := c.graph
	c.graph, c.warm = nil, false
	return g.Close()
}

// launch runs the program as a graph, if it can. done says that it did.
func (p *program) launch() (done bool, err error) {
	c := &p.capture
	switch {
	case c.off:
		return false, nil
	case !c.warm:
		c.warm = true
		return false, nil
	case c.graph == nil:
		c.graph, err = p.engine.stream.Capture(p.inLanes)
		if driver.IsLost(err) {
			return false, err
		}
		if err != nil { // a library that cannot be captured: nothing was done, and each run goes kernel by kernel
			p.engine.say("a program of %d steps runs without a CUDA graph: %v", len(p.steps), err)
			c.off = true
			return false, c.drop()
		}
	}
	return true, c.graph.Launch(p.engine.stream)
}
