package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stheno-ml/stheno/bench"
	"github.com/stheno-ml/stheno/cpu"
)

// tuneReport is what stheno tune measured.
type tuneReport struct {
	CPU   string       `json:"cpu"`
	Level string       `json:"level"`
	File  string       `json:"file,omitempty"` // the table, if it was written
	Cases []*tunedCase `json:"cases"`
}

// write writes the report as JSON.
func (r *tuneReport) write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// tunedCase is a network on batches of one size, with the convolutions that there are several ways to compute.
type tunedCase struct {
	bench.Case
	All          int                `json:"convolutions_with_a_choice"` // also those that an interruption left unmeasured
	Convolutions []tunedConvolution `json:"convolutions"`
	Others       int                `json:"others_than_the_model"` // of them are better computed another way than the model's
	Seconds      float64            `json:"seconds,omitempty"`     // a step by the model's ways
	Predicted    float64            `json:"predicted_seconds,omitempty"`
	Tuned        float64            `json:"tuned_seconds,omitempty"` // a step by the best ways
	gain         float64            // seconds a step, of all convolutions
}

// tunedConvolution is one of them.
type tunedConvolution struct {
	Convolution string        `json:"convolution"`
	Pass        string        `json:"pass"`
	Count       int           `json:"count"` // of equal ones in a step
	Model       string        `json:"model"`
	Best        string        `json:"best"`
	Gain        float64       `json:"gain"` // the part of the time of the model's way that the best one saves
	Times       []cpu.WayTime `json:"times"`
}

func (r *tunedCase) add(m cpu.Measurement, count int) {
	r.Convolutions = append(r.Convolutions, tunedConvolution{Convolution: m.String(), Pass: m.Pass(), Count: count, Model: m.Model(), Best: m.Best(),
		Gain: m.Gain() / m.Seconds(m.Model()), Times: m.Times})
	if m.Best() != m.Model() {
		r.Others++
		r.gain += float64(count) * m.Gain()
	}
}

// Whole steps take turns at least and at most so often, until they took long enough.
const (
	leastSteps = 5
	mostSteps  = 101
	stepsTake  = 2 * time.Second
)

// compare times whole steps by the model's ways, in plain, and by the best, in turns.
func (r *tunedCase) compare(ctx context.Context, plain bench.Subject, e *cpu.Engine) (err error) {
	tuned, err := bench.Prepare(e, r.Case)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tuned.Close()) }()
	subjects := []bench.Subject{plain, tuned}
	times := make([][]float64, len(subjects))
	for start, turn := time.Now(), -2; turn < leastSteps || turn < mostSteps && time.Since(start) < stepsTake; turn++ {
		for i, s := range subjects {
			if err := ctx.Err(); err != nil {
				return err
			}
			began := time.Now()
			if err := s.Run(); err != nil {
				return err
			}
			if turn >= 0 { // those before are to get warm
				times[i] = append(times[i], time.Since(began).Seconds())
			}
		}
	}
	for _, t := range times {
		slices.Sort(t)
	}
	r.Seconds, r.Tuned = times[0][len(times[0])/2], times[1][len(times[1])/2]
	r.Predicted = max(r.Seconds-r.gain, 0)
	return nil
}

// inVain says that the choices were timed on the whole and that it is not faster with them, or by no more than what timings differ by.
func (r *tunedCase) inVain() bool { return r.Tuned > 0.99*r.Seconds }

// text is the case as a table.
func (r *tunedCase) text() string {
	var b strings.Builder
	what := "computed as the model chooses"
	switch {
	case r.All == 0:
		return fmt.Sprintf("%v: there is one way to compute each of its convolutions\n", r.Case)
	case r.Others > 0:
		what = fmt.Sprintf("%d of them faster another way than the model's", r.Others)
	}
	fmt.Fprintf(&b, "%v: %s with several ways, %s\n", r.Case, convolutions(r.All), what)
	if len(r.Convolutions) == 0 {
		return b.String()
	}
	var ways []string // of any of them, in the order in which they appear
	for _, c := range r.Convolutions {
		for _, t := range c.Times {
			if !slices.Contains(ways, t.Way) {
				ways = append(ways, t.Way)
			}
		}
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "convolution\tpass\tin a step\tmodel's way\t%s\tbest\tgain\n", strings.Join(ways, " ms\t")+" ms")
	for _, c := range r.Convolutions {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s", c.Convolution, c.Pass, c.Count, c.Model)
		for _, way := range ways {
			i := slices.IndexFunc(c.Times, func(t cpu.WayTime) bool { return t.Way == way })
			if i < 0 {
				fmt.Fprint(w, "\t-")
			} else {
				fmt.Fprintf(w, "\t%.3g", 1e3*c.Times[i].Seconds)
			}
		}
		if c.Best == c.Model {
			fmt.Fprint(w, "\tthe model's\t-\n")
		} else {
			fmt.Fprintf(w, "\t%s\t%.0f%%\n", c.Best, 100*c.Gain)
		}
	}
	w.Flush() // writes to memory
	step := "a step"
	if r.Mode == bench.Inference {
		step = "a batch"
	}
	switch {
	case len(r.Convolutions) < r.All:
		fmt.Fprintf(&b, "%d were not measured\n", r.All-len(r.Convolutions))
	case r.Others == 0:
		fmt.Fprintf(&b, "%s gains nothing\n", step)
	case r.Seconds > 0:
		fmt.Fprintf(&b, "%s: %.4g ms by the model's ways, %.4g ms predicted (%s), %.4g ms measured (%s)\n", step, 1e3*r.Seconds,
			1e3*r.Predicted, r.less(r.Predicted), 1e3*r.Tuned, r.less(r.Tuned))
	}
	return b.String()
}

// less compares a time with that of the model's ways, such as "5.2% less".
func (r *tunedCase) less(seconds float64) string {
	if seconds > r.Seconds {
		return fmt.Sprintf("%.1f%% more", 100*(seconds/r.Seconds-1))
	}
	return fmt.Sprintf("%.1f%% less", 100*(1-seconds/r.Seconds))
}
