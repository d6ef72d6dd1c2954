// Package metrics measures predictions: accuracy, top-k accuracy, the confusion matrix with precision, recall, F-scores and
// intersections over unions, areas under curves, and errors of regressions. A metric is fed batch by batch and asked at the end; all of them mean what
// Keras's metrics of these names mean. They run on the host, on numbers that a network has computed, and know nothing of it.
//
// Scores are (n, classes), row-major: probabilities or logits, the larger the likelier. Labels are the classes' indices (n,). Weights are
// (n,), how much each example counts, or nil where all count the same (Keras: sample_weight).
//
// A [ValueMetric] compares numbers with numbers instead: errors of regressions, and [MultiLabel] what examples are said to have several labels of.
package metrics

import (
	"fmt"
	"math"
)

// Metric is a measure that is fed batch by batch.
type Metric interface {
	// Update takes a batch. After an error nothing of it has been taken.
	Update(scores []float32, labels []int, weights []float32) error
	// Result is the measure of all batches since the beginning or the last Reset; 0 before the first.
	Result() float64
	// Reset begins anew.
	Reset()
}

// Error says why a batch cannot be measured.
type Error struct {
	Metric string // e.g. "Accuracy"
	Reason string // what is wrong, and what was expected
}

// Error is one line.
func (e *Error) Error() string { return fmt.Sprintf("metrics: %s: %s", e.Metric, e.Reason) }

// check checks the sizes of a batch and returns the number of classes; labels go from 0 to below most(classes).
func check(metric string, scores []float32, labels []int, weights []float32, classes int) (int, error) {
	fail := func(format string, args ...any) (int, error) {
		return 0, &Error{metric, fmt.Sprintf(format, args...)}
	}
	n := len(labels)
	if weights != nil && len(weights) != n {
		return fail("got %d labels and %d weights; give each example a weight, or none", n, len(weights))
	}
	for i, w := range weights {
		if !(w >= 0) || math.IsInf(float64(w), 0) {
			return fail("weight %d is %v; it must be a number of at least 0", i, w)
		}
	}
	if n == 0 {
		if len(scores) > 0 {
			return fail("got %d scores and no labels", len(scores))
		}
		return classes, nil
	}
	if len(scores) == 0 || len(scores)%n != 0 || classes > 0 && len(scores) != n*classes {
		if classes > 0 {
			return fail("got %d scores for %d labels, expected %d for each", len(scores), n, classes)
		}
		return fail("got %d scores for %d labels, expected as many for each label as there are classes", len(scores), n)
	}
	classes = len(scores) / n
	for i, l := range labels {
		if most := max(classes, 2); l < 0 || l >= most { // a single score says how likely class 1 of two is
			return fail("label %d is %d, expected 0 to %d", i, l, most-1)
		}
	}
	return classes, nil
}

func weight(weights []float32, i int) float64 {
	if weights == nil {
		return 1
	}
	return float64(weights[i])
}

// ratio is a/b, and 0 where b is 0 (Keras: divide_no_nan).
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// Argmax is the index of the largest score, the first of equal ones; a NaN is the largest, as in NumPy.
func Argmax(scores []float32) int {
	best := 0
	for i, s := range scores {
		if s != s {
			return i
		}
		if s > scores[best] {
			best = i
		}
	}
	return best
}

// mean is a weighted mean.
type mean struct{ sum, weight float64 }

func (m *mean) add(v, w float64) {
	m.sum += v * w
	m.weight += w
}

func (m *mean) result() float64 { return ratio(m.sum, m.weight) }
