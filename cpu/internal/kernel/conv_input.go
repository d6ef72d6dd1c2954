package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Conv2DBackwardInput is the gradient of a convolution with respect to its images, [op.Conv2DBackwardInput].
//
// With stride 1 it is a convolution of dy with the flipped, transposed kernel. With a stride s, the image positions
// fall into s×s phases: those of one phase see the same taps, and are a dense convolution with that subset of them. So
// nothing is multiplied by the zeros between strided outputs, and no sum is scattered.
type Conv2DBackwardInput[T Float] struct {
	Scratch[T]
	chosen  string // the way
	first   int    // element of the filter at which the taps that see something begin
	g       op.ConvGeometry
	images  images[T]
	product groupedProduct[T]
	phases  []convPhase
	weights []*tapWeights[T] // one a product
	patches []*patches[T]    // one a product; nil where dy itself is the matrix
	out     area[T]          // results of one phase, when there are several
	scatter phase
	bands   int // parts an image of scatter: few images are cut
	current *convPhase
	dx      []T
	direct  *depthwise[T]
	tiny    []tinyTerm    // where the products of a tiny map begin, nil for others
	tiles   *winogradConv // nil unless it is computed by Winograd's algorithm
}

// convPhase is the set of image positions (h0 + a·strideH, w0 + b·strideW).
type convPhase struct {
	h0, w0, rows, cols int
	empty              bool // no tap reaches it: the gradient is 0
	first              int  // its first product; one a group
}

// NewConv2DBackwardInput prepares the gradient.
func NewConv2DBackwardInput[T Float](e Env[T], g op.ConvGeometry) (*Conv2DBackwardInput[T], error) {
	if err := checkConv(g); err != nil {
		return nil, err
	}
	g, first := e.withoutIdleTaps(g)
	k := &Conv2DBackwardInput[T]{g: g, chosen: e.way(BackwardInput, g, false), first: first}
	k.images = convImages(e.Pool, &k.Scratch, g)
	switch k.chosen {
	case byDepth:
		k.direct = newDepthwise(e.Pool, &k.Scratch, g, ConvOptions{}, BackwardInput, nil)
		return k, nil
	case byTaps:
		args, terms := tinyBackwardInput[T](g)
		k.tiny, k.product = terms, newGroupedProduct(e, &k.Scratch, args)
		return k, nil
	case byWinograd:
		k.tiles = newWinograd(any(e).(Env[float32]), any(&k.Scratch).(*Scratch[float32]), g, ConvOptions{}, true, nil)
		return k, nil
	}
	var args []gemm.Args[T]
	largest := 0
	for ph := range min(g.H.Stride, g.H.In) {
		hTaps, hOff := phaseTaps(g.H, ph)
		for pw := range min(g.W.Stride, g.W.In) {
			wTaps, wOff := phaseTaps(g.W, pw)
			p := convPhase{h0: ph, w0: pw, rows: ceilDiv(g.H.In-ph, g.H.Stride), cols: ceilDiv(g.W.In-pw, g.W.Stride),
				empty: len(hTaps) == 0 || len(wTaps) == 0, first: len(args)}
			k.phases = append(k.phases, p)
			if p.empty {
				continue
			}
			largest = max(largest, g.N*p.rows*p.cols*g.C)
			var taps []tap
			var numbers []int
			for i, t := range hTaps {
				for j, u := range wTaps {
					taps = append(taps, tap{hOff[i], wOff[j]})
					numbers = append(numbers, t*g.W.Kernel+u)
				}
			}
			args = append(args, k.products(p, taps, numbers)...)
		}
	}
	k.product = newGroupedProduct(e, &k.Scratch, args)
	if k.strided() {
		k.out = k.reserve(largest)
		k.bands = max(1, min(8/g.N, g.H.In/g.H.Stride))
		k.scatter = newPhase(e.Pool, g.N*k.bands, k.scatterPart)
	}
	return k, nil
}

// phaseTaps returns the taps of a span that reach the positions ≡ phase modulo the stride, and for each the offset of
// the output position it comes from: input position phase + a·stride receives from output a + offset. Taps descend, so
// that offsets ascend as memory does.
func phaseTaps(s shape.Span, phase int) (taps, offsets []int) {
	for t := s.Kernel - 1; t >= 0; t-- {
		if d := phase + s.Before - t*s.Dilation; d%s.Stride == 0 {
			taps, offsets = append(taps, t), append(offsets, d/s.Stride)
		}
	}
	return taps, offsets
}

// products describes the products of one phase, one a group.
func (k *Conv2DBackwardInput[T]) products(p convPhase, taps []tap, numbers []int) []gemm.Args[T] {
	g := k.g
	c, f := g.C/g.Groups, g.F/g.Groups
	var args []gemm.Args[T]
	for i := range g.Groups {
		w := &tapWeights[T]{taps: numbers, c: c, first: i * f, f: f, ld: g.F}
		k.weights = append(k.weights, w)
		a := gemm.Args[T]{M: g.N * p.rows * p.cols, N: c, K: len(taps) * f, LDC: g.C,
			A: gemm.Operand[T]{LD: g.F}, B: gemm.Operand[T]{Source: w, Trans: true}}
		if len(taps) == 1 {
			a.B = gemm.Operand[T]{LD: g.F, Trans: true} // the tap's own rows are the matrix
		}
		var x *patches[T]
		if !isPointwise(g) {
			x = newPatches[T](g.H.Out, g.W.Out, g.F, i*f, f, p.rows, p.cols, 1, 1, taps)
			a.A = gemm.Operand[T]{Source: x}
		}
		k.patches = append(k.patches, x)
		args = append(args, a)
	}
	return args
}

// strided says whether a phase's positions are not all positions, in order.
func (k *Conv2DBackwardInput[T]) strided() bool { return k.g.H.Stride > 1 || k.g.W.Stride > 1 }

// Run computes dx from the gradient dy of the result and the kernel w (kh, kw, C/groups, F).
func (k *Conv2DBackwardInput[T]) Run(dx, dy, w []T) {
	dy, w = k.images.gradient(&k.Scratch, dy), w[k.first:]
	k.dx = k.images.inputGradient(&k.Scratch, dx)
	switch {
	case k.direct != nil:
		k.direct.backwardInput(&k.Scratch, k.dx, dy, w)
	case k.tiny != nil:
		for i, t := range k.tiny {
			a := &k.product.args[i]
			a.A.Data, a.B.Data, a.C = dy[t.a:], w[t.b:], k.dx[t.c:]
		}
		k.product.run(&k.Scratch)
	case k.tiles != nil:
		k.tiles.run(any(&k.Scratch).(*Scratch[float32]), singles(k.dx), singles(dy), singles(w), nil, nil)
	default:
		for i := range k.phases {
			k.runPhase(&k.phases[i], dy, w)
		}
	}
	k.images.finishInput(dx, k.dx)
}

func (k *Conv2DBackwardInput[T]) runPhase(p *convPhase, dy, w []T) {
	c, f := k.g.C/k.g.Groups, k.g.F/k.g.Groups
	out := k.dx
	if k.strided() {
		out = k.out.of(&k.Scratch)
	}
	for i := range k.g.Groups {
		if p.empty {
			break
		}
		at := p.first + i
		a, x, tw := &k.product.args[at], k.patches[at], k.weights[at]
		if x != nil {
			x.x = dy
		} else {
			a.A.Data = dy[i*f:]
		}
		tw.w = w
		if a.B.Source == nil {
			a.B.Data = w[tw.taps[0]*c*k.g.F+i*f:]
		}
		a.C = out[i*c:]
		k.product.one(&k.Scratch, at)
	}
	if k.strided() {
		k.current = p
		k.scatter.run()
	}
}

// scatterPart moves the current phase's results of a band of one image to their places.
func (k *Conv2DBackwardInput[T]) scatterPart(_, part int) {
	p, g := k.current, &k.g
	n, band := part/k.bands, part%k.bands
	for a := band * p.rows / k.bands; a < (band+1)*p.rows/k.bands; a++ {
		to := ((n*g.H.In+p.h0+a*g.H.Stride)*g.W.In + p.w0) * g.C
		if p.empty {
			zeroRuns(k.dx[to:], g.W.Stride*g.C, p.cols, g.C)
			continue
		}
		from := (n*p.rows + a) * p.cols * g.C
		copyRuns(k.dx[to:], g.W.Stride*g.C, k.out.of(&k.Scratch)[from:], g.C, p.cols, g.C)
	}
}
