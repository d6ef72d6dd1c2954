package cpu

import (
	"fmt"

	"github.com/stheno-ml/stheno/graph"
)

// MemoryError says that a plan needs more memory than the machine has. Go would end the process when it asks for it.
type MemoryError struct {
	Wanted    int // bytes of the arena, the largest value outside it not counted
	Available int // bytes of memory that the machine or the container has in all
	Largest   *graph.Value
}

func (e *MemoryError) Error() string {
	return fmt.Sprintf("cpu: the plan wants %s for values, the machine has %s; the largest value is %q of shape %v with %s; use a smaller batch",
		gibibytes(e.Wanted), gibibytes(e.Available), e.Largest.Name, e.Largest.Shape, gibibytes(e.Largest.Bytes()))
}

func gibibytes(n int) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

// checkMemory refuses plans that cannot fit, where the size of the memory is known.
func checkMemory(p *graph.Plan, available int) error {
	if available <= 0 || p.ArenaBytes <= available {
		return nil
	}
	var largest *graph.Value
	for _, v := range p.Values {
		if largest == nil || v.Bytes() > largest.Bytes() {
			largest = v
		}
	}
	return &MemoryError{Wanted: p.ArenaBytes, Available: available, Largest: largest}
}
