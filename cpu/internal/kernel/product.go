package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// Env is what kernels with matrix products are built for.
type Env[T Float] struct {
	Pool *pool.Pool
	Gemm *gemm.Gemm[T]
	// Choose, if it is not nil, is asked for the name of one of the ways to compute a convolution; what is none of them leaves it to
	// the model's estimates. It must give equal answers to equal questions.
	Choose func(c Conv, ways []Way) string
}

// groupedProduct runs matrix products one after the other in a shared part of a kernel's scratch.
type groupedProduct[T Float] struct {
	env  Env[T]
	args []gemm.Args[T]
	work *gemm.Workspace[T]
	area area[T]
}

func newGroupedProduct[T Float](e Env[T], s *Scratch[T], args []gemm.Args[T]) groupedProduct[T] {
	need := 0
	for i := range args {
		need = max(need, e.Gemm.Scratch(e.Pool.Threads(), &args[i]))
	}
	return groupedProduct[T]{env: e, args: args, work: e.Gemm.NewWorkspace(e.Pool.Threads()), area: s.reserve(need)}
}

func (p *groupedProduct[T]) run(s *Scratch[T]) {
	for i := range p.args {
		p.one(s, i)
	}
}

// one runs a single product.
func (p *groupedProduct[T]) one(s *Scratch[T], i int) {
	p.work.SetScratch(p.area.of(s))
	p.env.Gemm.Run(p.env.Pool, p.work, &p.args[i])
}

// pack makes a packed factor of k rows and n columns.
func (p *groupedProduct[T]) pack(s *Scratch[T], dst []T, b gemm.Operand[T], k, n int) {
	p.work.SetScratch(p.area.of(s))
	p.env.Gemm.Pack(p.env.Pool, p.work, dst, b, k, n)
}
