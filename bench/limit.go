package bench

import (
	"fmt"
	"math"
	"runtime"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/host"
	"github.com/stheno-ml/stheno/train"
)

// MemoryError is a case that needs more memory than the machine has. Go would end the process when it asks for it.
type MemoryError struct {
	Case      Case
	Wanted    int64 // bytes at a time: Values and Batch, or Reference, whichever is more
	Available int64 // bytes of memory that the machine or the container has in all
	Values    int64 // of the plan, where the case is computed in this memory
	Batch     int64 // its images and labels
	Reference int64 // of the results that it is compared with, in float64 on the CPU; 0 where it is compared with none
}

// Error says what is needed, what there is, and what to do.
func (e *MemoryError) Error() string {
	var of string
	switch {
	case e.Wanted == e.Reference:
		of = "for the reference in float64"
		if !e.Case.onCPU() {
			of = "for the CPU's results that it is compared with"
		}
	case e.Values > 0:
		of = fmt.Sprintf("(%s for the batch, %s for the plan's values)", bytesText(e.Batch), bytesText(e.Values))
	default:
		of = "for the batch alone"
	}
	return fmt.Sprintf("bench: %v wants %s %s, the machine has %s; use a smaller batch, or smaller images", e.Case, bytesText(e.Wanted), of, bytesText(e.Available))
}

// fits refuses a case that cannot fit, where the size of the memory is known.
func (c Case) fits() error { return c.within(int64(host.Memory()), 0) }

// fits is Case.fits for a case that is verified, with a batch that may be larger.
func (d dealing) fits() error {
	c := d.Case
	c.Batch = max(c.Batch, d.size)
	return c.within(int64(host.Memory()), d.referred)
}

// within refuses c where it needs more than the memory that is available. The reference computes so many images.
func (c Case) within(available int64, referred int) error {
	if available <= 0 {
		return nil
	}
	e := &MemoryError{Case: c, Available: available, Batch: c.batchBytes()}
	if c.Threads == 0 {
		e.Case.Threads = runtime.GOMAXPROCS(0)
	}
	if c.onCPU() {
		p, err := c.plan(c.Batch)
		switch {
		case err != nil && e.Batch > available: // a graph so large is refused, too
			e.Wanted = e.Batch
			return e
		case err != nil:
			return err
		}
		e.Values = int64(p.PeakBytes())
		if c.Mode == Inference { // its images are the plan's input
			e.Values = max(e.Values-e.Batch, 0)
		}
	}
	if referred > 0 {
		var as []graph.Option
		if c.onCPU() {
			as = append(as, graph.WithoutPasses())
		}
		p, err := c.plan(referred, as...)
		if err != nil {
			return err
		}
		if e.Reference = int64(p.PeakBytes()); c.onCPU() {
			e.Reference *= 2 // the plan is for float32
		}
	}
	if e.Wanted = max(sum(e.Values, e.Batch), e.Reference); e.Wanted <= available {
		return nil
	}
	return e
}

// sum is the sum of what is not negative, or as much as there are numbers.
func sum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// batchBytes are those of a batch in the process's memory: an image has three channels, in float32 or, for other devices than the CPU, in
// bytes and with three integers; a label and a number of its own.
func (c Case) batchBytes() int64 {
	numbers := 3 * int64(c.Size) * int64(c.Size)
	if c.onCPU() {
		return int64(c.Batch) * (4*numbers + 2*8)
	}
	return int64(c.Batch) * (numbers + 5*8)
}

// plan is the plan of c for batches of n, without an engine and without values.
func (c Case) plan(n int, more ...graph.Option) (*graph.Plan, error) {
	m, err := c.model()
	if err != nil {
		return nil, err
	}
	var g *gorgonia.ExprGraph
	var o []graph.Option
	if c.Mode == Train {
		g, o, err = train.StepGraph(m, optimizer, n, seed)
	} else {
		g, o, err = train.InferenceGraph(m, n)
	}
	if err != nil {
		return nil, err
	}
	return graph.PlanFor(g, append(o, more...)...)
}
