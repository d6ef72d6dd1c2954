package kernel

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

// every operand may be narrow.
func every(*graph.Step, int) bool { return true }

// packBytes is what a thread had better read at once.
const packBytes = 16

// packOf is how many neighbours a thread works on at once: packBytes of the operand with the smallest elements, or as many as divide
// n, which is what lies together, and all places where something begins.
func packOf(n int, operands ...*graph.Value) int {
	pack := 1
	for _, v := range operands {
		pack = max(pack, packBytes/elementBytes(v))
	}
	for n%pack != 0 {
		pack /= 2
	}
	return pack
}

// elementBytes is the size of an element of v in memory.
func elementBytes(v *graph.Value) int {
	if v.Narrow {
		return 2
	}
	return int(v.Dtype.Size())
}

// pack adds how many neighbours a thread works on.
func (d storage) pack(n int) storage { return append(d, fmt.Sprint("PACK ", n)) }

// packed launches a kernel of a file over n elements, which are its last argument; a thread works on pack of them at a time.
func (b *Builder) packed(file, name string, dt tensor.Dtype, d storage, n, pack int, args ...any) *Launch {
	grid, block := b.Each(n / pack)
	return &Launch{Source: File(file, dt, d.pack(pack)...), Name: name, Grid: grid, Block: block, Args: append(args, int64(n))}
}
