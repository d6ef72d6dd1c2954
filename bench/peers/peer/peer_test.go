package peer

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// A contestant is timed only if its loss falls, or its outputs are probabilities.
func TestCheck(t *testing.T) {
	uniform := func() []float32 {
		row := make([]float32, Classes)
		for i := range row {
			row[i] = 1.0 / Classes
		}
		return row
	}
	other := uniform()
	other[0], other[1] = other[0]/2, other[1]+other[0]/2
	rows := func(rows ...[]float32) Instance {
		return Instance{Rows: func() [][]float32 { return rows }}
	}
	losses := func(loss func(step int) float64) Instance {
		n := -1
		return Instance{Step: func() error { n++; return nil }, Loss: func() float64 { return loss(n) }}
	}
	broken := errors.New("broken")
	for _, c := range []struct {
		name, mode string
		in         Instance
		steps      int
		want       string // in the error; "" for none
	}{
		{"a loss that falls", Train, losses(func(i int) float64 { return 1 - 0.1*float64(i) }), 3, ""},
		{"a loss that falls late", Train, losses(func(i int) float64 { return float64(i%10) - float64(i/10) }), 11, ""},
		{"a loss that rises", Train, losses(func(i int) float64 { return 1 + 0.1*float64(i) }), 12, "the loss does not fall"},
		{"a loss that stays", Train, losses(func(int) float64 { return 1 }), 12, "the loss does not fall"},
		{"a loss that is no number", Train, losses(func(int) float64 { return math.NaN() }), 1, "the loss is not finite"},
		{"a loss without end", Train, losses(func(int) float64 { return math.Inf(-1) }), 1, "the loss is not finite"},
		{"probabilities", Inference, rows(uniform(), other), 2, ""},
		{"a batch of one", Inference, rows(uniform()), 2, ""},
		{"rows that are equal", Inference, rows(uniform(), uniform()), 2, "different images have the same outputs"},
		{"logits", Inference, rows(make([]float32, Classes)), 2, "no probabilities"},
		{"too few classes", Inference, rows([]float32{0.5, 0.5}), 2, "no probabilities"},
		{"the second row is none", Inference, rows(uniform(), append(uniform()[1:], float32(math.NaN()))), 2, "no probabilities"},
	} {
		steps, step := 0, c.in.Step
		c.in.Step = func() error {
			steps++
			if step != nil {
				return step()
			}
			return nil
		}
		err := c.in.check(c.mode)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if steps != c.steps {
			t.Errorf("%s: %d steps, want %d", c.name, steps, c.steps)
		}
		c.in.Step = func() error { return broken }
		if err := c.in.check(c.mode); !errors.Is(err, broken) {
			t.Errorf("%s, and its step fails: %v", c.name, err)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		xs   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{3, 1}, 2}, {[]float64{9, 1, 2}, 2}} {
		if got := Median(c.xs); got != c.want {
			t.Errorf("the median of %v is %v, want %v", c.xs, got, c.want)
		}
	}
}
