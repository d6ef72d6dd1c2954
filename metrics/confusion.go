package metrics

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
)

// Confusion is the confusion matrix of an experiment with several classes, and what is read off it. Its Result is the accuracy.
// NewConfusion makes one; methods that are asked for a class want one from 0 to below Classes.
type Confusion struct {
	classes int
	counts  []float64 // (classes, classes): rows are labels, columns predictions
}

// NewConfusion makes the empty matrix of at least two classes.
func NewConfusion(classes int) (*Confusion, error) {
	if classes < 2 || classes > maxClasses {
		return nil, &Error{"Confusion", fmt.Sprintf("got %d classes, expected 2 to %d", classes, maxClasses)}
	}
	return &Confusion{classes, make([]float64, classes*classes)}, nil
}

func (c *Confusion) made() error {
	if c.classes == 0 {
		return &Error{"Confusion", "it has no classes; make it with NewConfusion"}
	}
	return nil
}

// maxClasses keeps the matrix within 3 GiB.
const maxClasses = 20000

// Update implements Metric: the prediction is the largest score, the first of equal ones.
func (c *Confusion) Update(scores []float32, labels []int, weights []float32) error {
	if err := c.made(); err != nil {
		return err
	}
	if _, err := check("Confusion", scores, labels, weights, c.classes); err != nil {
		return err
	}
	for i, l := range labels {
		c.counts[l*c.classes+Argmax(scores[i*c.classes:][:c.classes])] += weight(weights, i)
	}
	return nil
}

// Add takes predicted classes (n,) instead of scores, such as those of every pixel of a segmentation.
func (c *Confusion) Add(predicted, labels []int, weights []float32) error {
	if err := c.made(); err != nil {
		return err
	}
	if len(predicted) != len(labels) || weights != nil && len(weights) != len(labels) {
		return &Error{"Confusion", fmt.Sprintf("got %d predictions, %d labels and %d weights, expected as many of each", len(predicted), len(labels), len(weights))}
	}
	for i, l := range labels {
		if p := predicted[i]; l < 0 || l >= c.classes || p < 0 || p >= c.classes {
			return &Error{"Confusion", fmt.Sprintf("example %d has label %d and prediction %d, expected 0 to %d", i, l, p, c.classes-1)}
		}
	}
	for i, l := range labels {
		c.counts[l*c.classes+predicted[i]] += weight(weights, i)
	}
	return nil
}

// Reset implements Metric.
func (c *Confusion) Reset() { clear(c.counts) }

// Classes is their number.
func (c *Confusion) Classes() int { return c.classes }

// Count is the number, or weight, of examples of a label that were predicted as some class.
func (c *Confusion) Count(label, predicted int) float64 { return c.counts[label*c.classes+predicted] }

// Support is the number, or weight, of examples of a label.
func (c *Confusion) Support(label int) (n float64) {
	for p := range c.classes {
		n += c.Count(label, p)
	}
	return n
}

// predictions is the number of examples that were predicted as a class.
func (c *Confusion) predictions(class int) (n float64) {
	for l := range c.classes {
		n += c.Count(l, class)
	}
	return n
}

// totals are the examples that were predicted right, and all of them.
func (c *Confusion) totals() (right, all float64) {
	for l := range c.classes {
		right += c.Count(l, l)
		all += c.Support(l)
	}
	return right, all
}

// Result implements Metric: the accuracy, 0…1.
func (c *Confusion) Result() float64 {
	right, all := c.totals()
	return ratio(right, all)
}

// Precision is the fraction of the examples predicted as a class that are of it; 0 where none was. Keras: Precision(class_id, top_k=1).
func (c *Confusion) Precision(class int) float64 {
	return ratio(c.Count(class, class), c.predictions(class))
}

// Recall is the fraction of a class's examples that were predicted as it; 0 where there are none. Keras: Recall(class_id, top_k=1).
func (c *Confusion) Recall(class int) float64 { return ratio(c.Count(class, class), c.Support(class)) }

// FBeta is the weighted harmonic mean of a class's precision and recall, (1+β²)·P·R/(β²·P+R). Keras: FBetaScore(beta), whose 1e-7 in
// denominators is left out.
func (c *Confusion) FBeta(class int, beta float64) float64 {
	return fBeta(c.Precision(class), c.Recall(class), beta)
}

func fBeta(precision, recall, beta float64) float64 {
	return ratio((1+beta*beta)*precision*recall, beta*beta*precision+recall)
}

// F1 is FBeta with β = 1. Keras: F1Score.
func (c *Confusion) F1(class int) float64 { return c.FBeta(class, 1) }

// Scores are precision, recall and F1 of a class or averaged over classes.
type Scores struct{ Precision, Recall, F1 float64 }

// Class are the scores of one class.
func (c *Confusion) Class(class int) Scores {
	return Scores{c.Precision(class), c.Recall(class), c.F1(class)}
}

// Micro are the scores of all predictions taken together; as every example has one label and one prediction, all three are the
// accuracy. Keras: F1Score(average="micro").
func (c *Confusion) Micro() Scores {
	a := c.Result()
	return Scores{a, a, a}
}

// Macro are the means over classes, those without examples included. Keras: F1Score(average="macro").
func (c *Confusion) Macro() Scores { return c.average(func(int) float64 { return 1 }) }

// Weighted are the means over classes, each counting by its support. Keras: F1Score(average="weighted").
func (c *Confusion) Weighted() Scores { return c.average(c.Support) }

func (c *Confusion) average(weight func(class int) float64) Scores {
	var p, r, f mean
	for i := range c.classes {
		s, w := c.Class(i), weight(i)
		p.add(s.Precision, w)
		r.add(s.Recall, w)
		f.add(s.F1, w)
	}
	return Scores{p.result(), r.result(), f.result()}
}

// IoU is the intersection over the union of a class's examples and those predicted as it; NaN where there are neither. Keras: IoU
// of one target class.
func (c *Confusion) IoU(class int) float64 {
	both := c.Count(class, class)
	union := c.Support(class) + c.predictions(class) - both
	if union == 0 {
		return math.NaN()
	}
	return both / union
}

// MeanIoU is the mean of IoU over the classes that have one; 0 where none has. Keras: MeanIoU(num_classes).
func (c *Confusion) MeanIoU() float64 {
	var m mean
	for i := range c.classes {
		if v := c.IoU(i); !math.IsNaN(v) {
			m.add(v, 1)
		}
	}
	return m.result()
}

// WriteCSV writes the matrix with the classes' names: a row for each label, a column for each prediction.
func (c *Confusion) WriteCSV(w io.Writer, names []string) error {
	if len(names) != c.classes {
		return &Error{"Confusion", fmt.Sprintf("got %d names for %d classes", len(names), c.classes)}
	}
	out := csv.NewWriter(w)
	row := append([]string{`label\predicted`}, names...)
	if err := out.Write(row); err != nil {
		return err
	}
	for l := range c.classes {
		row[0] = names[l]
		for p := range c.classes {
			row[p+1] = strconv.FormatFloat(c.Count(l, p), 'g', -1, 64)
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
