package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() { registerFloats(convKernels[float32](), convKernels[float64]()) }

func convKernels[T kernel.Float]() map[string]prepare {
	return map[string]prepare{
		"Conv2D":               buildConv2D[T],
		"FusedConv2D":          buildConv2D[T],
		"FusedConv2DAdd":       buildConv2D[T],
		"FusedConv2DLoop":      buildConv2D[T],
		"FusedConv2DAddLoop":   buildConv2D[T],
		"FusedConv2DStats":     buildConv2DStats[T],
		"Conv2DBackwardInput":  buildConv2DBackwardInput[T],
		"Conv2DBackwardFilter": buildConv2DBackwardFilter[T],
	}
}

func buildConv2D[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	g, o, err := convOf(s)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewConv2D[T](env[T](b), g, o)
	if err != nil {
		return nil, err
	}
	needs[T](b, k)
	keeps[T](b, s, k)
	return productStep[T](s, o.Bias, o.Add, k.Run), nil
}

// convOf is the geometry of a convolution and what it does besides.
func convOf(s *graph.Step) (op.ConvGeometry, kernel.ConvOptions, error) {
	var conv *op.Conv2D
	var o kernel.ConvOptions
	switch i := s.Instr.(type) {
	case *op.Conv2D:
		conv = i
	case *graph.FusedConv2D:
		conv, o = i.Conv, kernel.ConvOptions{Bias: i.Bias, Add: i.Add, ReLU: i.ReLU, After: i.After}
	}
	o.Frozen = frozen(s)
	g, err := conv.Geometry(s.In[0].Shape, s.In[1].Shape)
	return g, o, err
}

func buildConv2DStats[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	g, o, err := convOf(s)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewConv2DStats[T](env[T](b), g, o)
	if err != nil {
		return nil, err
	}
	needs[T](b, k)
	ids := idsOf(s.Out)
	in := idsOf(s.In)
	x, w, z := in[0], in[1], 0
	if o.Bias {
		z = in[2]
	}
	return func(m *memory) error {
		v := floats[T](m)
		k.Run(v[ids[1]], v[ids[2]], v[ids[0]], v[x], v[w], v[z])
		return nil
	}, nil
}

// productStep runs a kernel on two factors and, if it was prepared for them, a bias and a residual.
func productStep[T kernel.Float](s *graph.Step, bias, add bool, run func(y, a, b, bias, residual []T)) step {
	out, in := operands(s)
	y, a, b := out[0], in[0], in[1]
	z, r := 0, 0 // of values that the kernel does not look at
	if bias {
		z = in[2]
	}
	if add {
		r = in[len(in)-1]
	}
	return func(m *memory) error {
		v := floats[T](m)
		run(v[y], v[a], v[b], v[z], v[r])
		return nil
	}
}

func buildConv2DBackwardInput[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*op.Conv2DBackwardInput)
	g, err := o.Geometry(o.InputShape, s.In[1].Shape)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewConv2DBackwardInput[T](env[T](b), g)
	if err != nil {
		return nil, err
	}
	needs[T](b, k)
	out, in := operands(s)
	dx, dy, w := out[0], in[0], in[1]
	return func(m *memory) error {
		k.Run(floats[T](m)[dx], floats[T](m)[dy], floats[T](m)[w])
		return nil
	}, nil
}

func buildConv2DBackwardFilter[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*op.Conv2DBackwardFilter)
	g, err := o.Geometry(s.In[0].Shape, o.FilterShape)
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewConv2DBackwardFilter[T](env[T](b), g)
	if err != nil {
		return nil, err
	}
	needs[T](b, k)
	out, in := operands(s)
	dw, x, dy := out[0], in[0], in[1]
	return func(m *memory) error {
		k.Run(floats[T](m)[dw], floats[T](m)[x], floats[T](m)[dy])
		return nil
	}, nil
}
