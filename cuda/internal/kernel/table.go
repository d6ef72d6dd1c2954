package kernel

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// Prepare decides what a step asks of the device.
type Prepare = func(b *Builder, s *graph.Step) ([]Command, error)

// table holds the kernels by the kind of a step's operation and the element type of its first result.
var table = map[string]map[tensor.Dtype]Prepare{}

// register adds kernels to the table; each file of kernels calls it once from init. Two of one kind and type are a mistake of
// ours and panic.
func register(p map[string]Prepare, dtypes ...tensor.Dtype) {
	for kind, k := range p {
		for _, dt := range dtypes {
			if table[kind] == nil {
				table[kind] = map[tensor.Dtype]Prepare{}
			}
			if table[kind][dt] != nil {
				panic(fmt.Sprintf("cuda: two kernels are registered for %s of %v", kind, dt))
			}
			table[kind][dt] = k
		}
	}
}

// registerFloats adds kernels for float32 and float64.
func registerFloats(p map[string]Prepare) { register(p, tensor.Float32, tensor.Float64) }

// Has says whether there are kernels for steps of a kind whose first result has elements of type dt. A step may still be
// refused for what only its attributes tell; Commands then returns none.
func Has(kind string, dt tensor.Dtype) bool { return table[kind][dt] != nil }

// Commands decides what a step asks of the device. It returns none, and no error, for a step that must run on the host.
func Commands(b *Builder, s *graph.Step) ([]Command, error) {
	b.work = 0
	if s.Out[0].Len() == 0 {
		return []Command{}, nil
	}
	p := table[s.Instr.Kind()][s.Out[0].Dtype]
	if p == nil {
		return nil, nil
	}
	return p(b, s)
}

// Builder is what decisions depend on besides the step.
type Builder struct {
	Multiprocessors int       // of the device
	Capability      int       // of the device: 90 for compute capability 9.0
	Precision       Precision // of products
	Gather          int64     // bytes that a convolution's result must have for cuDNN to gather its sums, see GatherBytes
	Share           int64     // bytes that sums must read and write to be shared in several ways, see ShareBytes; 0: none are
	AnyOrder        bool      // whether sums may be added in an order that depends on timing
	Packs           []Packed  // that the steps decided on so far ask for
	work            int64     // bytes of working memory that the step at hand has
	counters        int64     // that the steps decided on so far have
}

// Work is the number of bytes of working memory that the step decided on last needs, whichever way of an Either is taken.
func (b *Builder) Work() int64 { return b.work }

// alignment is that of working memory: what the widest loads and the libraries want.
const alignment = 256

// Scratch reserves bytes of working memory for the step at hand.
func (b *Builder) Scratch(bytes int64) Pointer {
	at := b.work
	b.work += (bytes + alignment - 1) / alignment * alignment
	return Pointer{Base: WorkBase, Offset: at, End: b.work}
}

// Counters reserves n uint32 that are 0 when the program begins. Nothing clears them later: kernels leave them at 0. They belong to the
// step at hand alone, also where steps run side by side.
func (b *Builder) Counters(n int64) Pointer {
	p := Pointer{Base: CounterBase, Offset: counterBytes * b.counters}
	b.counters += n
	return p
}

const counterBytes = 4

// CounterBytes is the memory that the counters of all steps need that were decided on so far.
func (b *Builder) CounterBytes() int64 { return counterBytes * b.counters }

// threads is the usual size of a block.
const threads = 256

// Each is the grid and the block of a kernel that loops over n elements with FOR_EACH.
func (b *Builder) Each(n int) (grid, block Dim3) {
	blocks := (n + threads - 1) / threads
	if most := 16 * max(b.Multiprocessors, 1); blocks > most { // several waves of full multiprocessors
		blocks = most
	}
	return Dim3{X: max(blocks, 1)}, Dim3{X: threads}
}

// each launches a kernel of a file over n elements, which are its last argument.
func (b *Builder) each(file, name string, dt tensor.Dtype, n int, args ...any) *Launch {
	grid, block := b.Each(n)
	return &Launch{Source: File(file, dt), Name: name, Grid: grid, Block: block, Args: append(args, int64(n))}
}

// number is x as an argument of type T.
func number(dt tensor.Dtype, x float64) any {
	if dt == tensor.Float32 {
		return float32(x)
	}
	return x
}

// labelsBelow checks an operand of class labels.
func labelsBelow(kind string, in, classes int) *Check {
	return &Check{In: in, Fn: func(a op.Array) error { return op.CheckLabels(kind, a.Data.([]int), classes) }}
}
