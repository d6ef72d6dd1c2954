//go:build gpu && cgo && linux

package cuda

import (
	"errors"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/graph"
)

// What device memory is held for, besides what package driver names: where an allocation's purpose, which errors tell, says more than
// somebody wants to know who looks for the large ones.
const (
	useVariables = "weights and optimizer state"
	useConstants = "constants and data sets"
	useOutputs   = "results"
	useInputs    = "inputs and the next batch"
	useSteps     = "activations and working memory" // gradients, too
	useFilters   = "filters in the order of the libraries"
	useLists     = "counters and lists of updates"
)

// role is what a tensor counts as: of all values that are bound to it, the last in this list.
type role int

const (
	isInput role = iota
	isOutput
	isConstant
	isVariable
)

var roles = [...]string{isInput: useInputs, isOutput: useOutputs, isConstant: useConstants, isVariable: useVariables}

// roleOf is what the memory of an external value counts as.
func roleOf(v *graph.Value) role {
	switch {
	case v.Variable || v.Resident && !v.Unchanging():
		return isVariable
	case v.Const != nil || v.Resident:
		return isConstant
	case v.Input:
		return isInput
	}
	return isOutput
}

// count lets the memory count as what a value needs it for.
func (m *memory) count(v *graph.Value) {
	if r := roleOf(v); r > m.role {
		m.role = r
		m.engine.dev.Memory.Count(m.ptr, roles[r])
	}
}

// MemoryUses implements graph.MemoryLister: it lists the device memory that the engine holds by what it is for, the most first. What the driver,
// libraries and CUDA graphs take besides is not in it.
func (e *Engine) MemoryUses() (uses []graph.MemoryUse) {
	_ = e.dev.Do(func() error { // of a closed engine: nothing
		for purpose, bytes := range e.dev.Memory.Uses() {
			uses = append(uses, graph.MemoryUse{Purpose: purpose, Bytes: bytes})
		}
		return nil
	})
	graph.SortMemoryUses(uses)
	return uses
}

// alloc takes device memory, which counts as for a use. Where there is none left, the error tells the purpose, and how many programs hold some.
func (e *Engine) alloc(bytes int64, use, purpose string) (driver.Ptr, error) {
	p, err := e.dev.Memory.Alloc(bytes, purpose)
	e.dev.Memory.Count(p, use)
	return p, e.exhausted(err)
}

// exhausted lets an error of memory that there is not tell how many programs hold some.
func (e *Engine) exhausted(err error) error {
	if full := (*driver.MemoryError)(nil); errors.As(err, &full) {
		full.Programs = len(e.programs)
	}
	return err
}

// Memory returns the bytes of device memory that values and programs use, and those that the engine holds for them and for later
// ones.
func (e *Engine) Memory() (used, held int64) {
	_ = e.dev.Do(func() error { // of a closed engine: nothing
		used, held = e.dev.Memory.Used(), e.dev.Memory.Held()
		return nil
	})
	return used, held
}

// FreeMemory returns the bytes of device memory that programs may still take: what the device has left, and what the engine holds and does
// not use, within Config.MemoryLimit.
func (e *Engine) FreeMemory() (free int64, err error) {
	err = e.dev.Do(func() (err error) {
		free, _, err = driver.MemInfo()
		free += e.dev.Memory.Held() - e.dev.Memory.Used()
		if limit := e.config.MemoryLimit; limit > 0 {
			free = min(free, limit-e.dev.Memory.Used())
		}
		return err
	})
	return max(free, 0), err
}
