package kernel

import (
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// A dense layer whose images are kept as bfloat16 is a 1×1 convolution over images of one pixel: its weights are read from a rounded copy
// that is made once a run, and either library can compute it.

func init() {
	factors := func(s *graph.Step, i int) bool { // the second one is the weights, unless their gradient is computed
		mul, _ := matMulOf(s)
		return i == 0 || i == 1 && mul.TransA
	}
	// A result that no ReLU has seen may be a net's scores, and those of TransA are gradients of weights: both stay float32.
	hidden := func(s *graph.Step, _ int) bool {
		mul, e := matMulOf(s)
		n := s.Out[0].Node
		return !mul.TransA && (e.relu || n != nil && len(n.DerivOf()) > 0)
	}
	registerNarrow(map[string]narrowing{
		"MatMul":      {in: factors, out: hidden, where: isDense, gain: denseGains},
		"FusedMatMul": {in: factors, out: hidden, where: isDense, gain: denseGains},
	})
}

const (
	// denseRows is from how many rows on the copy of a dense layer's weights is worth its making: see RATIONALE.md.
	denseRows = 192
	// denseWork is from how many operations on a product gains more than it costs to round an operand that comes from outside, which is
	// a launch, and leastWork where there is none of these.
	denseWork, leastWork = 1 << 27, 1 << 24
)

// isDense says whether a product may read and write bfloat16: one of the three of a dense layer, of enough rows, which are those of the
// first operand in all three.
func isDense(s *graph.Step) bool {
	mul, e := matMulOf(s)
	return s.In[0].Shape[0] >= denseRows && !(mul.TransB && (mul.TransA || e.bias != nil || e.relu))
}

// denseGains says whether it had better.
func denseGains(s *graph.Step) bool {
	mul, _ := matMulOf(s)
	least := leastWork
	if s.In[0].Root().Where == graph.External || mul.TransA && s.In[1].Root().Where == graph.External {
		least = denseWork
	}
	return 2*s.In[0].Len() >= least/max(s.Out[0].Shape[1], 1)
}

// dense is one of the three products of a dense layer.
func (b *Builder) dense(s *graph.Step, mul *op.MatMul, e epilogue) []Command {
	c := convolution{dt: s.Out[0].Dtype, filter: s.In[1], epilogue: e}
	var x, y *graph.Value
	switch {
	case mul.TransA:
		x, y, c.pass, c.x, c.y, c.w = s.In[0], s.In[1], BackwardFilter, In(0), In(1), Out(0)
	case mul.TransB:
		x, y, c.pass, c.x, c.y, c.w = s.Out[0], s.In[0], BackwardInput, Out(0), In(0), In(1)
	default:
		x, y, c.pass, c.x, c.y, c.w = s.In[0], s.Out[0], Forward, In(0), Out(0), In(1)
	}
	c.xNarrow, c.yNarrow = x.Narrow, y.Narrow
	c.g = dense(x.Shape[0], x.Shape[1], y.Shape[1])
	product := alternative{"product", func() []Command { return b.product(c.asProduct()) }}
	if !s.Out[0].Narrow || !c.countable() { // cuDNN would round a result that stays float32
		return product.list()
	}
	return b.choice(product, alternative{"cuDNN", func() []Command { return b.libraryConvolution(c) }})
}
