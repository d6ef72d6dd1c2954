package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/graph/op"
)

// patchConv is a convolution as one matrix product a group: patches, which are gathered while the product packs them or are the
// images themselves, times filters.
type patchConv[T Float] struct {
	g       op.ConvGeometry
	frozen  bool
	product groupedProduct[T]
	patches []*patches[T] // nil where the images themselves are the matrix
}

func newPatchConv[T Float](e Env[T], s *Scratch[T], g op.ConvGeometry, o ConvOptions, watch gemm.Watcher[T], act gemm.Activation[T], then *after[T]) *patchConv[T] {
	k := &patchConv[T]{g: g, frozen: o.Frozen}
	c, f := g.C/g.Groups, g.F/g.Groups
	taps := forwardTaps(g)
	pointwise := isPointwise(g)
	var args []gemm.Args[T]
	for i := range g.Groups {
		a := gemm.Args[T]{M: g.N * g.H.Out * g.W.Out, N: f, K: len(taps) * c, LDC: g.F, LDD: g.F, ReLU: o.ReLU, Act: act, Watch: watch, After: then.gemm(),
			A: gemm.Operand[T]{LD: g.C}, B: gemm.Operand[T]{LD: g.F}}
		if o.Frozen {
			a.B = gemm.Operand[T]{Packed: true}
		}
		if o.Add {
			a.Beta = 1
		}
		if !pointwise {
			p := newPatches[T](g.H.In, g.W.In, g.C, i*c, c, g.H.Out, g.W.Out, g.H.Stride, g.W.Stride, taps)
			k.patches = append(k.patches, p)
			a.A = gemm.Operand[T]{Source: p}
		}
		args = append(args, a)
	}
	k.product = newGroupedProduct(e, s, args)
	return k
}

// groupLen is the length of a group's packed filters.
func (k *patchConv[T]) groupLen() int {
	return k.product.env.Gemm.PackedLen(k.product.args[0].K, k.product.args[0].N)
}

func (k *patchConv[T]) packed() int { return k.g.Groups * k.groupLen() }

func (k *patchConv[T]) pack(s *Scratch[T], u, w []T) {
	n := k.groupLen()
	for i := range k.product.args {
		a := &k.product.args[i]
		k.product.pack(s, u[i*n:(i+1)*n], gemm.Operand[T]{Data: w[i*a.N:], LD: k.g.F}, a.K, a.N)
	}
}

func (k *patchConv[T]) run(s *Scratch[T], y, x, w, bias, residual []T) {
	c, f, n := k.g.C/k.g.Groups, k.g.F/k.g.Groups, k.g.F/k.g.Groups
	if k.frozen {
		n = k.groupLen()
	}
	for i := range k.product.args {
		a := &k.product.args[i]
		if k.patches != nil {
			k.patches[i].x = x
		} else {
			a.A.Data = x[i*c:]
		}
		a.B.Data, a.C = w[i*n:], y[i*f:]
		if bias != nil {
			a.Bias = bias[i*f:]
		}
		if residual != nil {
			a.D = residual[i*f:]
		}
	}
	k.product.run(s)
}
