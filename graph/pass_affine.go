package graph

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// absorbAffine lets batch norms take over the scale and the shift per channel that follow them in stock Gorgonia, whose
// own batch norm has neither, forward and backward:
//
//	BatchNorm(x, 1, 0)·γ + β                    → BatchNorm(x, γ, β)
//	Σ dy·BatchNorm(x, 1, 0)                     → BatchNormGradScale(x, dy)
//	BatchNormGradInput(x, 1, dy·γ, Σ…, Σ…)      → BatchNormGradInput(x, γ, dy, Σ…, Σ…)
//
// where the sums of the last line are those of dy·γ before and of dy after.
func absorbAffine(p *program, _ Engine) {
	sweepSteps(p, absorbScale, absorbShift, absorbGradScale, absorbGradInput)
}

// plainNorm returns the step of a batch norm with scale 1 and shift 0 that made v.
func (w *sweep) plainNorm(v *Value) *Step {
	s := w.producer(v)
	if s == nil {
		return nil
	}
	switch s.Instr.(type) {
	case *op.BatchNorm, *op.BatchNormInference:
		if isNumber(s.In[1], 1) && isNumber(s.In[2], 0) {
			return s
		}
	}
	return nil
}

func normAxis(instr Instr, s tensor.Shape) int {
	switch o := instr.(type) {
	case *op.BatchNorm:
		return axisOf(o.Axis, s)
	case *op.BatchNormInference:
		return axisOf(o.Axis, s)
	}
	return -1
}

// scaled splits a product into a full operand and one that is a vector along an axis.
func (w *sweep) scaled(v *Value, axis int) (x, factor *Value) {
	s := w.producer(v)
	if s == nil {
		return nil, nil
	}
	return w.scaledStep(s, axis)
}

func (w *sweep) scaledStep(s *Step, axis int) (x, factor *Value) {
	if b, ok := s.Instr.(*ir.Binary); !ok || b.Fn != ir.Mul {
		return nil, nil
	}
	for i := range s.In {
		if at, ok := alongOne(s.In[1-i].Shape, s.Out[0].Shape); ok && at == axis && s.In[i].Len() == s.Out[0].Len() {
			return s.In[i], s.In[1-i]
		}
	}
	return nil, nil
}

func absorbScale(w *sweep, s *Step) {
	for i := range s.In {
		norm := w.plainNorm(s.In[i])
		if norm == nil {
			continue
		}
		axis := normAxis(norm.Instr, norm.In[0].Shape)
		if x, factor := w.scaledStep(s, axis); x == s.In[i] {
			gamma := w.reshape(factor, factor.Len())
			w.change(norm.Instr, norm.In[0], gamma, norm.In[2], norm.In[3], norm.In[4])
			return
		}
	}
}

func absorbShift(w *sweep, s *Step) {
	b, ok := s.Instr.(*op.BiasAdd)
	if !ok || !w.only(s.In[0]) {
		return
	}
	norm := w.producer(s.In[0])
	if norm == nil || normAxis(norm.Instr, s.In[0].Shape) != axisOf(b.Axis, s.In[0].Shape) || !isNumber(norm.In[2], 0) {
		return
	}
	w.change(norm.Instr, norm.In[0], norm.In[1], s.In[1], norm.In[3], norm.In[4])
}

func absorbGradScale(w *sweep, s *Step) {
	g, ok := s.Instr.(*op.BiasGrad)
	product := w.producer(s.In[0])
	if !ok || product == nil {
		return
	}
	if _, ok := product.Instr.(*op.Mul); !ok {
		return
	}
	for i := range product.In {
		norm := w.plainNorm(product.In[i])
		if norm == nil {
			continue
		}
		if o, ok := norm.Instr.(*op.BatchNorm); ok && axisOf(o.Axis, norm.In[0].Shape) == axisOf(g.Axis, s.In[0].Shape) {
			w.change(&op.BatchNormGradScale{Axis: o.Axis, Epsilon: o.Epsilon}, norm.In[0], norm.In[3], norm.In[4], product.In[1-i])
			return
		}
	}
}

func absorbGradInput(w *sweep, s *Step) {
	switch o := s.Instr.(type) {
	case *op.BatchNormGradInput: // x, gamma, mean, variance, dy, dgamma, dbeta
		axis := axisOf(o.Axis, s.In[0].Shape)
		dy, factor := w.scaled(s.In[4], axis)
		if dy == nil || !isNumber(s.In[1], 1) || !w.sumsOf(s) {
			return
		}
		x, mean, variance := s.In[0], s.In[2], s.In[3]
		dgamma := w.emit(&op.BatchNormGradScale{Axis: o.Axis, Epsilon: o.Epsilon}, x, mean, variance, dy)
		dbeta := w.emit(&op.BiasGrad{Axis: o.Axis}, dy)
		if dgamma != nil && dbeta != nil {
			w.change(o, x, w.reshape(factor, factor.Len()), mean, variance, dy, dgamma, dbeta)
		}
	case *op.BatchNormInferenceGradInput: // gamma, variance, dy
		dy, factor := w.scaled(s.In[2], axisOf(o.Axis, s.In[2].Shape))
		if dy != nil && isNumber(s.In[0], 1) {
			w.change(o, w.reshape(factor, factor.Len()), s.In[1], dy)
		}
	}
}

// sumsOf says that the sums which a BatchNormGradInput reads are those of its own x, moments and gradient.
func (w *sweep) sumsOf(s *Step) bool {
	o, scale, shift := s.Instr.(*op.BatchNormGradInput), w.producer(s.In[5]), w.producer(s.In[6])
	if scale == nil || shift == nil {
		return false
	}
	x, mean, variance, dy := s.In[0], s.In[2], s.In[3], s.In[4]
	axis := axisOf(o.Axis, x.Shape)
	a, ok1 := scale.Instr.(*op.BatchNormGradScale)
	b, ok2 := shift.Instr.(*op.BiasGrad)
	return ok1 && axisOf(a.Axis, x.Shape) == axis && a.Epsilon == o.Epsilon && slices.Equal(scale.In, []*Value{x, mean, variance, dy}) &&
		ok2 && axisOf(b.Axis, x.Shape) == axis && shift.In[0] == dy
}
