package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	register(map[string]prepare{
		"Softmax": func(b *builder, s *graph.Step) (step, error) {
			return unary(s)(kernel.NewSoftmax(b.pool, rows(s), columns(s), false))
		},
		"LogSoftmax": func(b *builder, s *graph.Step) (step, error) {
			return unary(s)(kernel.NewSoftmax(b.pool, rows(s), columns(s), true))
		},
		"SoftmaxGrad": func(b *builder, s *graph.Step) (step, error) {
			return binary(s)(kernel.NewSoftmaxGrad(b.pool, rows(s), columns(s), false))
		},
		"LogSoftmaxGrad": func(b *builder, s *graph.Step) (step, error) {
			return binary(s)(kernel.NewSoftmaxGrad(b.pool, rows(s), columns(s), true))
		},
		"Mean": func(b *builder, s *graph.Step) (step, error) {
			return reduction(s)(kernel.NewMean(b.pool, s.In[0].Len()))
		},
		"Sum": func(b *builder, s *graph.Step) (step, error) {
			return reduction(s)(kernel.NewSum(b.pool, s.In[0].Len()))
		},
		"L2Penalty": func(b *builder, s *graph.Step) (step, error) {
			return reduction(s)(kernel.NewL2Penalty(b.pool, s.In[0].Len(), s.Instr.(*op.L2Penalty).Lambda))
		},
		"MeanGrad": func(b *builder, s *graph.Step) (step, error) {
			return fill(b, s, 1/float64(s.Out[0].Len()))
		},
		"SumGrad": func(b *builder, s *graph.Step) (step, error) {
			return fill(b, s, 1)
		},
		"SoftmaxCrossEntropy":     buildSoftmaxCrossEntropy,
		"SoftmaxCrossEntropyGrad": buildSoftmaxCrossEntropyGrad,
		"CrossEntropy":            buildCrossEntropy,
		"CrossEntropyGrad":        buildCrossEntropyGrad,
		"TopKCorrect":             buildTopKCorrect,
	})
}

// rows and columns are the sizes of a step's first input, a matrix of scores.
func rows(s *graph.Step) int    { return s.In[0].Shape[0] }
func columns(s *graph.Step) int { return s.In[0].Shape[1] }

// labels returns the memory of a vector of labels.
func (m *memory) labels(id int) []int { return m.arrays[id].Data.([]int) }

// reduction makes a step of a kernel that returns a number.
func reduction(s *graph.Step) func(k *kernel.Reduction, err error) (step, error) {
	y, x := s.Out[0].ID, s.In[0].ID
	return func(k *kernel.Reduction, err error) (step, error) {
		return func(m *memory) error {
			m.f32[y][0] = k.Run(m.f32[x])
			return nil
		}, err
	}
}

// fill makes a step that spreads a scalar times factor.
func fill(b *builder, s *graph.Step, factor float64) (step, error) {
	k, err := kernel.NewFill(b.pool, s.Out[0].Len())
	y, x := s.Out[0].ID, s.In[0].ID
	return func(m *memory) error {
		k.Run(m.f32[y], float32(factor*float64(m.f32[x][0])))
		return nil
	}, err
}

func buildSoftmaxCrossEntropy(b *builder, s *graph.Step) (step, error) {
	k, err := kernel.NewSoftmaxCrossEntropy(b.pool, rows(s), columns(s))
	loss, logits, labels := s.Out[0].ID, s.In[0].ID, s.In[1].ID
	classes := columns(s)
	return func(m *memory) error {
		if err := op.CheckLabels(s.Instr.Kind(), m.labels(labels), classes); err != nil {
			return err
		}
		k.Run(m.f32[loss], nil, m.f32[logits], m.labels(labels), nil)
		return nil
	}, err
}

func buildSoftmaxCrossEntropyGrad(b *builder, s *graph.Step) (step, error) {
	k, err := kernel.NewSoftmaxCrossEntropy(b.pool, rows(s), columns(s))
	dlogits, logits, labels, dloss := s.Out[0].ID, s.In[0].ID, s.In[1].ID, s.In[2].ID
	classes := columns(s)
	return func(m *memory) error {
		if err := op.CheckLabels(s.Instr.Kind(), m.labels(labels), classes); err != nil {
			return err
		}
		k.Run(nil, m.f32[dlogits], m.f32[logits], m.labels(labels), m.f32[dloss])
		return nil
	}, err
}

func buildCrossEntropy(b *builder, s *graph.Step) (step, error) {
	k, err := kernel.NewCrossEntropy(b.pool, rows(s), columns(s))
	loss, probs, labels := s.Out[0].ID, s.In[0].ID, s.In[1].ID
	classes := columns(s)
	return func(m *memory) error {
		if err := op.CheckLabels(s.Instr.Kind(), m.labels(labels), classes); err != nil {
			return err
		}
		k.Run(m.f32[loss], m.f32[probs], m.labels(labels))
		return nil
	}, err
}

func buildCrossEntropyGrad(b *builder, s *graph.Step) (step, error) {
	k, err := kernel.NewCrossEntropyGrad(b.pool, rows(s), columns(s))
	dprobs, probs, labels, dloss := s.Out[0].ID, s.In[0].ID, s.In[1].ID, s.In[2].ID
	classes := columns(s)
	return func(m *memory) error {
		if err := op.CheckLabels(s.Instr.Kind(), m.labels(labels), classes); err != nil {
			return err
		}
		k.Run(m.f32[dprobs], m.f32[probs], m.labels(labels), m.f32[dloss])
		return nil
	}, err
}

func buildTopKCorrect(b *builder, s *graph.Step) (step, error) {
	k, err := kernel.NewTopKCorrect(rows(s), columns(s), s.Instr.(*op.TopKCorrect).K)
	y, scores, labels := s.Out[0].ID, s.In[0].ID, s.In[1].ID
	classes := columns(s)
	return func(m *memory) error {
		if err := op.CheckLabels(s.Instr.Kind(), m.labels(labels), classes); err != nil {
			return err
		}
		m.f32[y][0] = k.Run(m.f32[scores], m.labels(labels))
		return nil
	}, err
}
