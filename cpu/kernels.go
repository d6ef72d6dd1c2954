package cpu

import (
	"fmt"
	"unsafe"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph"
)

// prepare makes a step of a plan ready to run.
type prepare = func(b *builder, s *graph.Step) (step, error)

// entry is the kernels of one kind of operation by the element type of the step's first result. A nil one is missing.
type entry struct{ f32, f64 prepare }

func (e entry) of(dt tensor.Dtype) prepare {
	switch dt {
	case tensor.Float32:
		return e.f32
	case tensor.Float64:
		return e.f64
	}
	return nil
}

// kernels is the table of kernels by the kind of a step's operation. A kind that is not here runs on its reference; a fused
// kind that is not here is never asked for.
var kernels = map[string]entry{}

// registerBoth adds kernels for float32 and float64 to the table; each file of kernels calls it once from init. Two kernels
// of one kind, of which the order of the files would choose, are a mistake of ours and panic.
func registerBoth(entries map[string]entry) {
	for kind, k := range entries {
		if _, ok := kernels[kind]; ok {
			panic(fmt.Sprintf("cpu: two kernels are registered for %s", kind))
		}
		kernels[kind] = k
	}
}

// registerFloats adds kernels that are written once for both element types.
func registerFloats(f32, f64 map[string]prepare) {
	entries := map[string]entry{}
	for kind, k := range f32 {
		entries[kind] = entry{f32: k, f64: f64[kind]}
	}
	registerBoth(entries)
}

// builder prepares the kernels of one program.
type builder struct {
	pool    *pool.Pool
	gemm    *gemm.Gemm[float32]
	gemm64  *gemm.Gemm[float64]
	scratch []scratch
	kept    []scratch
	packs   []pack
	choose  func(c kernel.Conv, ways []kernel.Way) string // of measured choices, or nil
	way     string                                        // how the kernel of the step at hand computes, where there are several ways
}

// builder prepares kernels that run on e.
func (e *Engine) builder() *builder {
	b := &builder{pool: e.pool, gemm: e.gemm, gemm64: e.gemm64}
	if e.tuning != nil {
		b.choose = e.choose
	}
	return b
}

// scratcher is a kernel that needs working memory while it runs.
type scratcher[T kernel.Float] interface {
	Workspace() int
	SetScratch([]T)
}

// scratch is the working memory that a kernel waits for.
type scratch struct {
	bytes int
	set   func([]byte)
}

func env[T kernel.Float](b *builder) kernel.Env[T] {
	if g, ok := any(b.gemm).(*gemm.Gemm[T]); ok {
		return kernel.Env[T]{Pool: b.pool, Gemm: g, Choose: b.choose}
	}
	return kernel.Env[T]{Pool: b.pool, Gemm: any(b.gemm64).(*gemm.Gemm[T]), Choose: b.choose}
}

// scratchBytes is the size of the working memory that all kernels of the program share, as they run one after the other.
func (b *builder) scratchBytes() int {
	size := 0
	for _, s := range b.scratch {
		size = max(size, s.bytes)
	}
	return size
}

// shareScratch hands the working memory to the kernels.
func (b *builder) shareScratch(mem []byte) {
	for _, s := range b.scratch {
		s.set(mem)
	}
}

// needs registers a kernel for the shared working memory.
func needs[T kernel.Float](b *builder, k scratcher[T]) {
	b.scratch = append(b.scratch, scratchOf(k.Workspace(), k.SetScratch))
	if w, ok := k.(interface{ Way() string }); ok {
		b.way = w.Way()
	}
}

// keeper is a kernel that takes its second operand over where that is frozen.
type keeper[T kernel.Float] interface {
	KeptLen() int
	SetKept([]T)
	Pack([]T)
}

// pack is such an operand, and what takes it over.
type pack struct {
	of  *graph.Value
	run func(m *memory)
}

// frozen says that the weights of a step are taken over.
func frozen(s *graph.Step) bool { return !s.Once && s.In[1].Fixed && graph.Weights(s.Instr, 1) }

// keeps registers a kernel whose weights are frozen for memory of its own.
func keeps[T kernel.Float](b *builder, s *graph.Step, k keeper[T]) {
	if !frozen(s) {
		return
	}
	n, w := k.KeptLen(), s.In[1]
	b.kept = append(b.kept, scratchOf(n, k.SetKept))
	b.packs = append(b.packs, pack{w, func(m *memory) { k.Pack(floats[T](m)[w.ID]) }})
}

// scratchOf is memory of n elements.
func scratchOf[T kernel.Float](n int, set func([]T)) scratch {
	return scratch{n * int(unsafe.Sizeof(*new(T))), func(mem []byte) {
		set(unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(mem))), n))
	}}
}

// allotKept gives kernels that take operands over their memory, one after the other.
func (b *builder) allotKept(mem []byte) {
	for _, s := range b.kept {
		s.set(mem)
		mem = mem[roundUp(s.bytes):]
	}
}

// keptBytes is the size of the memory that allotKept deals out.
func (b *builder) keptBytes() int {
	size := 0
	for _, s := range b.kept {
		size += roundUp(s.bytes)
	}
	return size
}

// roundUp returns the bytes of the cache lines that n bytes take.
func roundUp(n int) int { return (n + cacheLine - 1) &^ (cacheLine - 1) }

// operands are the value IDs of a step: its results first, then its inputs, as kernels take them.
func operands(s *graph.Step) (out, in []int) { return idsOf(s.Out), idsOf(s.In) }

// channels locates the axis of a step's first input.
func channels(s *graph.Step, axis int) (kernel.Channels, error) {
	return kernel.ChannelsOf(s.In[0].Shape, axis)
}
