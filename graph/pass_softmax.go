package graph

import "github.com/stheno-ml/stheno/graph/op"

// fuseSoftmax makes the cross-entropy of a softmax's probabilities one of its logits, forward and backward, as Keras does
// for a model that ends in a softmax. It is exact for logits of any size, where probabilities near 0 are clipped; the
// probabilities are still computed if somebody else reads them.
func fuseSoftmax(p *program, _ Engine) {
	sweepSteps(p, func(w *sweep, s *Step) {
		switch s.Instr.(type) {
		case *op.CrossEntropy: // probs, labels
			if y := w.producer(s.In[0]); y != nil {
				if _, ok := y.Instr.(*op.Softmax); ok {
					w.change(&op.SoftmaxCrossEntropy{}, y.In[0], s.In[1])
				}
			}
		case *op.SoftmaxGrad: // y, dy
			y, dy := w.producer(s.In[0]), w.producer(s.In[1])
			if y == nil || dy == nil || !w.only(s.In[1]) {
				return
			}
			_, ok1 := y.Instr.(*op.Softmax)
			_, ok2 := dy.Instr.(*op.CrossEntropyGrad) // probs, labels, dloss
			if ok1 && ok2 && dy.In[0] == s.In[0] {
				w.change(&op.SoftmaxCrossEntropyGrad{}, y.In[0], dy.In[1], dy.In[2])
			}
		}
	})
}
