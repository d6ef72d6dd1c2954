package metrics

import (
	"fmt"
	"math"
)

// MultiLabel counts right and wrong decisions about labels of which an example may have none, one or several, each with a score of its own. Its
// Result is the accuracy of all decisions. NewMultiLabel makes one; methods that are asked for a label want one from 0 to below Labels.
type MultiLabel struct {
	threshold float32
	// Of every label.
	counts []decisions
	exact  mean
}

// decisions are the numbers, or weights, of the examples that have a label and were said to (tp), have not and were said to (fp), and so on.
type decisions struct{ tp, fp, fn, tn float64 }

func (d decisions) scores() Scores {
	p, r := ratio(d.tp, d.tp+d.fp), ratio(d.tp, d.tp+d.fn)
	return Scores{p, r, fBeta(p, r, 1)}
}

// NewMultiLabel makes the counts of so many labels. Scores above threshold say that an example has the label: 0.5 is Keras's default, for
// probabilities; 0 is right for logits.
func NewMultiLabel(labels int, threshold float64) (*MultiLabel, error) {
	if labels < 1 || labels > maxLabels {
		return nil, &Error{"MultiLabel", fmt.Sprintf("got %d labels, expected 1 to %d", labels, maxLabels)}
	}
	if math.IsNaN(threshold) || math.IsInf(threshold, 0) {
		return nil, &Error{"MultiLabel", fmt.Sprintf("the threshold is %v, expected a number such as 0.5", threshold)}
	}
	return &MultiLabel{threshold: float32(threshold), counts: make([]decisions, labels)}, nil
}

// maxLabels keeps the counts within 3 GiB.
const maxLabels = 100_000_000

// Update implements ValueMetric: scores and targets are (n, labels), targets 0 or 1.
func (m *MultiLabel) Update(scores, targets, weights []float32) error {
	if len(m.counts) == 0 {
		return &Error{"MultiLabel", "it has no labels; make it with NewMultiLabel"}
	}
	n, err := checkValues("MultiLabel", scores, targets, weights, len(m.counts))
	if err != nil {
		return err
	}
	for i, t := range targets {
		if t != 0 && t != 1 {
			return &Error{"MultiLabel", fmt.Sprintf("target %d is %v, expected 0 or 1", i, t)}
		}
		if s := scores[i]; s != s {
			return &Error{"MultiLabel", fmt.Sprintf("score %d is NaN", i)}
		}
	}
	for i := range n {
		w, right := weight(weights, i), true
		for l := range m.counts {
			c, says, is := &m.counts[l], scores[i*len(m.counts)+l] > m.threshold, targets[i*len(m.counts)+l] == 1
			switch {
			case says && is:
				c.tp += w
			case says:
				c.fp += w
			case is:
				c.fn += w
			default:
				c.tn += w
			}
			right = right && says == is
		}
		m.exact.add(truth(right), w)
	}
	return nil
}

// Reset implements ValueMetric.
func (m *MultiLabel) Reset() {
	clear(m.counts)
	m.exact = mean{}
}

// Labels is their number.
func (m *MultiLabel) Labels() int { return len(m.counts) }

// all are the decisions about all labels.
func (m *MultiLabel) all() (d decisions) {
	for _, c := range m.counts {
		d.tp, d.fp, d.fn, d.tn = d.tp+c.tp, d.fp+c.fp, d.fn+c.fn, d.tn+c.tn
	}
	return d
}

// Result implements ValueMetric: the fraction of the decisions that are right, 0…1. Keras: BinaryAccuracy(threshold).
func (m *MultiLabel) Result() float64 {
	d := m.all()
	return ratio(d.tp+d.tn, d.tp+d.tn+d.fp+d.fn)
}

// Hamming is the fraction of the decisions that are wrong: 1 − Result, but 0 before the first batch.
func (m *MultiLabel) Hamming() float64 {
	d := m.all()
	return ratio(d.fp+d.fn, d.tp+d.tn+d.fp+d.fn)
}

// Exact is the fraction of the examples all of whose labels are right.
func (m *MultiLabel) Exact() float64 { return m.exact.result() }

// Support is the number, or weight, of the examples that have a label.
func (m *MultiLabel) Support(label int) float64 { return m.counts[label].tp + m.counts[label].fn }

// Accuracy is the fraction of the decisions about a label that are right.
func (m *MultiLabel) Accuracy(label int) float64 {
	c := m.counts[label]
	return ratio(c.tp+c.tn, c.tp+c.tn+c.fp+c.fn)
}

// Label are the scores of one label: precision is the fraction of the examples said to have it that do, 0 where none was said to, recall the
// fraction of those with it that were, 0 where there are none. Keras: Precision(class_id), Recall(class_id), F1Score(threshold).
func (m *MultiLabel) Label(label int) Scores { return m.counts[label].scores() }

// FBeta is the weighted harmonic mean of a label's precision and recall. Keras: FBetaScore(beta, threshold).
func (m *MultiLabel) FBeta(label int, beta float64) float64 {
	s := m.Label(label)
	return fBeta(s.Precision, s.Recall, beta)
}

// Micro are the scores of the decisions about all labels taken together. Keras: Precision(), Recall(), F1Score(average="micro").
func (m *MultiLabel) Micro() Scores { return m.all().scores() }

// Macro are the means over labels, those without examples included. Keras: F1Score(average="macro").
func (m *MultiLabel) Macro() Scores { return m.average(func(int) float64 { return 1 }) }

// Weighted are the means over labels, each counting by its support. Keras: F1Score(average="weighted").
func (m *MultiLabel) Weighted() Scores { return m.average(m.Support) }

func (m *MultiLabel) average(weight func(label int) float64) Scores {
	var p, r, f mean
	for l := range m.counts {
		s, w := m.Label(l), weight(l)
		p.add(s.Precision, w)
		r.add(s.Recall, w)
		f.add(s.F1, w)
	}
	return Scores{p.result(), r.result(), f.result()}
}

// Report is a table of precision, recall, F1 and support of every label, with the accuracy of all decisions and the micro, macro and weighted means
// below. Names that are missing are the labels' numbers.
func (m *MultiLabel) Report(names []string) string {
	rows := make([]reportRow, len(m.counts))
	all := 0.0
	for l := range rows {
		rows[l] = reportRow{nameOf(names, l), m.Label(l), m.Support(l)}
		all += m.Support(l)
	}
	return report("label", rows, m.Result(), all, []reportRow{{"micro mean", m.Micro(), all}, {"macro mean", m.Macro(), all}, {"weighted mean", m.Weighted(), all}})
}
