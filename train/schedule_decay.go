package train

import "math"

// PiecewiseSchedule has Values[i] from after Boundaries[i-1] up to and including Boundaries[i], and its last value after the last
// boundary: a boundary's own step still has the earlier value, unlike in [StepSchedule]. Boundaries count from the start of the run,
// warm-up included. Keras: schedules.PiecewiseConstantDecay.
type PiecewiseSchedule struct {
	Boundaries []int     // steps, ascending
	Values     []float64 // learning rates, one more than boundaries
	Warmup     int       // steps of linear warm-up; 0 for none
}

// At implements Schedule.
func (s PiecewiseSchedule) At(step int) float64 {
	i := 0
	for i < len(s.Boundaries) && step > s.Boundaries[i] {
		i++
	}
	return s.Values[i] * warmup(step, s.Warmup)
}

// ExponentialSchedule multiplies the learning rate by Rate over every Steps steps: Base·Rate^(step/Steps). Keras:
// schedules.ExponentialDecay(initial_learning_rate, decay_steps, decay_rate, staircase).
type ExponentialSchedule struct {
	Base      float64
	Steps     int     // over so many steps
	Rate      float64 // by this factor
	Staircase bool    // all at once, after each Steps steps
}

// At implements Schedule.
func (s ExponentialSchedule) At(step int) float64 {
	return s.Base * math.Pow(s.Rate, elapsed(step, s.Steps, s.Staircase))
}

// InverseTimeSchedule is Base/(1 + Rate·step/Steps). Keras: schedules.InverseTimeDecay(initial_learning_rate, decay_steps,
// decay_rate, staircase).
type InverseTimeSchedule struct {
	Base      float64
	Steps     int
	Rate      float64
	Staircase bool // only after each Steps steps
}

// At implements Schedule.
func (s InverseTimeSchedule) At(step int) float64 {
	return s.Base / (1 + s.Rate*elapsed(step, s.Steps, s.Staircase))
}

// elapsed is step/steps, rounded down if whole.
func elapsed(step, steps int, whole bool) float64 {
	p := float64(max(step, 0)) / float64(steps)
	if whole {
		return math.Floor(p)
	}
	return p
}

// PolynomialSchedule lowers the learning rate from Base to End over Steps steps: (Base − End)·(1 − step/Steps)^Power + End. Keras:
// schedules.PolynomialDecay(initial_learning_rate, decay_steps, end_learning_rate, power, cycle).
type PolynomialSchedule struct {
	Base, End float64
	Steps     int
	Power     float64 // 1 for a straight line
	// Cycle goes on beyond Steps: each time End is reached, Steps grows by itself, so that the rate jumps up, less high each time.
	// Otherwise it stays at End.
	Cycle bool
}

// At implements Schedule.
func (s PolynomialSchedule) At(step int) float64 {
	at, steps := float64(max(step, 0)), float64(s.Steps)
	if s.Cycle {
		steps *= max(math.Ceil(at/steps), 1)
	} else {
		at = min(at, steps)
	}
	return (s.Base-s.End)*math.Pow(1-at/steps, s.Power) + s.End
}

// CosineRestartsSchedule lowers the learning rate along half a cosine again and again, each time from the top: Loshchilov & Hutter,
// "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017. Keras: schedules.CosineDecayRestarts(initial_learning_rate,
// first_decay_steps, t_mul, m_mul, alpha).
type CosineRestartsSchedule struct {
	Base  float64
	Steps int     // of the first period
	TMul  float64 // each period lasts so many times as long as the one before; at least 1
	MMul  float64 // each begins at so much of the rate at which the one before began
	Alpha float64 // fraction of Base that is the lowest rate
}

// At implements Schedule.
func (s CosineRestartsSchedule) At(step int) float64 {
	at, period, restarts := float64(max(step, 0)), float64(s.Steps), 0.0
	if s.TMul == 1 {
		restarts = math.Floor(at / period)
		at -= restarts * period
	}
	for ; s.TMul > 1 && at >= period; restarts++ {
		at -= period
		period *= s.TMul
	}
	cosine := math.Pow(s.MMul, restarts) * (1 + math.Cos(math.Pi*at/period)) / 2
	return s.Base * ((1-s.Alpha)*cosine + s.Alpha)
}

// OneCycleSchedule is a warm-up to a high rate and a descent far below where it began: Smith & Topin, "Super-Convergence: Very Fast
// Training of Neural Networks Using Large Learning Rates", 2018, as PyTorch's lr_scheduler.OneCycleLR does it; Keras has none.
// PyTorch moves the momentum the other way meanwhile. That is left out: here a momentum is a constant of a compiled step.
type OneCycleSchedule struct {
	Max            float64 // the highest learning rate
	Total          int     // steps of the cycle; from there on the rate stays
	PctStart       float64 // fraction of the cycle in which the rate rises
	DivFactor      float64 // it rises from Max/DivFactor …
	FinalDivFactor float64 // … and ends at Max/DivFactor/FinalDivFactor
	Linear         bool    // along lines instead of half cosines
	ThreePhase     bool    // first back to where it began, as fast as it rose, then to the end
}

// At implements Schedule.
func (s OneCycleSchedule) At(step int) float64 {
	first := s.Max / s.DivFactor
	last := first / s.FinalDivFactor
	at, top, end := float64(max(step, 0)), s.PctStart*float64(s.Total)-1, float64(s.Total-1)
	back := 2*s.PctStart*float64(s.Total) - 2
	switch {
	case at <= top:
		return s.anneal(first, s.Max, at, top)
	case !s.ThreePhase:
		return s.anneal(s.Max, last, at-top, end-top)
	case at <= back:
		return s.anneal(s.Max, first, at-top, back-top)
	}
	return s.anneal(first, last, at-back, end-back)
}

// anneal is at of length steps of the way from one rate to another.
func (s OneCycleSchedule) anneal(from, to, at, length float64) float64 {
	part := 1.0
	if at < length {
		part = at / length
	}
	if s.Linear {
		return (to-from)*part + from
	}
	return to + (from-to)/2*(1+math.Cos(math.Pi*part))
}
