package train

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/internal/words"
)

// ScheduleSpec is a schedule as the --schedule flag writes it: in epochs and
// relative to a learning rate, both of which it does not hold. The zero value is
// the constant schedule.
type ScheduleSpec struct {
	// Kind is one of ScheduleKinds; empty means "constant".
	Kind string
	// Milestones of "step" and "piecewise", in epochs, ascending.
	Milestones []float64
	// Gamma of "step", the factor per milestone.
	Gamma float64
	// Factors of "piecewise", one more than milestones: the learning rate times
	// these.
	Factors []float64
	// Floor of "cosine" and "cosine-restarts" (Keras calls it alpha), "polynomial"
	// (end) and "plateau" (min), as a fraction of the learning rate.
	Floor float64
	// Epochs is decay_steps of "exponential", "inverse-time" and "polynomial", where 0 is
	// the whole run, and first_decay_steps of "cosine-restarts".
	Epochs float64
	// Rate is decay_rate of "exponential" and "inverse-time", the factor of "plateau".
	Rate                    float64
	Staircase               bool    // of "exponential" and "inverse-time"
	Power                   float64 // of "polynomial"
	Cycle                   bool    // of "polynomial"
	TMul, MMul              float64 // of "cosine-restarts"
	PctStart, Div, FinalDiv float64 // of "onecycle"
	Linear, ThreePhase      bool    // of "onecycle"
	// Of "plateau": a column of history.csv, and what PlateauSchedule says.
	Monitor            string
	Patience, Cooldown int
	MinDelta           float64
	// WarmupEpochs is the length of the linear warm-up, in epochs.
	WarmupEpochs float64
}

// defaultGamma is the factor of "step" when the flag names none.
const defaultGamma = 0.1

// ScheduleKinds lists the kinds that ParseSchedule knows.
func ScheduleKinds() []string {
	return []string{"constant", "step", "cosine", "piecewise", "exponential", "inverse-time", "polynomial", "cosine-restarts", "onecycle", "plateau"}
}

// String is the flag's text in its complete form; ParseSchedule gives the same
// spec back.
func (s ScheduleSpec) String() string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	numbers := func(vs []float64) string {
		list := make([]string, len(vs))
		for i, v := range vs {
			list[i] = number(v)
		}
		return strings.Join(list, ",")
	}
	text := s.Kind
	switch s.Kind {
	case "":
		text = "constant"
	case "step":
		text += ":" + numbers(s.Milestones) + ":" + number(s.Gamma)
	case "piecewise":
		text += ":" + numbers(s.Milestones) + ":" + numbers(s.Factors)
	case "cosine":
		if s.Floor != 0 {
			text += ":" + number(s.Floor)
		}
	default:
		usual := ScheduleSpec{Kind: s.Kind}
		if args := formatOptions(s.options(false), usual.options(true)); args != "" {
			text += ":" + args
		}
	}
	if s.WarmupEpochs != 0 {
		text += "+warmup:" + number(s.WarmupEpochs)
	}
	return text
}

// Schedule makes the schedule of a run: base is the learning rate, and the run
// has epochs of stepsPerEpoch optimizer steps. Epochs become steps, rounded to
// the nearest. A base that is not a positive finite number, a run without steps,
// or one that a warm-up fills before a schedule that ends with the run, is an error.
func (s ScheduleSpec) Schedule(base float64, stepsPerEpoch, epochs int) (Schedule, error) {
	if !(base > 0) || math.IsInf(base, 0) {
		return nil, fmt.Errorf("train: the learning rate is %v; it must be a positive number", base)
	}
	if stepsPerEpoch <= 0 || epochs <= 0 {
		return nil, fmt.Errorf("train: schedule %q: a run of %d epochs of %d steps has no steps", s, epochs, stepsPerEpoch)
	}
	steps := func(epochs float64) int {
		return int(min(math.Round(epochs*float64(stepsPerEpoch)), math.MaxInt32))
	}
	warmup, total := steps(s.WarmupEpochs), stepsPerEpoch*epochs
	if s.endsWithRun() && warmup >= total {
		return nil, fmt.Errorf("train: schedule %q: the warm-up of %v %s leaves nothing of a run of %d; warm up for less, e.g. +warmup:%.3g, or raise --epochs above %v",
			s, s.WarmupEpochs, words.Plural("epoch", int(math.Ceil(s.WarmupEpochs))), epochs, float64(epochs)/10, s.WarmupEpochs)
	}
	if err := wrongOption(fmt.Sprintf("schedule %q", s.Kind), s.options(false)); err != nil {
		return nil, err
	}
	decay := max(steps(s.Epochs), 1)
	var then Schedule
	switch s.Kind {
	case "", "constant":
		return ConstantSchedule{base, warmup}, nil
	case "step", "piecewise":
		milestones := make([]int, len(s.Milestones))
		for i, m := range s.Milestones {
			milestones[i] = steps(m)
		}
		if s.Kind == "piecewise" {
			return s.piecewise(base, milestones, warmup)
		}
		if !slices.IsSorted(milestones) || !(s.Gamma > 0) {
			return nil, fmt.Errorf("train: schedule %q: milestones must ascend and the factor must be above 0", s)
		}
		return StepSchedule{base, milestones, s.Gamma, warmup}, nil
	case "cosine":
		return CosineSchedule{base, base * s.Floor, total, warmup}, nil
	case "plateau":
		return &PlateauSchedule{Base: base, Warmup: warmup, Factor: s.Rate, Patience: s.Patience, MinDelta: s.MinDelta, Cooldown: s.Cooldown,
			MinRate: base * s.Floor, Larger: larger(s.Monitor), State: &PlateauState{}}, nil
	case "exponential":
		then = ExponentialSchedule{base, decay, s.Rate, s.Staircase}
	case "inverse-time":
		then = InverseTimeSchedule{base, decay, s.Rate, s.Staircase}
	case "polynomial":
		if s.Epochs == 0 {
			decay = total - warmup
		}
		then = PolynomialSchedule{base, base * s.Floor, decay, s.Power, s.Cycle}
	case "cosine-restarts":
		then = CosineRestartsSchedule{base, decay, s.TMul, s.MMul, s.Floor}
	case "onecycle":
		then = OneCycleSchedule{base, total - warmup, s.PctStart, s.Div, s.FinalDiv, s.Linear, s.ThreePhase}
	default:
		return nil, fmt.Errorf("train: unknown kind of schedule %q%s", s.Kind, suggest.Phrase(s.Kind, ScheduleKinds()))
	}
	if warmup > 0 {
		then = WarmupSchedule{then, warmup}
	}
	return then, nil
}

func (s ScheduleSpec) piecewise(base float64, boundaries []int, warmup int) (Schedule, error) {
	if !slices.IsSorted(boundaries) || len(s.Factors) != len(boundaries)+1 {
		return nil, fmt.Errorf("train: schedule %q: milestones must ascend, with a fraction of the rate more than milestones", s)
	}
	values := make([]float64, len(s.Factors))
	for i, f := range s.Factors {
		values[i] = base * f
	}
	return PiecewiseSchedule{boundaries, values, warmup}, nil
}

// unreached says what of the milestones a run of so many epochs does not reach, "" where it reaches all. The last one may be the run's end,
// after others.
func (s ScheduleSpec) unreached(epochs int) string {
	var late []string
	for _, m := range s.Milestones {
		if m >= float64(epochs) {
			late = append(late, strconv.FormatFloat(m, 'g', -1, 64))
		}
	}
	if n := len(s.Milestones); len(late) == 0 || len(late) == 1 && n > 1 && s.Milestones[n-1] == float64(epochs) {
		return ""
	}
	then := ""
	if len(late) == len(s.Milestones) {
		then = ", and the learning rate never falls"
		if s.Kind != "step" || s.Gamma > 1 {
			then = ", and the learning rate never changes"
		}
	}
	return fmt.Sprintf("the run of %d %s ends before %s %s of the schedule %s%s; --schedule names others", epochs, words.Plural("epoch", epochs),
		words.Plural("milestone", len(late)), strings.Join(late, ", "), s, then)
}

// endsWithRun says whether another number of epochs changes the rates of all steps.
func (s ScheduleSpec) endsWithRun() bool {
	switch s.Kind {
	case "cosine", "onecycle":
		return true
	case "polynomial":
		return s.Epochs == 0
	}
	return false
}
