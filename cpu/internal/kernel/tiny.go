package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/graph/op"
)

// On a map of a few pixels most taps of a padded window see padding only: of a 3×3 window on 2×2 pixels 5 of 9, on one
// pixel 8 of 9. Products over whole patches would multiply all those zeros. Here each position has products of its own,
// over the batch, with the taps that see the image.

// sight is one tap that sees the image: the number of the tap, of the output position and of the input position.
type sight struct{ tap, out, in int }

// sightsOf lists what the taps of all output positions see, in order of output positions and taps.
func sightsOf(g op.ConvGeometry) (list []sight) {
	for o := range g.H.Out * g.W.Out {
		for t := range g.H.Kernel * g.W.Kernel {
			h, okH := inside(&g.H, o/g.W.Out, t/g.W.Kernel)
			w, okW := inside(&g.W, o%g.W.Out, t%g.W.Kernel)
			if okH && okW {
				list = append(list, sight{t, o, h*g.W.In + w})
			}
		}
	}
	return list
}

// tinyPixels is the most output positions: each has products of its own.
const tinyPixels = 16

// tinyTerm is one product of a tiny convolution: where its factors and its result begin.
type tinyTerm struct{ a, b, c int }

// tinyConv is a convolution by products a position.
type tinyConv[T Float] struct {
	terms   []tinyTerm
	product groupedProduct[T]
}

func newTinyConv[T Float](e Env[T], s *Scratch[T], g op.ConvGeometry, o ConvOptions, then *after[T]) *tinyConv[T] {
	args, terms := tinyForward(g, o, then.gemm())
	return &tinyConv[T]{terms: terms, product: newGroupedProduct(e, s, args)}
}

// A frozen filter is for byTap.
func (k *tinyConv[T]) packed() int                { return 0 }
func (k *tinyConv[T]) pack(*Scratch[T], []T, []T) {}

func (k *tinyConv[T]) run(s *Scratch[T], y, x, w, bias, residual []T) {
	for i, t := range k.terms {
		a := &k.product.args[i]
		a.A.Data, a.B.Data, a.C = x[t.a:], w[t.b:], y[t.c:]
		if first := i == 0 || k.terms[i-1].c != t.c; first && residual != nil {
			a.D = residual[t.c:]
		}
		if last := i+1 == len(k.terms) || k.terms[i+1].c != t.c; last {
			a.Bias = bias
		}
	}
	k.product.run(s)
}

// tinyForward returns the products of a forward pass. Taps that follow each other in the kernel and in the image are
// one product.
func tinyForward[T Float](g op.ConvGeometry, o ConvOptions, then gemm.After[T]) (args []gemm.Args[T], terms []tinyTerm) {
	for out, list := range groupBy(sightsOf(g), g.H.Out*g.W.Out, func(s sight) int { return s.out }) {
		base := gemm.Args[T]{M: g.N, N: g.F, LDC: g.H.Out * g.W.Out * g.F, LDD: g.H.Out * g.W.Out * g.F,
			A: gemm.Operand[T]{LD: g.H.In * g.W.In * g.C}, B: gemm.Operand[T]{LD: g.F}}
		first := len(args)
		for i, s := range list {
			if i > 0 && s.tap == list[i-1].tap+1 && s.in == list[i-1].in+1 {
				args[len(args)-1].K += g.C
				continue
			}
			a := base
			a.K = g.C
			args, terms = append(args, a), append(terms, tinyTerm{s.in * g.C, s.tap * g.C * g.F, out * g.F})
		}
		if len(list) == 0 { // the window sees padding only; a product of depth 0 leaves the bias
			args, terms = append(args, base), append(terms, tinyTerm{c: out * g.F})
		}
		accumulate(args[first:])
		if o.Add {
			args[first].Beta = 1
		}
		args[len(args)-1].ReLU, args[len(args)-1].After = o.ReLU, then
	}
	return args, terms
}

// tinyBackwardInput returns the products of a backward pass to the images: a is dy, b the kernel, c dx.
func tinyBackwardInput[T Float](g op.ConvGeometry) (args []gemm.Args[T], terms []tinyTerm) {
	for in, list := range groupBy(sightsOf(g), g.H.In*g.W.In, func(s sight) int { return s.in }) {
		base := gemm.Args[T]{M: g.N, N: g.C, LDC: g.H.In * g.W.In * g.C,
			A: gemm.Operand[T]{LD: g.H.Out * g.W.Out * g.F}, B: gemm.Operand[T]{LD: g.F, Trans: true}}
		first := len(args)
		for _, s := range list {
			a := base
			a.K = g.F
			args, terms = append(args, a), append(terms, tinyTerm{s.out * g.F, s.tap * g.C * g.F, in * g.C})
		}
		if len(list) == 0 {
			args, terms = append(args, base), append(terms, tinyTerm{c: in * g.C})
		}
		accumulate(args[first:])
	}
	return args, terms
}

// accumulate makes all products but the first add to their result.
func accumulate[T Float](args []gemm.Args[T]) {
	for i := range args {
		if i > 0 {
			args[i].Beta = 1
		}
	}
}

// tinyBackwardFilter returns the products of a backward pass to the kernel, one a tap, and their factors: the pixels of
// x and of dy that the tap connects, of all images. Taps that see nothing are unseen and have no product.
func tinyBackwardFilter[T Float](g op.ConvGeometry) (args []gemm.Args[T], xs, dys []*pixels[T], taps, unseen []int) {
	for tap, list := range groupBy(sightsOf(g), g.H.Kernel*g.W.Kernel, func(s sight) int { return s.tap }) {
		if len(list) == 0 {
			unseen = append(unseen, tap)
			continue
		}
		x := &pixels[T]{image: g.H.In * g.W.In * g.C, c: g.C}
		dy := &pixels[T]{image: g.H.Out * g.W.Out * g.F, c: g.F}
		for _, s := range list {
			x.at, dy.at = append(x.at, s.in*g.C), append(dy.at, s.out*g.F)
		}
		args = append(args, gemm.Args[T]{M: g.C, N: g.F, K: g.N * len(list), LDC: g.F,
			A: gemm.Operand[T]{Source: x, Trans: true}, B: gemm.Operand[T]{Source: dy}})
		xs, dys, taps = append(xs, x), append(dys, dy), append(taps, tap)
	}
	return args, xs, dys, taps, unseen
}

// groupBy sorts sights into n lists by a number of theirs, keeping their order.
func groupBy(list []sight, n int, of func(sight) int) [][]sight {
	groups := make([][]sight, n)
	for _, s := range list {
		groups[of(s)] = append(groups[of(s)], s)
	}
	return groups
}

// pixels is the matrix of some pixels of every image ([gemm.Source]): row n·len(at)+i holds the c elements at offset
// at[i] of image n.
type pixels[T Float] struct {
	x        []T // set before each product
	image, c int
	at       []int
}

// Block implements [gemm.Source].
func (p *pixels[T]) Block(dst []T, ld, r0, nr, c0, nc int) {
	for r := range nr {
		n, i := (r0+r)/len(p.at), (r0+r)%len(p.at)
		copy(dst[r*ld:r*ld+nc], p.x[n*p.image+p.at[i]+c0:])
	}
}
