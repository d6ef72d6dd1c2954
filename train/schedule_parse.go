package train

import (
	"fmt"
	"strings"

	"github.com/stheno-ml/stheno/internal/suggest"
)

const scheduleForms = `"constant", "step:30,60" or "step:30,60:0.1" (epochs, and the factor at each), "cosine" or "cosine:0.01" (lowest fraction of the rate), ` +
	`"piecewise:30,60:1,0.1,0.01" (epochs, and fractions of the rate), or one of "exponential", "inverse-time", "polynomial", "cosine-restarts", "onecycle" and "plateau" ` +
	`with options, such as "exponential:epochs=2,rate=0.9"; add "+warmup:5" for 5 epochs of linear warm-up`

// monitors are the columns that "plateau" can look at.
const monitors = "loss, top1, top5, val_loss, val_top1, val_top5"

// options are those of the spec's kind that have names, set to their defaults first if fresh.
func (s *ScheduleSpec) options(fresh bool) []option {
	set := func(to *float64, v float64) {
		if fresh {
			*to = v
		}
	}
	switch s.Kind {
	case "exponential", "inverse-time":
		return []option{{"epochs", &s.Epochs, "above 0", above0}, {"rate", &s.Rate, "above 0", above0}, {"staircase", &s.Staircase, "", nil}}
	case "polynomial":
		set(&s.Power, 1)
		return []option{{"epochs", &s.Epochs, "of at least 0", atLeast0}, {"end", &s.Floor, "from 0 to 1", fraction},
			{"power", &s.Power, "above 0", above0}, {"cycle", &s.Cycle, "", nil}}
	case "cosine-restarts":
		set(&s.TMul, 2)
		set(&s.MMul, 1)
		return []option{{"epochs", &s.Epochs, "above 0", above0}, {"t_mul", &s.TMul, "of at least 1", atLeast1}, {"m_mul", &s.MMul, "above 0", above0},
			{"alpha", &s.Floor, "from 0 to 1", fraction}}
	case "onecycle":
		set(&s.PctStart, 0.3)
		set(&s.Div, 25)
		set(&s.FinalDiv, 1e4)
		return []option{{"pct_start", &s.PctStart, "above 0 and below 1", inside}, {"div", &s.Div, "of at least 1", atLeast1},
			{"final_div", &s.FinalDiv, "of at least 1", atLeast1}, {"linear", &s.Linear, "", nil}, {"three_phase", &s.ThreePhase, "", nil}}
	case "plateau":
		set(&s.Rate, 0.1)
		set(&s.MinDelta, 1e-4)
		if fresh {
			s.Patience, s.Monitor = 10, "val_loss"
		}
		return []option{{"monitor", &s.Monitor, monitors, nil}, {"factor", &s.Rate, "above 0 and below 1", inside}, {"patience", &s.Patience, "of at least 1", atLeast1},
			{"min_delta", &s.MinDelta, "of at least 0", atLeast0}, {"cooldown", &s.Cooldown, "of at least 0", atLeast0},
			{"min", &s.Floor, "from 0 to 1", fraction}}
	}
	return nil
}

// ParseSchedule reads the text of a --schedule flag:
//
//	constant                        the same rate throughout
//	step:30,60:0.1                  times 0.1 after 30 and after 60 epochs (:0.1 may be left out)
//	cosine:0.01                     along half a cosine down to 0.01 of the rate (default 0)
//	piecewise:30,60:1,0.5,0.1       the rate times 1, after 30 epochs 0.5, after 60 epochs 0.1
//	exponential:epochs=2,rate=0.9   times 0.9 in 2 epochs; also staircase
//	inverse-time:epochs=2,rate=0.5  divided by 1 + 0.5·(epochs/2); also staircase
//	polynomial:power=2,end=0.01     to 0.01 of the rate (default 0) at the end of the run, or of epochs=…; also cycle
//	cosine-restarts:epochs=10       half a cosine of 10 epochs, then of t_mul (2) times as many, each from m_mul (1) times as
//	                                high, down to alpha (0) of the rate
//	onecycle                        from the rate/div (25) up to the rate in pct_start (0.3) of the run and down to
//	                                the rate/div/final_div (10000); also linear, three_phase
//	plateau                         times factor (0.1) when monitor (val_loss) was not better by min_delta (0.0001) for
//	                                patience (10) epochs; also cooldown (0 epochs), min (0 of the rate)
//
// each optionally followed by +warmup:E for a linear warm-up over E epochs: kinds with named options begin after it, but for plateau;
// the epochs of the others count from the start of the run. Epochs may be fractions. The empty text is "constant". An error says what
// is wrong with which part, and suggests the kind that was probably meant; of a named option it is an *OptionError.
func ParseSchedule(text string) (ScheduleSpec, error) {
	var s ScheduleSpec
	fail := func(format string, args ...any) (ScheduleSpec, error) {
		return ScheduleSpec{}, fmt.Errorf("train: schedule %q: %s\n    write %s", text, fmt.Sprintf(format, args...), scheduleForms)
	}
	main, extra, hasExtra := cutAddition(strings.TrimSpace(text))
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
		if wrong := s.parseMilestones(list); wrong != "" {
			return fail("%s", wrong)
		}
		s.Gamma = defaultGamma
		if hasGamma {
			var ok bool
			if s.Gamma, ok = parseNumber(gamma); !ok || s.Gamma <= 0 {
				return fail("the factor %q is not a number above 0", gamma)
			}
		}
	case "piecewise":
		list, factors, _ := strings.Cut(args, ":")
		if wrong := s.parseMilestones(list); wrong != "" {
			return fail("%s", wrong)
		}
		for _, item := range strings.Split(factors, ",") {
			f, ok := parseNumber(item)
			if !ok || f < 0 {
				return fail("the fraction %q of the rate is not a number of at least 0", item)
			}
			s.Factors = append(s.Factors, f)
		}
		if len(s.Factors) != len(s.Milestones)+1 {
			return fail("%d milestones want %d fractions of the rate, got %d", len(s.Milestones), len(s.Milestones)+1, len(s.Factors))
		}
	case "cosine":
		if hasArgs {
			var ok bool
			if s.Floor, ok = parseNumber(args); !ok || s.Floor < 0 || s.Floor > 1 {
				return fail("the lowest fraction %q is not a number from 0 to 1", args)
			}
		}
	default:
		options := s.options(true)
		if options == nil {
			return fail("unknown kind %q%s", kind, suggest.Phrase(kind, ScheduleKinds()))
		}
		of := fmt.Sprintf("schedule %q", kind)
		if hasArgs {
			if err := parseOptions(of, args, options); err != nil {
				return ScheduleSpec{}, err
			}
		}
		if err := wrongOption(of, options); err != nil {
			return ScheduleSpec{}, err
		}
	}
	return s, nil
}

// cutAddition cuts at the plus sign of an addition, which is not that of an exponent.
func cutAddition(text string) (main, extra string, has bool) {
	for i, c := range text {
		if c == '+' && !(i > 1 && strings.ContainsAny(text[i-1:i], "eE") && text[i-2] >= '0' && text[i-2] <= '9') {
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

// parseMilestones reads epochs that ascend, and says what is wrong with them.
func (s *ScheduleSpec) parseMilestones(list string) (wrong string) {
	for _, item := range strings.Split(list, ",") {
		epoch, ok := parseNumber(item)
		if !ok || epoch <= 0 {
			return fmt.Sprintf("milestone %q is not a number of epochs above 0", item)
		}
		if n := len(s.Milestones); n > 0 && epoch <= s.Milestones[n-1] {
			return fmt.Sprintf("milestone %v does not come after %v", epoch, s.Milestones[n-1])
		}
		s.Milestones = append(s.Milestones, epoch)
	}
	return ""
}
