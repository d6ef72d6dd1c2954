package cpu

import (
	"fmt"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/host"
)

// MemoryError says that a plan needs more memory than the machine has. Go would end the process when it asks for it.
type MemoryError struct {
	Wanted    int // bytes of the arena, the largest value outside it not counted
	Available int // bytes of memory that the machine or the container has in all
	Largest   *graph.Value
	Err       error // of the system, when it was asked for the memory
}

// Unwrap returns what the system said, if it was asked.
func (e *MemoryError) Unwrap() error { return e.Err }

func (e *MemoryError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("cpu: the system has no %s for a program (%v); the largest value is %q of shape %v with %s; use a smaller batch, or close machines that are not used any more",
			gibibytes(e.Wanted), e.Err, e.Largest.Name, e.Largest.Shape, gibibytes(e.Largest.Bytes()))
	}
	return fmt.Sprintf("cpu: the plan wants %s for values, the machine has %s; the largest value is %q of shape %v with %s; use a smaller batch",
		gibibytes(e.Wanted), gibibytes(e.Available), e.Largest.Name, e.Largest.Shape, gibibytes(e.Largest.Bytes()))
}

func gibibytes(n int) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

// checkMemory refuses plans that cannot fit, where the size of the memory is known.
func checkMemory(p *graph.Plan, available int) error {
	if available <= 0 || p.ArenaBytes <= available {
		return nil
	}
	return &MemoryError{Wanted: p.ArenaBytes, Available: available, Largest: largest(p)}
}

// noMemory is the error of a program whose memory the system did not give.
func noMemory(p *graph.Plan, n int, err error) error {
	return &MemoryError{Wanted: n, Available: host.Memory(), Largest: largest(p), Err: err}
}

func largest(p *graph.Plan) *graph.Value {
	var largest *graph.Value
	for _, v := range p.Values {
		if largest == nil || v.Bytes() > largest.Bytes() {
			largest = v
		}
	}
	return largest
}
