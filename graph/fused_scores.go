package graph

import (
	"fmt"
	"slices"
	"strings"
)

// FusedScores is what a step of training or evaluation makes of scores and their labels, in one sweep: SoftmaxCrossEntropy if Loss, Mean
// of that in place of the losses if Mean, SoftmaxCrossEntropyGrad if Grad, and TopKCorrect for each number of TopK, at most MostTopK.
// In: scores (N, C), labels (N)[, the losses' gradient (N)]; out: [losses (N) or their mean][, the scores' gradient (N, C)][, a count for
// each of TopK].
type FusedScores struct {
	Loss, Mean, Grad bool // Mean and Grad come with Loss
	TopK             []int
}

// MostTopK is how many counts FusedScores makes.
const MostTopK = 4

// Kind is "FusedScores".
func (f *FusedScores) Kind() string { return "FusedScores" }

func (f *FusedScores) String() string {
	var parts []string
	if f.Loss {
		parts = append(parts, "SoftmaxCrossEntropy"+suffix("+mean", f.Mean)+suffix("+grad", f.Grad))
	}
	for _, k := range f.TopK {
		parts = append(parts, fmt.Sprintf("TopKCorrect(k %d)", k))
	}
	return strings.Join(parts, "+")
}

// flops counts the sweeps of a row as the steps that it stands for do.
func (f *FusedScores) flops(s *Step) int64 {
	n := int64(s.In[0].Len())
	return n*(4*trues(f.Loss)+6*trues(f.Grad)+int64(len(f.TopK))) + int64(s.In[1].Len())*trues(f.Mean)
}

// scoring is the steps that read the same scores and labels.
type scoring struct {
	loss, mean, grad *Step
	tops             []*Step
	first            int // place of the first of them
}

// parts are the steps in the order of the fused step's results.
func (c *scoring) parts() []*Step {
	all := []*Step{c.mean, c.grad}
	if c.mean == nil {
		all[0] = c.loss
	}
	return slices.DeleteFunc(append(all, c.tops...), func(s *Step) bool { return s == nil })
}

// fuse is the step for all of them, nil where there is but one.
func (c *scoring) fuse(scores, labels *Value) *Step {
	parts := c.parts()
	if len(parts) < 2 && c.mean == nil {
		return nil
	}
	f := &FusedScores{Loss: c.loss != nil, Mean: c.mean != nil, Grad: c.grad != nil}
	s := &Step{Instr: f, In: []*Value{scores, labels}}
	if c.grad != nil {
		s.In = append(s.In, c.grad.In[2])
	}
	for _, p := range parts {
		s.Out = append(s.Out, p.Out[0])
	}
	for _, t := range c.tops {
		f.TopK = append(f.TopK, topK(t))
	}
	return s
}
