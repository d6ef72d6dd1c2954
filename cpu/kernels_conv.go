package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	register(map[string]prepare{
		"Conv2D":               buildConv2D,
		"FusedConv2D":          buildConv2D,
		"Conv2DBackwardInput":  buildConv2DBackwardInput,
		"Conv2DBackwardFilter": buildConv2DBackwardFilter,
	})
}

func buildConv2D(b *builder, s *graph.Step) (step, error) {
	var conv *op.Conv2D
	var o kernel.ConvOptions
	switch i := s.Instr.(type) {
	case *op.Conv2D:
		conv = i
	case *graph.FusedConv2D:
		conv, o = i.Conv, kernel.ConvOptions{Bias: i.Bias, ReLU: i.ReLU}
	}
	g, err := conv.Geometry(s.In[0].Shape, s.In[1].Shape)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewConv2D(b.env(), g, o)
	if err != nil {
		return nil, err
	}
	needs(b, k)
	out, in := operands(s)
	y, x, w := out[0], in[0], in[1]
	if !o.Bias {
		return func(m *memory) error {
			k.Run(m.f32[y], m.f32[x], m.f32[w], nil)
			return nil
		}, nil
	}
	bias := in[2]
	return func(m *memory) error {
		k.Run(m.f32[y], m.f32[x], m.f32[w], m.f32[bias])
		return nil
	}, nil
}

func buildConv2DBackwardInput(b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*op.Conv2DBackwardInput)
	g, err := o.Geometry(o.InputShape, s.In[1].Shape)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewConv2DBackwardInput(b.env(), g)
	if err != nil {
		return nil, err
	}
	needs(b, k)
	out, in := operands(s)
	dx, dy, w := out[0], in[0], in[1]
	return func(m *memory) error {
		k.Run(m.f32[dx], m.f32[dy], m.f32[w])
		return nil
	}, nil
}

func buildConv2DBackwardFilter(b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*op.Conv2DBackwardFilter)
	g, err := o.Geometry(s.In[0].Shape, o.FilterShape)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewConv2DBackwardFilter(b.env(), g)
	if err != nil {
		return nil, err
	}
	needs(b, k)
	out, in := operands(s)
	dw, x, dy := out[0], in[0], in[1]
	return func(m *memory) error {
		k.Run(m.f32[dw], m.f32[x], m.f32[dy])
		return nil
	}, nil
}
