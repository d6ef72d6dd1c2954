package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Env is what kernels with matrix products are built for.
type Env[T Float] struct {
	Pool *pool.Pool
	Gemm *gemm.Gemm[T]
}

// ConvOptions are what a convolution does to its sums before it stores them.
type ConvOptions struct {
	Bias bool // add bias[f]
	ReLU bool // then max(·, 0)
}

// Conv2D is the convolution of [op.Conv2D], as a matrix product over patches that are gathered while the product packs
// them. With one channel a group (depthwise) it is computed directly.
type Conv2D[T Float] struct {
	Scratch[T]
	g       op.ConvGeometry
	o       ConvOptions
	images  images[T]
	product groupedProduct[T]
	patches []*patches[T] // nil where the images themselves are the matrix
	direct  *depthwise[T]
	tiny    []tinyTerm // where the products of a tiny map begin, nil for others
}

// NewConv2D prepares a convolution.
func NewConv2D[T Float](e Env[T], g op.ConvGeometry, o ConvOptions) (*Conv2D[T], error) {
	if err := checkConv(g); err != nil {
		return nil, err
	}
	k := &Conv2D[T]{g: g, o: o}
	k.images = convImages(e.Pool, &k.Scratch, g)
	if isDepthwise(g) {
		k.direct = newDepthwise[T](e.Pool, g, o)
		return k, nil
	}
	if isTiny(g, false) {
		args, terms := tinyForward[T](g, o.ReLU)
		k.tiny, k.product = terms, newGroupedProduct(e, &k.Scratch, args)
		return k, nil
	}
	c, f := g.C/g.Groups, g.F/g.Groups
	taps := forwardTaps(g)
	pointwise := isPointwise(g)
	var args []gemm.Args[T]
	for i := range g.Groups {
		a := gemm.Args[T]{M: g.N * g.H.Out * g.W.Out, N: f, K: len(taps) * c, LDC: g.F, ReLU: o.ReLU,
			A: gemm.Operand[T]{LD: g.C}, B: gemm.Operand[T]{LD: g.F}}
		if !pointwise {
			p := newPatches[T](g.H.In, g.W.In, g.C, i*c, c, g.H.Out, g.W.Out, g.H.Stride, g.W.Stride, taps)
			k.patches = append(k.patches, p)
			a.A = gemm.Operand[T]{Source: p}
		}
		args = append(args, a)
	}
	k.product = newGroupedProduct(e, &k.Scratch, args)
	return k, nil
}

// Run computes y from the images x, the kernel w (kh, kw, C/groups, F) and, if prepared with Bias, bias (F).
func (k *Conv2D[T]) Run(y, x, w, bias []T) {
	x = k.images.input(&k.Scratch, x)
	out := k.images.output(&k.Scratch, y)
	if !k.o.Bias {
		bias = nil
	}
	switch {
	case k.direct != nil:
		k.direct.forward(out, x, w, bias)
	case k.tiny != nil:
		k.runTiny(out, x, w, bias)
	default:
		k.runGroups(out, x, w, bias)
	}
	k.images.finish(y, out)
}

func (k *Conv2D[T]) runGroups(y, x, w, bias []T) {
	c, f := k.g.C/k.g.Groups, k.g.F/k.g.Groups
	for i := range k.product.args {
		a := &k.product.args[i]
		if k.patches != nil {
			k.patches[i].x = x
		} else {
			a.A.Data = x[i*c:]
		}
		a.B.Data, a.C = w[i*f:], y[i*f:]
		if bias != nil {
			a.Bias = bias[i*f:]
		}
	}
	k.product.run(&k.Scratch)
}

func (k *Conv2D[T]) runTiny(y, x, w, bias []T) {
	for i, t := range k.tiny {
		a := &k.product.args[i]
		a.A.Data, a.B.Data, a.C = x[t.a:], w[t.b:], y[t.c:]
		if last := i+1 == len(k.tiny) || k.tiny[i+1].c != t.c; last {
			a.Bias = bias
		}
	}
	k.product.run(&k.Scratch)
}

// checkConv refuses what [op.ConvAttrs.Geometry] never returns.
func checkConv(g op.ConvGeometry) error {
	ok := g.N > 0 && g.C > 0 && g.F > 0 && g.Groups > 0 && g.C%g.Groups == 0 && g.F%g.Groups == 0
	for _, s := range []shape.Span{g.H, g.W} {
		ok = ok && s.In > 0 && s.Out > 0 && s.Kernel > 0 && s.Stride > 0 && s.Dilation > 0 && s.Before >= 0 && s.After >= 0
	}
	if !ok {
		return fmt.Errorf("kernel: not the geometry of a convolution: %+v; take it from op.ConvAttrs.Geometry", g)
	}
	return nil
}

// isPointwise says whether every window is one image element, so that the images are the patch matrix.
func isPointwise(g op.ConvGeometry) bool {
	one := func(s shape.Span) bool { return s.Kernel == 1 && s.Stride == 1 && s.Before == 0 && s.After == 0 }
	return one(g.H) && one(g.W)
}

// isDepthwise says whether each group has a single input channel and a product would have hardly any depth.
func isDepthwise(g op.ConvGeometry) bool { return g.Groups > 1 && g.C == g.Groups }

// forwardTaps are the offsets of a convolution's window in the order of the kernel's rows and columns.
func forwardTaps(g op.ConvGeometry) []tap {
	var taps []tap
	for p := range g.H.Kernel {
		for q := range g.W.Kernel {
			taps = append(taps, tap{p*g.H.Dilation - g.H.Before, q*g.W.Dilation - g.W.Before})
		}
	}
	return taps
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
