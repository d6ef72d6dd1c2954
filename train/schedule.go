package train

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/internal/suggest"
)

// Schedule gives the learning rate of every optimizer step. Schedules are plain
// values without state, so a resumed run asks for the same rates again.
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

// ScheduleSpec is a schedule as the --schedule flag writes it: in epochs and
// relative to a learning rate, both of which it does not hold. The zero value is
// the constant schedule.
type ScheduleSpec struct {
	// Kind is "constant", "step" or "cosine"; empty means "constant".
	Kind string
	// Milestones of "step", in epochs, ascending.
	Milestones []float64
	// Gamma of "step", the factor per milestone.
	Gamma float64
	// Floor of "cosine", as a fraction of the learning rate (Keras calls it alpha
	// in CosineDecay).
	Floor float64
	// WarmupEpochs is the length of the linear warm-up, in epochs.
	WarmupEpochs float64
}

// defaultGamma is the factor of "step" when the flag names none.
const defaultGamma = 0.1

var scheduleKinds = []string{"constant", "step", "cosine"}

const scheduleForms = `"constant", "step:30,60" or "step:30,60:0.1" (epochs, and the factor at each), "cosine" or "cosine:0.01" (lowest fraction of the rate); add "+warmup:5" for 5 epochs of linear warm-up`

// ParseSchedule reads the text of a --schedule flag:
//
//	constant            the same rate throughout
//	step:30,60:0.1      times 0.1 after 30 and after 60 epochs (:0.1 may be left out)
//	cosine:0.01         along half a cosine down to 0.01 of the rate (default 0)
//
// each optionally followed by +warmup:E for a linear warm-up over E epochs.
// Epochs may be fractions. The empty text is "constant". An error says what is
// wrong with which part, and suggests the kind that was probably meant.
func ParseSchedule(text string) (ScheduleSpec, error) {
	var s ScheduleSpec
	fail := func(format string, args ...any) (ScheduleSpec, error) {
		return ScheduleSpec{}, fmt.Errorf("train: schedule %q: %s\n    write %s", text, fmt.Sprintf(format, args...), scheduleForms)
	}
	main, extra, hasExtra := strings.Cut(strings.TrimSpace(text), "+")
	if hasExtra {
		name, value, _ := strings.Cut(extra, ":")
		if name != "warmup" {
			return fail("unknown addition %q%s", name, suggest.Phrase(name, []string{"warmup"}))
		}
		epochs, ok := parseNumber(value)
		if !ok || epochs < 0 {
			return fail("the warm-up lasts %q epochs; it must be a number of at least 0", value)
		}
		s.WarmupEpochs = epochs
	}
	kind, args, hasArgs := strings.Cut(main, ":")
	switch s.Kind = kind; kind {
	case "":
		if hasArgs {
			return fail("its kind is missing")
		}
		s.Kind = "constant"
	case "constant":
		if hasArgs {
			return fail(`"constant" takes nothing after it`)
		}
	case "step":
		list, gamma, hasGamma := strings.Cut(args, ":")
		for _, item := range strings.Split(list, ",") {
			epoch, ok := parseNumber(item)
			if !ok || epoch <= 0 {
				return fail("milestone %q is not a number of epochs above 0", item)
			}
			if n := len(s.Milestones); n > 0 && epoch <= s.Milestones[n-1] {
				return fail("milestone %v does not come after %v", epoch, s.Milestones[n-1])
			}
			s.Milestones = append(s.Milestones, epoch)
		}
		s.Gamma = defaultGamma
		if hasGamma {
			var ok bool
			if s.Gamma, ok = parseNumber(gamma); !ok || s.Gamma <= 0 {
				return fail("the factor %q is not a number above 0", gamma)
			}
		}
	case "cosine":
		if hasArgs {
			var ok bool
			if s.Floor, ok = parseNumber(args); !ok || s.Floor < 0 || s.Floor > 1 {
				return fail("the lowest fraction %q is not a number from 0 to 1", args)
			}
		}
	default:
		return fail("unknown kind %q%s", kind, suggest.Phrase(kind, scheduleKinds))
	}
	return s, nil
}

// parseNumber reads a finite number.
func parseNumber(s string) (float64, bool) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}

// String is the flag's text in its complete form; ParseSchedule gives the same
// spec back.
func (s ScheduleSpec) String() string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	text := s.Kind
	switch s.Kind {
	case "":
		text = "constant"
	case "step":
		list := make([]string, len(s.Milestones))
		for i, m := range s.Milestones {
			list[i] = number(m)
		}
		text += ":" + strings.Join(list, ",") + ":" + number(s.Gamma)
	case "cosine":
		if s.Floor != 0 {
			text += ":" + number(s.Floor)
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
// or a cosine whose warm-up fills the whole run is an error.
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
	warmup := steps(s.WarmupEpochs)
	switch s.Kind {
	case "", "constant":
		return ConstantSchedule{base, warmup}, nil
	case "step":
		milestones := make([]int, len(s.Milestones))
		for i, m := range s.Milestones {
			milestones[i] = steps(m)
		}
		if !slices.IsSorted(milestones) || !(s.Gamma > 0) {
			return nil, fmt.Errorf("train: schedule %q: milestones must ascend and the factor must be above 0", s)
		}
		return StepSchedule{base, milestones, s.Gamma, warmup}, nil
	case "cosine":
		total := stepsPerEpoch * epochs
		if warmup >= total {
			return nil, fmt.Errorf("train: schedule %q: the warm-up of %v epochs leaves nothing of a run of %d; warm up for less, e.g. +warmup:%.3g, or raise --epochs above %v",
				s, s.WarmupEpochs, epochs, float64(epochs)/10, s.WarmupEpochs)
		}
		return CosineSchedule{base, base * s.Floor, total, warmup}, nil
	}
	return nil, fmt.Errorf("train: unknown kind of schedule %q%s", s.Kind, suggest.Phrase(s.Kind, scheduleKinds))
}
