package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// ConvOptions are what a convolution does to its sums before it stores them, and what it may rely on.
type ConvOptions struct {
	Bias   bool // add bias[f]
	Add    bool // add a residual, shaped like the result
	ReLU   bool // then max(·, 0)
	Frozen bool // the filter stays the same from run to run: Pack takes it over

	After *ir.Loop // then this, of one input and one result; nil is nothing
}

// Conv2D is the convolution of [op.Conv2D].
type Conv2D[T Float] struct {
	Scratch[T]
	Kept[T]
	o      ConvOptions
	after  *after[T]
	images images[T]
	way    convWay[T]
	chosen string // its name
	first  int    // element of the filter at which the taps that see something begin
}

// convWay is a way to compute a convolution, on images in NHWC.
type convWay[T Float] interface {
	// packed is how many elements pack makes of a filter.
	packed() int
	// pack writes a filter into u in the form in which run reads frozen ones.
	pack(s *Scratch[T], u, w []T)
	// run computes y. w is the filter, or what pack made of a frozen one; bias and residual are nil where there are none. The
	// residual may be y itself.
	run(s *Scratch[T], y, x, w, bias, residual []T)
}

// NewConv2D prepares a convolution.
func NewConv2D[T Float](e Env[T], g op.ConvGeometry, o ConvOptions) (*Conv2D[T], error) {
	k, _, err := newConv2D(e, g, o, nil)
	return k, err
}

// newConv2D is NewConv2D with somebody who watches the result, whose rows are channels, and says whether he will be told of it; not
// all ways do.
func newConv2D[T Float](e Env[T], g op.ConvGeometry, o ConvOptions, watch gemm.Watcher[T]) (k *Conv2D[T], watched bool, err error) {
	if err := checkConv(g); err != nil {
		return nil, false, err
	}
	g, first := e.withoutIdleTaps(g)
	k = &Conv2D[T]{o: o, chosen: e.way(Forward, g, o.Frozen), first: first}
	k.images = convImages(e.Pool, &k.Scratch, g)
	if k.after, err = newAfter(e.Pool, &k.Scratch, o.After); err != nil {
		return nil, false, err
	}
	switch {
	case k.chosen == byDepth:
		d := newDepthwise(e.Pool, &k.Scratch, g, o, Forward, k.after)
		watched = watch != nil
		if watched {
			d.watchedBy(watch)
		}
		k.way = d
	case k.chosen == byTaps && o.Frozen:
		k.way = newByTap(e, &k.Scratch, g, o, k.after)
	case k.chosen == byTaps:
		k.way = newTinyConv(e, &k.Scratch, g, o, k.after)
	case k.chosen == byWinograd:
		k.way = any(newWinograd(any(e).(Env[float32]), any(&k.Scratch).(*Scratch[float32]), g, o, false, any(k.after).(*after[float32]))).(convWay[T])
	case k.chosen == byRows:
		k.way = newRowConv(e, &k.Scratch, g, o, k.after)
	default:
		if g.Groups > 1 {
			watch = nil
		}
		act, then := activationOf[T](o.After, o.ReLU), k.after
		if act.Kind != gemm.NoAct {
			then = nil
		}
		k.way = newPatchConv(e, &k.Scratch, g, o, watch, act, then)
		watched = watch != nil
	}
	if o.Frozen {
		k.keep(k.way.packed())
	}
	return k, watched, nil
}

// Pack takes the filter of a kernel that was prepared as Frozen, for the runs that follow.
func (k *Conv2D[T]) Pack(w []T) { k.way.pack(&k.Scratch, k.kept(), w[k.first:]) }

// Run computes y from the images x, the filter w (kh, kw, C/groups, F), which a Frozen kernel does not look at, and, if prepared
// with Bias, bias (F), with Add, a residual like y, which may be y itself.
func (k *Conv2D[T]) Run(y, x, w, bias, residual []T) {
	if k.o.Frozen {
		w = k.kept()
	} else {
		w = w[k.first:]
	}
	if !k.o.Bias {
		bias = nil
	}
	x = k.images.input(&k.Scratch, x)
	out := k.images.output(&k.Scratch, y)
	switch {
	case !k.o.Add:
		residual = nil
	case k.images.nchw: // brought to where the result comes, in whose place it may be
		k.images.toY.Run(out, residual)
		residual = out
	}
	k.after.begin(&k.Scratch)
	k.way.run(&k.Scratch, out, x, w, bias, residual)
	k.images.finish(y, out)
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

// isNarrow says whether the groups have so few channels that products of theirs would spend their time on patches, as
// measured. Pointwise ones have none.
func isNarrow(g op.ConvGeometry) bool {
	const few = 16
	return g.Groups > 1 && g.C <= few*g.Groups && g.F <= few*g.Groups && !isPointwise(g)
}

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
