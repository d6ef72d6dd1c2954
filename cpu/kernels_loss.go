package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() { registerFloats(lossKernels[float32](), lossKernels[float64]()) }

func lossKernels[T kernel.Float]() map[string]prepare {
	return map[string]prepare{
		"Softmax": func(b *builder, s *graph.Step) (step, error) {
			return unary[T](s)(kernel.NewSoftmax[T](b.pool, rows(s), columns(s), false))
		},
		"LogSoftmax": func(b *builder, s *graph.Step) (step, error) {
			return unary[T](s)(kernel.NewSoftmax[T](b.pool, rows(s), columns(s), true))
		},
		"SoftmaxGrad": func(b *builder, s *graph.Step) (step, error) {
			return binary[T](s)(kernel.NewSoftmaxGrad[T](b.pool, rows(s), columns(s), false))
		},
		"LogSoftmaxGrad": func(b *builder, s *graph.Step) (step, error) {
			return binary[T](s)(kernel.NewSoftmaxGrad[T](b.pool, rows(s), columns(s), true))
		},
		"Mean": func(b *builder, s *graph.Step) (step, error) {
			return reduction[T](s)(kernel.NewMean[T](b.pool, s.In[0].Len()))
		},
		"Sum": func(b *builder, s *graph.Step) (step, error) {
			return reduction[T](s)(kernel.NewSum[T](b.pool, s.In[0].Len()))
		},
		"L2Penalty": func(b *builder, s *graph.Step) (step, error) {
			return reduction[T](s)(kernel.NewL2Penalty[T](b.pool, s.In[0].Len(), s.Instr.(*op.L2Penalty).Lambda))
		},
		"MeanGrad": func(b *builder, s *graph.Step) (step, error) {
			return fill[T](b, s, 1/float64(s.Out[0].Len()))
		},
		"SumGrad": func(b *builder, s *graph.Step) (step, error) {
			return fill[T](b, s, 1)
		},
		"SoftmaxCrossEntropy":     buildSoftmaxCrossEntropy[T],
		"SoftmaxCrossEntropyGrad": buildSoftmaxCrossEntropyGrad[T],
		"CrossEntropy":            buildCrossEntropy[T],
		"CrossEntropyGrad":        buildCrossEntropyGrad[T],
		"TopKCorrect":             buildTopKCorrect[T],
	}
}

// rows and columns are the sizes of a step's first input, a matrix of scores.
func rows(s *graph.Step) int    { return s.In[0].Shape[0] }
func columns(s *graph.Step) int { return s.In[0].Shape[1] }

// labels returns the memory of a vector of labels.
func (m *memory) labels(id int) []int { return m.arrays[id].Data.([]int) }

// reduction makes a step of a kernel that returns a number.
func reduction[T kernel.Float](s *graph.Step) func(k *kernel.Reduction[T], err error) (step, error) {
	y, x := s.Out[0].ID, s.In[0].ID
	return func(k *kernel.Reduction[T], err error) (step, error) {
		return func(m *memory) error {
			floats[T](m)[y][0] = k.Run(floats[T](m)[x])
			return nil
		}, err
	}
}

// fill makes a step that spreads a scalar times factor.
func fill[T kernel.Float](b *builder, s *graph.Step, factor float64) (step, error) {
	k, err := kernel.NewFill[T](b.pool, s.Out[0].Len())
	y, x := s.Out[0].ID, s.In[0].ID
	return func(m *memory) error {
		k.Run(floats[T](m)[y], T(factor*float64(floats[T](m)[x][0])))
		return nil
	}, err
}

func buildSoftmaxCrossEntropy[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	k, err := kernel.NewSoftmaxCrossEntropy[T](b.pool, rows(s), columns(s))
	loss, logits, labels := s.Out[0].ID, s.In[0].ID, s.In[1].ID
	classes := columns(s)
	return func(m *memory) error {
		if err := op.CheckLabels(s.Instr.Kind(), m.labels(labels), classes); err != nil {
			return err
		}
		k.Run(floats[T](m)[loss], nil, floats[T](m)[logits], m.labels(labels), nil)
		return nil
	}, err
}

func buildSoftmaxCrossEntropyGrad[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	k, err := kernel.NewSoftmaxCrossEntropy[T](b.pool, rows(s), columns(s))
	dlogits, logits, labels, dloss := s.Out[0].ID, s.In[0].ID, s.In[1].ID, s.In[2].ID
	classes := columns(s)
	return func(m *memory) error {
		if err := op.CheckLabels(s.Instr.Kind(), m.labels(labels), classes); err != nil {
			return err
		}
		k.Run(nil, floats[T](m)[dlogits], floats[T](m)[logits], m.labels(labels), floats[T](m)[dloss])
		return nil
	}, err
}

func buildCrossEntropy[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	k, err := kernel.NewCrossEntropy[T](b.pool, rows(s), columns(s))
	loss, probs, labels := s.Out[0].ID, s.In[0].ID, s.In[1].ID
	classes := columns(s)
	return func(m *memory) error {
		if err := op.CheckLabels(s.Instr.Kind(), m.labels(labels), classes); err != nil {
			return err
		}
		k.Run(floats[T](m)[loss], floats[T](m)[probs], m.labels(labels))
		return nil
	}, err
}

func buildCrossEntropyGrad[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	k, err := kernel.NewCrossEntropyGrad[T](b.pool, rows(s), columns(s))
	dprobs, probs, labels, dloss := s.Out[0].ID, s.In[0].ID, s.In[1].ID, s.In[2].ID
	classes := columns(s)
	return func(m *memory) error {
		if err := op.CheckLabels(s.Instr.Kind(), m.labels(labels), classes); err != nil {
			return err
		}
		k.Run(floats[T](m)[dprobs], floats[T](m)[probs], m.labels(labels), floats[T](m)[dloss])
		return nil
	}, err
}

func buildTopKCorrect[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	k, err := kernel.NewTopKCorrect[T](rows(s), columns(s), s.Instr.(*op.TopKCorrect).K)
	y, scores, labels := s.Out[0].ID, s.In[0].ID, s.In[1].ID
	classes := columns(s)
	return func(m *memory) error {
		if err := op.CheckLabels(s.Instr.Kind(), m.labels(labels), classes); err != nil {
			return err
		}
		floats[T](m)[y][0] = k.Run(floats[T](m)[scores], m.labels(labels))
		return nil
	}, err
}
