package kernel

import (
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	registerFloats(map[string]Prepare{
		"BiasGrad": func(b *Builder, s *graph.Step) ([]Command, error) {
			v := channelsOf(s.In[0].Shape, s.Instr.(*op.BiasGrad).Axis)
			return b.biasGrad(s, v, images{"SDY": s.In[0]}, "bias_grad", Out(0), In(0)), nil
		},
		"ReLUGradBias": func(b *Builder, s *graph.Step) ([]Command, error) {
			v := channelsOf(s.In[0].Shape, s.Instr.(*graph.ReLUGradBias).Axis)
			of := images{"SY": s.In[0], "SDY": s.In[1], "SDX": s.Out[0]}
			return b.biasGrad(s, v, of, "bias_grad_relu", Out(1), Out(0), In(0), In(1)), nil
		},
	})
	registerNarrow(map[string]narrowing{
		"BiasGrad":     {in: operands(0)},
		"ReLUGradBias": {in: operands(0, 1), out: operands(0), images: true},
	})
}

// biasGrad is a step that computes db with one of the kernels of bias.cu, whose other operands are given.
func (b *Builder) biasGrad(s *graph.Step, v view, of images, name string, db Pointer, operands ...any) []Command {
	return b.eachSharing(b.biasSharings(s, v, of), func(h sharing) []Command { return b.sharedBiasSums(s, v, of, h, name, db, operands...) })
}

func (b *Builder) biasSharings(s *graph.Step, v view, of images) []sharing {
	return b.sharings(packed(s.Out[0].Dtype, v, of), of, few, biasSharings)
}

// biasSums computes db as it is done without a measurement.
func (b *Builder) biasSums(s *graph.Step, v view, of images, name string, db Pointer, operands ...any) []Command {
	return b.sharedBiasSums(s, v, of, oneWave, name, db, operands...)
}

// sharedBiasSums computes db with the sums shared so.
func (b *Builder) sharedBiasSums(s *graph.Step, v view, of images, h sharing, name string, db Pointer, operands ...any) []Command {
	dt := s.Out[0].Dtype
	t := b.summing(packed(dt, v, of), few, h)
	partial, counters := b.joining(t, 1, dt)
	return []Command{t.launch("bias.cu", name, dt, append([]any{db, partial, counters}, operands...)...)}
}
