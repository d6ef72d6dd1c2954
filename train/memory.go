package train

import (
	"fmt"
	"math"

	"github.com/stheno-ml/stheno/nn"
)

// MemoryError is a model that needs more memory for its weights than the machine has. Go would end the process when it asks for it.
type MemoryError struct {
	Parameters int   // of the model
	Wanted     int64 // bytes of the weights, what the optimizer keeps of them, and their averages
	Available  int64 // bytes of memory that the machine or the container has in all
	Optimizer  string
	// The weight with the most elements, its shape, and its bytes.
	Largest string
	Shape   []int
	Bytes   int64
}

// Error says what is needed, what there is, and what to do.
func (e *MemoryError) Error() string {
	gib := func(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }
	return fmt.Sprintf("train: the model's %d parameters take %s with what %s keeps of each, the machine has %s; the largest weight is %q of shape %v with %s\n"+
		"    use smaller images or a smaller network, or an optimizer that keeps less, such as sgd with --momentum 0",
		e.Parameters, gib(e.Wanted), e.Optimizer, gib(e.Available), e.Largest, e.Shape, gib(e.Bytes))
}

// fitsMemory refuses a model whose weights, slots and averages do not fit into so many bytes, before any of them is made. 0 is not known.
func fitsMemory(m *nn.Model, opt Optimizer, averaged bool, available int64) error {
	const size = 4 // float32
	e := &MemoryError{Available: available, Optimizer: opt.Name()}
	var wanted float64 // as what is counted may be more than there are whole numbers
	for _, w := range m.Weights() {
		n := w.Shape.TotalSize()
		copies := 1
		if w.Trainable {
			copies += len(opt.Slots(w))
		}
		if averaged {
			copies++
		}
		e.Parameters += n
		wanted += float64(n) * float64(copies) * size
		if bytes := int64(n) * size; bytes > e.Bytes {
			e.Largest, e.Shape, e.Bytes = w.Name, w.Shape, bytes
		}
	}
	e.Wanted = int64(min(wanted, math.MaxInt64/2))
	if available <= 0 || e.Wanted <= available {
		return nil
	}
	return e
}
