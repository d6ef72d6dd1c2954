package cpu

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() { registerFloats(irKernels[float32](), irKernels[float64]()) }

// irKernels are those of package graph/ir but the elementwise ones. Results of int run on the references.
func irKernels[T kernel.Float]() map[string]prepare {
	return map[string]prepare{
		"Repeat":        buildRepeat[T],
		"Slice":         buildSlice[T],
		"SliceGrad":     buildSliceGrad[T],
		"Concat":        buildConcat[T],
		"At":            buildAt[T],
		"Gather":        buildGather[T],
		"GatherGrad":    buildGatherGrad[T],
		"DiagFlat":      buildDiagFlat[T],
		"Cast":          buildCast[T],
		"Upsample":      buildUpsample[T],
		"UpsampleGrad":  buildUpsampleGrad[T],
		"Reduce":        buildReduce[T],
		"BatchMatMul":   buildBatchMatMul[T],
		"Im2Col":        buildIm2Col[T],
		"Col2Im":        buildCol2Im[T],
		"GroupNorm":     buildGroupNorm[T],
		"GroupNormGrad": buildGroupNormGrad[T],
		"Random":        buildRandom[T],
	}
}

// around returns the numbers of elements before, along and behind an axis.
func around(s tensor.Shape, axis int) (outer, n, inner int) {
	return op.Len(s[:axis]), s[axis], op.Len(s[axis+1:])
}

func buildRepeat[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*ir.Repeat)
	rows, inner := o.Rows(s.In[0].Shape)
	return unary[T](s)(kernel.NewRepeat[T](b.pool, rows, inner, o.Times))
}

// The range of a slice may move between runs, so the step looks where it is.
func buildSlice[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*ir.Slice)
	outer, n, inner := around(s.In[0].Shape, o.Axis)
	slices := s.Out[0].Len() / (outer * inner)
	k, err := kernel.NewSlice[T](b.pool, outer, n, inner, slices, o.Step)
	y, x := s.Out[0].ID, s.In[0].ID
	return func(m *memory) error {
		if err := o.CheckMoved(n, slices); err != nil {
			return err
		}
		k.Run(floats[T](m)[y], floats[T](m)[x], o.Start)
		return nil
	}, err
}

func buildSliceGrad[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*ir.SliceGrad).Slice
	outer, n, inner := around(s.Out[0].Shape, o.Axis)
	slices := s.In[0].Len() / (outer * inner)
	k, err := kernel.NewSliceGrad[T](b.pool, outer, n, inner, slices, o.Step)
	dx, dy := s.Out[0].ID, s.In[0].ID
	return func(m *memory) error {
		if err := o.CheckMoved(n, slices); err != nil {
			return err
		}
		k.Run(floats[T](m)[dx], floats[T](m)[dy], o.Start)
		return nil
	}, err
}

func buildConcat[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	axis := s.Instr.(*ir.Concat).Axis
	rows, _, _ := around(s.Out[0].Shape, axis)
	widths := make([]int, len(s.In))
	for i, v := range s.In {
		widths[i] = v.Len() / rows
	}
	k, err := kernel.NewConcat[T](b.pool, rows, widths)
	y, in, x := s.Out[0].ID, idsOf(s.In), make([][]T, len(s.In))
	return func(m *memory) error {
		for i, id := range in {
			x[i] = floats[T](m)[id]
		}
		k.Run(floats[T](m)[y], x)
		return nil
	}, err
}

func buildAt[T kernel.Float](_ *builder, s *graph.Step) (step, error) {
	at := s.Instr.(*ir.At).Index(s.In[0].Shape)
	y, x := s.Out[0].ID, s.In[0].ID
	return func(m *memory) error {
		floats[T](m)[y][0] = floats[T](m)[x][at]
		return nil
	}, nil
}

func buildGather[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	outer, n, inner := around(s.In[0].Shape, s.Instr.(*ir.Gather).Axis)
	k, err := kernel.NewGather[T](b.pool, outer, n, inner, s.In[1].Len())
	return selecting(s, n, k.Run), err
}

func buildGatherGrad[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	outer, n, inner := around(s.Out[0].Shape, s.Instr.(*ir.GatherGrad).Axis)
	k, err := kernel.NewGatherGrad[T](b.pool, outer, n, inner, s.In[1].Len())
	return selecting(s, n, k.Run), err
}

// selecting makes a step of a kernel y ← x, indices, which must be below n.
func selecting[T kernel.Float](s *graph.Step, n int, run func(y, x []T, indices []int)) step {
	y, x, indices := s.Out[0].ID, s.In[0].ID, s.In[1].ID
	return func(m *memory) error {
		list := m.labels(indices)
		if err := ir.CheckIndices(s.Instr.Kind(), list, n); err != nil {
			return err
		}
		run(floats[T](m)[y], floats[T](m)[x], list)
		return nil
	}
}

func buildDiagFlat[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	return unary[T](s)(kernel.NewDiagFlat[T](b.pool, s.In[0].Len()))
}

func buildCast[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	switch s.In[0].Dtype {
	case tensor.Float32:
		return convert[T](b, s, func(m *memory, id int) []float32 { return m.f32[id] })
	case tensor.Float64:
		return convert[T](b, s, func(m *memory, id int) []float64 { return m.f64[id] })
	case tensor.Int:
		return convert[T](b, s, (*memory).labels)
	}
	return computeStep(s, s.Instr.(ir.Op)), nil
}

func convert[T kernel.Float, F kernel.Float | ~int](b *builder, s *graph.Step, operand func(*memory, int) []F) (step, error) {
	k, err := kernel.NewConvert[T, F](b.pool, s.Out[0].Len())
	y, x := s.Out[0].ID, s.In[0].ID
	return func(m *memory) error {
		k.Run(floats[T](m)[y], operand(m, x))
		return nil
	}, err
}

func buildUpsample[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	d := s.In[0].Shape
	return unary[T](s)(kernel.NewUpsample[T](b.pool, d[0]*d[1]*d[2], d[3], s.Instr.(*ir.Upsample).Scale))
}

func buildUpsampleGrad[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	d := s.Out[0].Shape
	return unary[T](s)(kernel.NewUpsampleGrad[T](b.pool, d[0]*d[1]*d[2], d[3], s.Instr.(*ir.UpsampleGrad).Scale))
}

func buildReduce[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*ir.Reduce)
	dims := s.In[0].Shape
	return unary[T](s)(kernel.NewReduce[T](b.pool, dims, o.Reduced(len(dims)), o.Fn == ir.ReduceMax, o.Fn == ir.ReduceMean))
}

func buildBatchMatMul[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*ir.BatchMatMul)
	g, err := o.Geometry([]tensor.Shape{s.In[0].Shape, s.In[1].Shape})
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewBatchMatMul(env[T](b), g, o.TransA, o.TransB)
	if err != nil {
		return nil, err
	}
	needs(b, k)
	return binary[T](s)(k, nil)
}

func buildIm2Col[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	d := s.In[0].Shape
	h, w, err := s.Instr.(*ir.Im2Col).Spans(d)
	if err != nil {
		return nil, err
	}
	return unary[T](s)(kernel.NewIm2Col[T](b.pool, d[0], d[1], h, w))
}

func buildCol2Im[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	d := s.Out[0].Shape
	h, w, err := s.Instr.(*ir.Col2Im).Spans(d)
	if err != nil {
		return nil, err
	}
	return unary[T](s)(kernel.NewCol2Im[T](b.pool, d[0], d[1], h, w))
}

func buildGroupNorm[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*ir.GroupNorm)
	rows := s.In[0].Shape[0] * o.Groups
	return unary[T](s)(kernel.NewGroupNorm[T](b.pool, rows, s.In[0].Len()/rows, o.Epsilon))
}

func buildGroupNormGrad[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o := s.Instr.(*ir.GroupNormGrad)
	rows := s.In[0].Shape[0] * o.Groups
	return binary[T](s)(kernel.NewGroupNormGrad[T](b.pool, rows, s.In[0].Len()/rows, o.Epsilon))
}

func buildRandom[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	k, err := kernel.NewRandom[T](b.pool, s.Out[0].Len(), s.Instr.(*ir.Random).Source())
	y, run := s.Out[0].ID, s.In[0].ID
	return func(m *memory) error {
		k.Run(floats[T](m)[y], m.count(run))
		return nil
	}, err
}
