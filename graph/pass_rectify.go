package graph

import (
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// rectify finds what gorgonia.Rectify is made of: x·(x ≥ 0) becomes ReLU, and its gradient, dy·(x ≥ 0), becomes ReLUGrad.
// That changes two things for the better: ReLU of −∞ is 0 instead of NaN, and the gradient at exactly 0 is 0, as Keras and
// PyTorch have it. Gradients where x is masked by x < 0 as well, as in gorgonia.LeakyRelu, are left as they are: both together
// would be 0 at 0, which is the slope of neither side.
func rectify(p *program, _ Engine) {
	relus := map[*Value]*Value{} // x → ReLU(x)
	leaky := map[*Value]bool{}   // x masked by x < 0
	for _, s := range p.steps {
		if x := zeroMask(s, ir.Lt); x != nil {
			leaky[x] = true
		}
	}
	sweepSteps(p, func(w *sweep, s *Step) {
		if _, ok := s.Instr.(*op.Mul); !ok {
			return
		}
		for i := range s.In {
			x, other := zeroMask(w.producer(s.In[i]), ir.Gte), s.In[1-i]
			switch {
			case x == nil || !shape.Equal(x.Shape, other.Shape):
				continue
			case x == other:
				w.change(&op.ReLU{}, x)
				relus[x] = s.Out[0]
			case relus[x] != nil && !leaky[x] && derivesOnly(s.Out[0].Node, relus[x].Node, x.Node):
				w.change(&op.ReLUGrad{}, relus[x], other)
			default:
				continue // a mask of its own
			}
			return
		}
	})
}

// zeroMask returns x if s computes fn(x, 0), a comparison, in x's element type.
func zeroMask(s *Step, fn ir.BinaryFn) *Value {
	if s == nil {
		return nil
	}
	if o, ok := s.Instr.(*ir.Binary); !ok || o.Fn != fn || !isNumber(s.In[1], 0) || s.Out[0].Dtype != s.In[0].Dtype {
		return nil
	}
	return s.In[0]
}

// derivesOnly says whether gorgonia.Grad made the product n for the derivative of y, as a term of that of x and of nothing
// else but the terms of x, if x is a sum: they have its derivative.
func derivesOnly(n, y, x *gorgonia.Node) bool {
	if n == nil || x == nil || !inGradients(n) {
		return false
	}
	terms := termsOf(x)
	for _, of := range n.DerivOf() {
		if !terms[of] {
			return false
		}
	}
	return slices.ContainsFunc(op.Children(n), func(c *gorgonia.Node) bool { return slices.Contains(c.DerivOf(), y) })
}

// termsOf returns n and, if it is a sum, its terms, and theirs.
func termsOf(n *gorgonia.Node) map[*gorgonia.Node]bool {
	terms := map[*gorgonia.Node]bool{}
	for stack := []*gorgonia.Node{n}; len(stack) > 0; {
		n, stack = stack[len(stack)-1], stack[:len(stack)-1]
		if terms[n] {
			continue
		}
		terms[n] = true
		if isSum(n) {
			stack = append(stack, op.Children(n)...)
		}
	}
	return terms
}

func isSum(n *gorgonia.Node) bool {
	if _, ours := n.Op().(*op.Add); ours {
		return true
	}
	a := attributesOf(n.Op())
	if a.typeName() != "elemBinOp" {
		return false
	}
	fn, ok := stockBinaryFn(a)
	return ok && fn == ir.Add
}
