package metrics

import (
	"fmt"
	"math"
	"slices"
)

// Curve is a curve whose area [AUC] measures.
type Curve string

// The curves.
const (
	ROC Curve = "ROC" // true-positive rate over false-positive rate
	PR  Curve = "PR"  // precision over recall
)

// Summation is how [AUC] adds up the area between two thresholds.
type Summation string

// The summations.
const (
	// Interpolation takes the mean height, and for PR the curve that true and false positives make when they grow evenly between
	// thresholds (Davis & Goadrich 2006).
	Interpolation Summation = "interpolation"
	Minoring      Summation = "minoring" // the smaller height
	Majoring      Summation = "majoring" // the larger height
)

// AUC approximates the area under a curve from the counts at evenly spaced thresholds, as Keras's AUC does: not exactly, as sorting all
// scores would, but in memory that does not grow. Scores are probabilities, 0…1; what lies outside counts as the bound.
//
// Where examples have one score, labels are 0 and 1. Where they have one for each class, the label's class is right and all others are
// wrong: all scores make one curve, or with MultiLabel each class its own, whose areas are averaged. Keras: AUC(num_thresholds, curve,
// summation_method, multi_label, label_weights).
type AUC struct {
	Thresholds   int       // 0 means Keras's default, 200
	Curve        Curve     // "" means ROC
	Summation    Summation // "" means Interpolation
	MultiLabel   bool
	ClassWeights []float64 // of the classes, in the average with MultiLabel, else of their scores; nil where all weigh the same

	classes int         // 0 before the first batch
	tp, fp  [][]float64 // per curve and threshold: weight of the true and of the false scores in the buckets, until Result sums them
}

// Update implements Metric.
func (a *AUC) Update(scores []float32, labels []int, weights []float32) error {
	classes, err := check("AUC", scores, labels, weights, a.classes)
	if err != nil {
		return err
	}
	if len(labels) == 0 {
		return nil
	}
	if err := a.prepare(classes); err != nil {
		return err
	}
	for i, s := range scores {
		if s != s {
			return &Error{"AUC", fmt.Sprintf("score %d is NaN", i)}
		}
	}
	last := float32(a.thresholds() - 1)
	for i, l := range labels {
		for class, s := range scores[i*classes:][:classes] {
			w, curve := weight(weights, i), 0
			if a.MultiLabel {
				curve = class
			} else if a.ClassWeights != nil {
				w *= a.ClassWeights[class]
			}
			// The bucket is the last threshold below the score; scores that are a threshold are not above it. In float32, as in Keras.
			bucket := int(max(math.Ceil(float64(min(max(s, 0), 1)*last))-1, 0))
			if right := l == class; right && classes > 1 || classes == 1 && l == 1 {
				a.tp[curve][bucket] += w
			} else {
				a.fp[curve][bucket] += w
			}
		}
	}
	return nil
}

func (a *AUC) thresholds() int {
	if a.Thresholds == 0 {
		return 200
	}
	return a.Thresholds
}

// maxThresholds is as far as float32 tells scores apart.
const maxThresholds = 1 << 24

func (a *AUC) prepare(classes int) error {
	fail := func(format string, args ...any) error { return &Error{"AUC", fmt.Sprintf(format, args...)} }
	switch {
	case a.thresholds() < 2 || a.thresholds() > maxThresholds:
		return fail("Thresholds is %d, expected 2 to %d, or 0 for 200", a.Thresholds, maxThresholds)
	case a.classes != 0 && (len(a.tp[0]) != a.thresholds() || (len(a.tp) > 1) != (a.MultiLabel && classes > 1)):
		return fail("its settings are others than those of the batches before; Reset it first")
	case !slices.Contains([]Curve{"", ROC, PR}, a.Curve):
		return fail("Curve is %q, expected %q or %q", a.Curve, ROC, PR)
	case !slices.Contains([]Summation{"", Interpolation, Minoring, Majoring}, a.Summation):
		return fail("Summation is %q, expected %q, %q or %q", a.Summation, Interpolation, Minoring, Majoring)
	case a.ClassWeights != nil && len(a.ClassWeights) != classes:
		return fail("got %d class weights for %d classes", len(a.ClassWeights), classes)
	}
	for i, w := range a.ClassWeights {
		if !(w >= 0) || math.IsInf(w, 0) {
			return fail("class weight %d is %v; it must be a number of at least 0", i, w)
		}
	}
	if a.classes != 0 {
		return nil
	}
	curves := 1
	if a.MultiLabel {
		curves = classes
	}
	a.classes = classes
	a.tp, a.fp = make([][]float64, curves), make([][]float64, curves)
	for i := range curves {
		a.tp[i], a.fp[i] = make([]float64, a.thresholds()), make([]float64, a.thresholds())
	}
	return nil
}

// Reset implements Metric.
func (a *AUC) Reset() { a.classes, a.tp, a.fp = 0, nil, nil }

// Result implements Metric: 0…1.
func (a *AUC) Result() float64 {
	var m mean
	for i := range a.tp {
		w := 1.0
		if a.MultiLabel && a.ClassWeights != nil {
			w = a.ClassWeights[i]
		}
		m.add(a.area(above(a.tp[i]), above(a.fp[i])), w)
	}
	return m.result()
}

// above sums buckets up: the weight of the scores above each threshold.
func above(buckets []float64) []float64 {
	out := slices.Clone(buckets)
	for i := len(out) - 2; i >= 0; i-- {
		out[i] += out[i+1]
	}
	return out
}

// area is that under the curve of the true and false positives at each threshold.
func (a *AUC) area(tp, fp []float64) (sum float64) {
	positives, negatives := tp[0], fp[0] // everything is above the first threshold
	if a.Curve == PR && (a.Summation == "" || a.Summation == Interpolation) {
		return prArea(tp, fp)
	}
	point := func(i int) (x, y float64) {
		recall := ratio(tp[i], positives)
		if a.Curve == PR {
			return recall, ratio(tp[i], tp[i]+fp[i])
		}
		return ratio(fp[i], negatives), recall
	}
	x, y := point(0)
	for i := 1; i < len(tp); i++ {
		nextX, nextY := point(i)
		height := (y + nextY) / 2
		switch a.Summation {
		case Minoring:
			height = min(y, nextY)
		case Majoring:
			height = max(y, nextY)
		}
		sum += (x - nextX) * height
		x, y = nextX, nextY
	}
	return sum
}

// prArea is the area under precision over recall where true positives grow linearly with all positive predictions p between two thresholds:
// precision is then (intercept + slope·p)/p, whose integral over p is slope·Δp + intercept·log(p₁/p₀). Davis & Goadrich, "The
// Relationship Between Precision-Recall and ROC Curves", 2006, section 4, integrated.
func prArea(tp, fp []float64) (sum float64) {
	for i := 0; i+1 < len(tp); i++ {
		more, p, next := tp[i]-tp[i+1], tp[i]+fp[i], tp[i+1]+fp[i+1]
		slope := ratio(more, max(p-next, 0))
		area := more
		if p > 0 && next > 0 {
			area += (tp[i+1] - slope*next) * math.Log(p/next)
		}
		sum += ratio(slope*area, tp[0]) // positives are the same at every threshold
	}
	return sum
}
