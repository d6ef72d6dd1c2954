package kernel

import "gorgonia.org/tensor"

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
		if g.relu {
			after = append(after, b.each("elementwise.cu", "relu", g.dt, g.m*g.n, wide, wide))
		}
		if g.cNarrow {
			after = append(after, b.toBFloat16(g.c, wide, g.m*g.n))
		}
	}
	tried := b.work
	b.work = start // one of the two runs, so they share the working memory
	e := &Either{Try: append(before, after...), Else: b.wideProduct(g)}
	b.work = max(b.work, tried)
	return []Command{e}
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
