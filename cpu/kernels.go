package cpu

import (
	"fmt"

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

// register adds kernels for float32 alone.
func register(entries map[string]prepare) {
	both := map[string]entry{}
	for kind, k := range entries {
		both[kind] = entry{f32: k}
	}
	registerBoth(both)
}

// builder prepares the kernels of one program.
type builder struct {
	pool    *pool.Pool
	gemm    *gemm.Gemm
	scratch []scratcher
}

// scratcher is a kernel that needs working memory while it runs.
type scratcher interface {
	Workspace() int
	SetScratch([]float32)
}

func (b *builder) env() kernel.Env { return kernel.Env{Pool: b.pool, Gemm: b.gemm} }

// shareScratch gives all kernels of the program one working memory: they run one after the other.
func (b *builder) shareScratch() {
	size := 0
	for _, s := range b.scratch {
		size = max(size, s.Workspace())
	}
	mem := alignedFloats(size)
	for _, s := range b.scratch {
		s.SetScratch(mem)
	}
}

// needs registers a kernel for the shared working memory.
func needs[K scratcher](b *builder, k K) K {
	b.scratch = append(b.scratch, k)
	return k
}

// operands are the value IDs of a step: its results first, then its inputs, as kernels take them.
func operands(s *graph.Step) (out, in []int) { return idsOf(s.Out), idsOf(s.In) }

// channels locates the axis of a step's first input.
func channels(s *graph.Step, axis int) (kernel.Channels, error) {
	return kernel.ChannelsOf(s.In[0].Shape, axis)
}
