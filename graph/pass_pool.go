package graph

import (
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// maskPooled lets a ReLU in front of a max pooling mask the gradient behind the pooling, which is smaller:
//
//	ReLUGrad(x, MaxPool2DGrad(x, y, dy)) → MaxPool2DGrad(x, y, ReLUGrad(y, dy))
//
// A gradient goes to an element that equals the window's maximum, so that one is above 0 where the other is.
func maskPooled(p *program, _ Engine) {
	sweepSteps(p, func(w *sweep, s *Step) {
		if _, ok := s.Instr.(*op.ReLUGrad); !ok || !w.only(s.In[1]) {
			return
		}
		x := s.In[0]
		pool := w.producer(s.In[1])
		if pool == nil || pool.In[0] != x || !p.unpools(pool) {
			return
		}
		y, dy := pool.In[1], pool.In[2]
		if dy = w.emit(&op.ReLUGrad{}, y, dy); dy != nil {
			w.change(pool.Instr, x, y, dy)
		}
	})
}

// fusePoolBias makes MaxPool2DGrad and BiasGrad of its result one step: every window hands its gradient to one element, so the
// sums are those of the smaller gradient. An engine that has no such step, but a ReLUGradBias, reads the smaller one.
func fusePoolBias(p *program, e Engine) {
	r := newRewriter(p)
	for _, s := range p.steps {
		if !p.unpools(s) {
			continue
		}
		o := s.Instr.(*op.MaxPool2DGrad)
		dx := s.Out[0]
		_, _, channel := o.Format.Axes()
		for _, u := range r.uses[dx] {
			b, ok := u.Instr.(*op.BiasGrad)
			if !ok || axisOf(b.Axis, dx.Shape) != channel {
				continue
			}
			switch {
			case e.Fuses((&MaxPool2DGradBias{}).Kind(), dx.Dtype):
				r.replace(&Step{Instr: &MaxPool2DGradBias{Grad: o}, In: s.In, Out: []*Value{dx, u.Out[0]}}, s, u)
			case e.Fuses((&ReLUGradBias{}).Kind(), dx.Dtype):
				r.replace(&Step{Instr: b, In: []*Value{s.In[2]}, Out: u.Out}, u)
			}
			break
		}
	}
	r.finish()
}

// fuseReLUBias makes ReLUGrad and BiasGrad of its result one step, unless the gradient that it masks comes from elementwise steps: it will
// be one with those.
func fuseReLUBias(p *program, e Engine) {
	r := newRewriter(p)
	for _, s := range p.steps {
		dx := s.Out[0]
		if _, ok := s.Instr.(*op.ReLUGrad); !ok || !e.Fuses((&ReLUGradBias{}).Kind(), dx.Dtype) {
			continue
		}
		dy := s.In[1]
		if from := p.producer[dy]; from != nil && loops(from.Instr) && r.only(dy) == s && e.Fuses((&ir.Loop{}).Kind(), dx.Dtype) {
			continue
		}
		for _, u := range r.uses[dx] {
			if b, ok := u.Instr.(*op.BiasGrad); ok {
				f := &ReLUGradBias{Axis: axisOf(b.Axis, dx.Shape)}
				r.replace(&Step{Instr: f, In: s.In, Out: []*Value{dx, u.Out[0]}}, s, u)
				break
			}
		}
	}
	r.finish()
}

// unpools says that a step is the gradient of a max pooling and gets the result of just that pooling.
func (p *program) unpools(s *Step) bool {
	o, ok := s.Instr.(*op.MaxPool2DGrad)
	return ok && p.pools(s, o)
}

// pools says that a step, which computes the gradient o of a max pooling, gets the result of just that pooling.
func (p *program) pools(s *Step, o *op.MaxPool2DGrad) bool {
	pool := p.producer[s.In[1]]
	if pool == nil || pool.In[0] != s.In[0] {
		return false
	}
	y, ok := pool.Instr.(*op.MaxPool2D)
	return ok && y.PoolAttrs == o.PoolAttrs
}
