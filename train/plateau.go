package train

import (
	"cmp"
	"math"
)

// PlateauSchedule lowers the learning rate by Factor when a metric of the epochs has not become better for Patience of them. Keras:
// callbacks.ReduceLROnPlateau, whose counting this is; PyTorch's scheduler of that name waits one epoch longer, and its threshold is
// relative.
type PlateauSchedule struct {
	Base     float64 // the learning rate at first
	Warmup   int     // steps of linear warm-up; 0 for none
	Factor   float64 // 0 means Keras's default, 0.1
	Patience int     // epochs; Keras's default is 10, which 0 does not mean here or there
	MinDelta float64 // better by less does not count; Keras's default is 1e-4, which 0 does not mean here or there
	Cooldown int     // epochs after a reduction in which none are counted
	MinRate  float64 // lowest learning rate; Keras: min_lr
	Larger   bool    // a larger metric is better; Keras: mode "max"
	// State is what it has seen so far. It is shared with whoever keeps it; where it is nil, At and Observe make one.
	State *PlateauState
}

// PlateauState is what a [PlateauSchedule] has seen. The zero value is that of a new run.
type PlateauState struct {
	Rate     float64 `json:"rate"` // learning rate now; 0 before the first reduction
	Best     float64 `json:"best"` // metric
	Seen     bool    `json:"seen"` // there is a best
	Wait     int     `json:"wait"` // epochs without a better one
	Cooldown int     `json:"cooldown"`
}

// At implements Schedule: the rate as it is now, whatever the step, but for the warm-up.
func (s *PlateauSchedule) At(step int) float64 { return s.rate() * warmup(step, s.Warmup) }

func (s *PlateauSchedule) rate() float64 {
	if p := s.state(); p.Rate != 0 {
		return p.Rate
	}
	return s.Base
}

func (s *PlateauSchedule) state() *PlateauState {
	if s.State == nil {
		s.State = &PlateauState{}
	}
	return s.State
}

// Observe takes the metric of an epoch that has ended, and says whether the rate is lower now.
func (s *PlateauSchedule) Observe(metric float64) bool {
	p := s.state()
	if p.Cooldown > 0 {
		p.Cooldown--
		p.Wait = 0
	}
	if !p.Seen || better(metric, p.Best, s.MinDelta, s.Larger) {
		p.Best, p.Seen, p.Wait = metric, true, 0
		return false
	}
	if p.Cooldown > 0 {
		return false
	}
	p.Wait++
	if p.Wait < s.Patience || s.rate() <= max(s.MinRate, math.SmallestNonzeroFloat64) {
		return false
	}
	p.Rate = max(s.rate()*cmp.Or(s.Factor, 0.1), s.MinRate, math.SmallestNonzeroFloat64) // 0 would say that it is Base
	p.Cooldown, p.Wait = s.Cooldown, 0
	return true
}
