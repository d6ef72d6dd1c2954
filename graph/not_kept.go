package graph

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ValueNotKept is bound to the nodes of a graph whose values a machine did not leave in memory, because a fused operation
// never made them or their memory went to another value. Ask for such a value with gorgonia.Read or [Keep]. It is of the node's shape and type and has no data.
type ValueNotKept struct {
	node  string
	shape tensor.Shape
	dtype tensor.Dtype
}

var _ gorgonia.Value = (*ValueNotKept)(nil)

// Error says what to do, for whoever finds it in place of data.
func (v *ValueNotKept) Error() string {
	return fmt.Sprintf("graph: the value of node %q, %v of shape %v, was not kept: it was computed inside a fused operation or in another layout, or is larger than graph.KeptBytes; ask for it with gorgonia.Read, or with graph.Keep when the machine is made",
		v.node, v.dtype, v.shape)
}

// Shape is the node's.
func (v *ValueNotKept) Shape() tensor.Shape { return v.shape }

// Size is the number of elements that the value would have.
func (v *ValueNotKept) Size() int { return v.shape.TotalSize() }

// Data is the value itself, whose name stands in the message of a failed type assertion.
func (v *ValueNotKept) Data() any { return v }

// Dtype is the node's.
func (v *ValueNotKept) Dtype() tensor.Dtype { return v.dtype }

// Uintptr is 0: there is no memory.
func (v *ValueNotKept) Uintptr() uintptr { return 0 }

// MemSize is 0: there is no memory.
func (v *ValueNotKept) MemSize() uintptr { return 0 }

// Format prints what Error says.
func (v *ValueNotKept) Format(s fmt.State, _ rune) { fmt.Fprint(s, v.Error()) }
