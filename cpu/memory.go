package cpu

import (
	"fmt"
	"unsafe"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// memory tells where each value of a plan is. Its slices are indexed by Value.ID.
type memory struct {
	arrays []op.Array  // every value that is bound
	f32    [][]float32 // the same memory, for the float32 kernels
	f64    [][]float64 // and for the float64 kernels
	arena  []byte
	shared map[*graph.Value][]*graph.Value // external value → the values that use its memory, itself included
}

// cacheLine aligns the arena; offsets in it are multiples of the same.
const cacheLine = 64

// newMemory places the values of a plan in arena: where the plan says, or, if places is not nil, there; what is in neither has no memory.
func newMemory(p *graph.Plan, arena []byte, places map[*graph.Value]int) (*memory, error) {
	m := &memory{
		arrays: make([]op.Array, len(p.Values)),
		f32:    make([][]float32, len(p.Values)),
		f64:    make([][]float64, len(p.Values)),
		arena:  arena,
		shared: map[*graph.Value][]*graph.Value{},
	}
	for _, v := range p.Values {
		root := v.Root()
		if root.Where == graph.External {
			m.shared[root] = append(m.shared[root], v)
			continue
		}
		at := root.Offset
		if places != nil {
			var ok bool
			if at, ok = places[root]; !ok {
				continue
			}
		}
		a, err := arrayAt(m.arena[at:], v)
		if err != nil {
			return nil, err
		}
		m.set(v, a.Data)
	}
	return m, nil
}

// arrayAt views the start of b as the memory of v.
func arrayAt(b []byte, v *graph.Value) (op.Array, error) {
	n := v.Len()
	p := unsafe.Pointer(unsafe.SliceData(b))
	switch v.Dtype {
	case tensor.Float32:
		return op.Array{Shape: v.Shape, Data: unsafe.Slice((*float32)(p), n)}, nil
	case tensor.Float64:
		return op.Array{Shape: v.Shape, Data: unsafe.Slice((*float64)(p), n)}, nil
	case tensor.Int:
		return op.Array{Shape: v.Shape, Data: unsafe.Slice((*int)(p), n)}, nil
	case tensor.Int32:
		return op.Array{Shape: v.Shape, Data: unsafe.Slice((*int32)(p), n)}, nil
	case tensor.Int64:
		return op.Array{Shape: v.Shape, Data: unsafe.Slice((*int64)(p), n)}, nil
	case tensor.Uint8:
		return op.Array{Shape: v.Shape, Data: unsafe.Slice((*uint8)(p), n)}, nil
	case tensor.Bool:
		return op.Array{Shape: v.Shape, Data: unsafe.Slice((*bool)(p), n)}, nil
	}
	return op.Array{}, fmt.Errorf("cpu: value %q has element type %v; supported are float32, float64, int, int32, int64, uint8 and bool", v.Name, v.Dtype)
}

func (m *memory) set(v *graph.Value, data any) {
	m.arrays[v.ID] = op.Array{Shape: v.Shape, Data: data}
	m.f32[v.ID], _ = data.([]float32)
	m.f64[v.ID], _ = data.([]float64)
}

// floats returns the values of a plan's memory of one element type, by value ID.
func floats[T float32 | float64](m *memory) [][]T {
	if all, ok := any(m.f32).([][]T); ok {
		return all
	}
	return any(m.f64).([][]T)
}

// bind makes data the memory of external value v and of all its views.
func (m *memory) bind(v *graph.Value, a op.Array) error {
	users, ok := m.shared[v]
	if !ok {
		return fmt.Errorf("cpu: value %q lives in the arena and cannot be bound", v.Name)
	}
	if a.Dtype() != v.Dtype || op.Len(a.Shape) != v.Len() {
		return fmt.Errorf("cpu: value %q wants %d elements of %v, got %d of %v", v.Name, v.Len(), v.Dtype, op.Len(a.Shape), a.Dtype())
	}
	for _, u := range users {
		m.set(u, a.Data)
	}
	return nil
}

// count returns an integer scalar, such as the number of the step.
func (m *memory) count(id int) int { return m.arrays[id].Data.([]int)[0] }
