package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/graph/op"
)

// Conv2DBackwardFilter is the gradient of a convolution with respect to its kernel, [op.Conv2DBackwardFilter]: the
// product of the transposed patch matrix and dy, whose depth, all positions of all images, the product splits over
// the workers.
type Conv2DBackwardFilter[T Float] struct {
	Scratch[T]
	chosen   string // the way
	first    int    // element of the gradient at which the taps that see something begin
	g        op.ConvGeometry
	images   images[T]
	product  groupedProduct[T]
	patches  []*patches[T] // nil where the images themselves are the matrix
	direct   *depthwise[T]
	xs, dys  []*pixels[T] // the factors of a tiny map, one a product; nil for others
	taps     []int        // the taps of these products
	unseen   []int        // taps of the whole kernel that see padding only: their gradient is 0
	zero     phase
	dw       []T
	update   *filterUpdate[T] // the step that the gradient is for, if it is not for Run
	gradient area[T]          // where that step finds it, if the products do not hand it out
	tiles    *winogradFilter  // nil unless it is computed by Winograd's algorithm
}

// NewConv2DBackwardFilter prepares the gradient.
func NewConv2DBackwardFilter[T Float](e Env[T], g op.ConvGeometry) (*Conv2DBackwardFilter[T], error) {
	return newConv2DBackwardFilter[T](e, g, nil)
}

func newConv2DBackwardFilter[T Float](e Env[T], g op.ConvGeometry, u *filterUpdate[T]) (*Conv2DBackwardFilter[T], error) {
	if err := checkConv(g); err != nil {
		return nil, err
	}
	whole := g
	g, first := e.withoutIdleTaps(g)
	k := &Conv2DBackwardFilter[T]{g: g, chosen: e.way(BackwardFilter, g, false), first: first, update: u}
	k.unseen = idleTaps(whole, g, first)
	k.zero = newPhase(e.Pool, len(k.unseen), k.zeroPart)
	k.images = convImages(e.Pool, &k.Scratch, g)
	switch k.chosen {
	case byDepth:
		k.direct = newDepthwise(e.Pool, &k.Scratch, g, ConvOptions{}, BackwardFilter, nil)
		return k, nil
	case byWinograd:
		k.tiles = newWinogradFilter(any(e).(Env[float32]), any(&k.Scratch).(*Scratch[float32]), g)
		return k, nil
	case byTaps:
		var args []gemm.Args[T]
		args, k.xs, k.dys, k.taps, k.unseen = tinyBackwardFilter[T](g)
		k.zero = newPhase(e.Pool, len(k.unseen), k.zeroPart)
		k.update.sinks(args, func(i int) int { return k.taps[i] * tapLen(g) })
		k.product = newGroupedProduct(e, &k.Scratch, args)
		return k, nil
	}
	c, f := g.C/g.Groups, g.F/g.Groups
	taps := forwardTaps(g)
	pointwise := isPointwise(g)
	var args []gemm.Args[T]
	for i := range g.Groups {
		a := gemm.Args[T]{M: len(taps) * c, N: f, K: g.N * g.H.Out * g.W.Out, LDC: g.F,
			A: gemm.Operand[T]{LD: g.C, Trans: true}, B: gemm.Operand[T]{LD: g.F}}
		if !pointwise {
			p := newPatches[T](g.H.In, g.W.In, g.C, i*c, c, g.H.Out, g.W.Out, g.H.Stride, g.W.Stride, taps)
			k.patches = append(k.patches, p)
			a.A = gemm.Operand[T]{Source: p, Trans: true}
		}
		args = append(args, a)
	}
	k.update.sinks(args, func(i int) int { return first + i*f })
	k.product = newGroupedProduct(e, &k.Scratch, args)
	return k, nil
}

// Run computes dw (kh, kw, C/groups, F) from the images x and the gradient dy of the result.
func (k *Conv2DBackwardFilter[T]) Run(dw, x, dy []T) { k.run(dw, x, dy) }

// run is Run; with an update that takes the gradient from products, dw is nil.
func (k *Conv2DBackwardFilter[T]) run(dw, x, dy []T) {
	x = k.images.input(&k.Scratch, x)
	dy = k.images.gradient(&k.Scratch, dy)
	k.dw = dw
	if dw != nil {
		dw = dw[k.first:][:op.Len(k.g.Filter())]
	}
	switch {
	case k.direct != nil:
		k.direct.backwardFilter(&k.Scratch, dw, x, dy)
	case k.tiles != nil:
		k.tiles.run(singles(dw), singles(x), singles(dy))
	case k.xs != nil:
		k.runTiny(dw, x, dy)
	default:
		k.runPatches(dw, x, dy)
	}
	if len(k.unseen) > 0 {
		k.zero.run()
	}
}

func (k *Conv2DBackwardFilter[T]) runPatches(dw, x, dy []T) {
	c, f := k.g.C/k.g.Groups, k.g.F/k.g.Groups
	for i := range k.product.args {
		a := &k.product.args[i]
		if k.patches != nil {
			k.patches[i].x = x
		} else {
			a.A.Data = x[i*c:]
		}
		a.B.Data = dy[i*f:]
		if dw != nil {
			a.C = dw[i*f:]
		}
	}
	k.product.run(&k.Scratch)
}

func (k *Conv2DBackwardFilter[T]) runTiny(dw, x, dy []T) {
	for i, t := range k.taps {
		k.xs[i].x, k.dys[i].x = x, dy
		if dw != nil {
			k.product.args[i].C = dw[t*tapLen(k.g):]
		}
	}
	k.product.run(&k.Scratch)
}

func (k *Conv2DBackwardFilter[T]) zeroPart(worker, i int) {
	size := tapLen(k.g)
	if k.dw == nil {
		k.update.zero(worker, i, k.unseen[i]*size, size)
		return
	}
	clear(k.dw[k.unseen[i]*size:][:size])
}
