package metrics

import (
	"fmt"
	"math"
)

// Accuracy is the fraction of examples whose label has the largest score, the first of equal ones. Keras:
// SparseCategoricalAccuracy, and CategoricalAccuracy of labels that are written out.
type Accuracy struct{ m mean }

// Update implements Metric.
func (a *Accuracy) Update(scores []float32, labels []int, weights []float32) error {
	classes, err := check("Accuracy", scores, labels, weights, 0)
	if err == nil && classes == 1 {
		err = &Error{"Accuracy", "got one score for each label; BinaryAccuracy measures those"}
	}
	if err != nil {
		return err
	}
	for i, l := range labels {
		a.m.add(truth(Argmax(scores[i*classes:][:classes]) == l), weight(weights, i))
	}
	return nil
}

// Result implements Metric: 0…1.
func (a *Accuracy) Result() float64 { return a.m.result() }

// Reset implements Metric.
func (a *Accuracy) Reset() { *a = Accuracy{} }

func truth(v bool) float64 {
	if v {
		return 1
	}
	return 0
}

// BinaryAccuracy is the fraction of examples whose score says their label, 0 or 1: one score each, of 1. Keras: BinaryAccuracy.
type BinaryAccuracy struct {
	Threshold float64 // scores above it say 1; 0 means Keras's default, 0.5
	m         mean
}

// Update implements Metric.
func (a *BinaryAccuracy) Update(scores []float32, labels []int, weights []float32) error {
	if _, err := check("BinaryAccuracy", scores, labels, weights, 1); err != nil {
		return err
	}
	threshold := float32(0.5)
	if a.Threshold != 0 {
		threshold = float32(a.Threshold)
	}
	for i, l := range labels {
		a.m.add(truth((scores[i] > threshold) == (l == 1)), weight(weights, i))
	}
	return nil
}

// Result implements Metric: 0…1.
func (a *BinaryAccuracy) Result() float64 { return a.m.result() }

// Reset implements Metric.
func (a *BinaryAccuracy) Reset() { a.m = mean{} }

// TopK is the fraction of examples whose label is among the K best guesses: fewer than K scores are larger. An example whose label
// has a score that is not finite, or with a NaN among its scores, does not count as right. Keras:
// SparseTopKCategoricalAccuracy(k), TopKCategoricalAccuracy.
type TopK struct {
	K int // 0 means Keras's default, 5
	m mean
}

// Update implements Metric.
func (t *TopK) Update(scores []float32, labels []int, weights []float32) error {
	classes, err := check("TopK", scores, labels, weights, 0)
	if err == nil && t.K < 0 {
		err = &Error{"TopK", fmt.Sprintf("K is %d, expected at least 1, or 0 for 5", t.K)}
	}
	if err == nil && classes == 1 {
		err = &Error{"TopK", "got one score for each label; BinaryAccuracy measures those"}
	}
	if err != nil {
		return err
	}
	k := t.K
	if k == 0 {
		k = 5
	}
	for i, l := range labels {
		t.m.add(truth(inTopK(scores[i*classes:][:classes], l, k)), weight(weights, i))
	}
	return nil
}

func inTopK(scores []float32, label, k int) bool {
	own := scores[label]
	if own-own != 0 {
		return false
	}
	larger := 0
	for _, s := range scores {
		if math.IsNaN(float64(s)) {
			return false
		}
		if s > own {
			larger++
		}
	}
	return larger < k
}

// Result implements Metric: 0…1.
func (t *TopK) Result() float64 { return t.m.result() }

// Reset implements Metric.
func (t *TopK) Reset() { t.m = mean{} }
