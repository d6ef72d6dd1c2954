package train

import "math"

// Schedule gives the learning rate of every optimizer step. Schedules are plain
// values without state, so a resumed run asks for the same rates again; only that
// of [PlateauSchedule] depends on what a run has seen, which its checkpoints keep.
//
// All of them may begin with a linear warm-up: over the first Warmup steps the
// rate grows by equal amounts and reaches its full value at step Warmup-1
// (the "gradual warmup" of Goyal et al., "Accurate, Large Minibatch SGD: Training
// ImageNet in 1 Hour", 2017, section 2.2, started from zero).
type Schedule interface {
	// At returns the learning rate of a step, counted from 0 over the whole run.
	// Steps below 0 count as 0, steps beyond the end keep the last rate.
	At(step int) float64
}

// ConstantSchedule keeps the learning rate, after the warm-up.
type ConstantSchedule struct {
	Base   float64 // the learning rate
	Warmup int     // steps of linear warm-up; 0 for none
}

// At implements Schedule.
func (s ConstantSchedule) At(step int) float64 { return s.Base * warmup(step, s.Warmup) }

// StepSchedule multiplies the learning rate by Gamma at every milestone, as the
// runs of He et al. 2016 (ResNet) and Goyal et al. 2017 do with Gamma 0.1.
// Milestones count from the start of the run, warm-up included.
type StepSchedule struct {
	Base       float64 // the learning rate before the first milestone
	Milestones []int   // steps, ascending; the rate of a milestone's own step is already lower
	Gamma      float64 // factor per milestone
	Warmup     int     // steps of linear warm-up; 0 for none
}

// At implements Schedule.
func (s StepSchedule) At(step int) float64 {
	passed := 0
	for _, m := range s.Milestones {
		if step >= m {
			passed++
		}
	}
	return s.Base * math.Pow(s.Gamma, float64(passed)) * warmup(step, s.Warmup)
}

// CosineSchedule lowers the learning rate from Base to Floor along half a cosine,
// from the end of the warm-up to step Total: equation 5 of Loshchilov & Hutter,
// "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, with a single
// period and no restart.
type CosineSchedule struct {
	Base   float64 // the highest learning rate
	Floor  float64 // the learning rate from step Total on
	Total  int     // steps of the run, warm-up included
	Warmup int     // steps of linear warm-up; 0 for none
}

// At implements Schedule.
func (s CosineSchedule) At(step int) float64 {
	if step < s.Warmup {
		return s.Base * warmup(step, s.Warmup)
	}
	if step >= s.Total {
		return s.Floor
	}
	progress := float64(max(step, 0)-s.Warmup) / float64(s.Total-s.Warmup)
	return s.Floor + (s.Base-s.Floor)*(1+math.Cos(math.Pi*progress))/2
}

// warmup is the fraction of the full rate at a step.
func warmup(step, length int) float64 {
	if length <= 0 || step >= length-1 {
		return 1
	}
	return float64(max(step, 0)+1) / float64(length)
}

// WarmupSchedule puts a linear warm-up in front of a schedule, which begins when the
// warm-up ends, as Keras's CosineDecay does with its warmup_steps: over the first
// Steps steps the rate grows by equal amounts to that of the schedule's step 0.
type WarmupSchedule struct {
	Schedule Schedule
	Steps    int
}

// At implements Schedule.
func (s WarmupSchedule) At(step int) float64 {
	if step < s.Steps {
		return s.Schedule.At(0) * warmup(step, s.Steps)
	}
	return s.Schedule.At(step - max(s.Steps, 0))
}
