package graph

import (
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// foldConstants computes what depends on constants only. Results larger than foldBytes stay steps, unless they are no
// larger than their operands: a plan should not carry what it can make. So does what is more work than foldFLOPs, which the
// engine does faster than the plain loops that fold.
func foldConstants(p *program, _ Engine) { sweepSteps(p, foldStep) }

const (
	foldBytes = 4 << 10
	foldFLOPs = 1 << 24
)

func foldStep(w *sweep, s *Step) {
	if len(s.Out) != 1 || len(s.In) == 0 {
		return
	}
	in, most := make([]op.Array, len(s.In)), foldBytes
	for i, v := range s.In {
		if v.Const == nil {
			return
		}
		in[i] = op.Array{Shape: v.Shape, Data: v.Const.Data}
		most = max(most, v.Bytes())
	}
	out := s.Out[0]
	if out.Bytes() > most || flops(s) > foldFLOPs {
		return
	}
	a, err := op.NewArray(out.Dtype, out.Shape)
	if err != nil {
		return
	}
	switch o := s.Instr.(type) {
	case *op.Reshape:
		op.Copy(a, in[0])
	case op.Op:
		err = o.Reference(a, in)
	case *ir.Slice, *ir.SliceGrad:
		return // which may move
	case ir.Op:
		err = o.Compute([]op.Array{a}, in)
	default:
		return
	}
	if err != nil {
		return // it fails again when it is run, where the error has a place to go
	}
	v := w.p.newValue(out.Name, out.Shape, out.Dtype, nil)
	v.Const = &a
	w.replace(v)
}

// isNumber says whether v is a constant of which every element is x.
func isNumber(v *Value, x float64) bool {
	if v.Const == nil {
		return false
	}
	switch d := v.Const.Data.(type) {
	case []float32:
		return allAre(d, float32(x))
	case []float64:
		return allAre(d, x)
	}
	return false
}

func allAre[T op.Float](d []T, x T) bool {
	for _, v := range d {
		if v != x {
			return false
		}
	}
	return len(d) > 0
}
