package kernel

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

// roundedProduct is a product of which some operand is bfloat16 in memory: both factors are made so.
func (b *Builder) roundedProduct(g product) []Command {
	start := b.work
	call := g.gemm(b.Precision)
	call.RoundedAB, call.RoundedC = true, g.cNarrow
	var before []Command
	call.A = b.rounded(g.a, g.aNarrow, tensor.Shape{g.m, g.k}, &before)
	if at, ok := b.pack(g.packed); ok { // a filter lies the other way around there
		call.B, call.TransB = at, !g.transB
	} else {
		call.B = b.rounded(g.b, g.bNarrow, tensor.Shape{g.k, g.n}, &before)
	}
	after := []Command{call}
	if g.bias != nil && g.cNarrow || g.relu { // a bias of float32 goes with results of float32 only
		wide := g.c
		if g.cNarrow {
			wide = b.Scratch(4 * int64(g.m) * int64(g.n))
		}
		call.C, call.RoundedC = wide, false
		if n := g.m * g.n; g.relu {
			after = append(after, b.reluOf(g.c, wide, g.cNarrow, n))
		} else {
			after = append(after, b.toBFloat16(g.c, wide, n))
		}
	}
	tried := b.work
	b.work = start // one of the two runs, so they share the working memory
	e := &Either{Try: append(before, after...), Else: b.wideProduct(g)}
	b.work = max(b.work, tried)
	return []Command{e}
}

// reluOf is max(x, 0) of n float32, rounded to bfloat16 on the way if narrow. y may be x.
func (b *Builder) reluOf(y, x Pointer, narrow bool, n int) Command {
	to := &graph.Value{Dtype: tensor.Float32, Narrow: narrow}
	return b.packed("elementwise.cu", "relu", tensor.Float32, storage{}.as("SY", to), n, packOf(n, to), y, x)
}

// wideProduct is a product with our own kernels, whose operands are float32: through copies of those that are not.
func (b *Builder) wideProduct(g product) []Command {
	var before, after []Command
	g.a = b.widened(g.a, g.aNarrow, tensor.Shape{g.m, g.k}, &before)
	g.b = b.widened(g.b, g.bNarrow, tensor.Shape{g.k, g.n}, &before)
	if g.cNarrow {
		wide := b.Scratch(4 * int64(g.m) * int64(g.n))
		after = append(after, b.toBFloat16(g.c, wide, g.m*g.n))
		g.c = wide
	}
	return append(append(before, b.ownProduct(g)...), after...)
}
