package train

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/internal/numtest"
)

// TestSchedulesAreKeras compares schedules with Keras's, which ran in float64.
func TestSchedulesAreKeras(t *testing.T) {
	golden := numtest.LoadGolden(t, "testdata/golden/schedules.json")
	for _, c := range golden.Cases {
		if strings.HasPrefix(c.Name, "plateau") {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			c := c.For(t)
			var s Schedule
			switch kind, _, _ := strings.Cut(c.Name, "_"); kind {
			case "piecewise":
				s = PiecewiseSchedule{Boundaries: []int{10, 20, 61}, Values: []float64{0.4, 0.2, 0.1, 0.05}}
			case "exponential":
				s = ExponentialSchedule{c.Float("learning_rate"), c.Int("steps"), c.Float("rate"), c.Int("staircase") == 1}
			case "inverse":
				s = InverseTimeSchedule{c.Float("learning_rate"), c.Int("steps"), c.Float("rate"), c.Int("staircase") == 1}
			case "polynomial":
				s = PolynomialSchedule{c.Float("learning_rate"), c.Float("end"), c.Int("steps"), c.Float("power"), c.Int("cycle") == 1}
			case "cosine":
				s = CosineSchedule{Base: c.Float("learning_rate"), Floor: c.Float("learning_rate") * c.Float("alpha"), Total: c.Int("steps")}
				if strings.HasPrefix(c.Name, "cosine_restarts") {
					s = CosineRestartsSchedule{c.Float("learning_rate"), c.Int("steps"), c.Float("t_mul"), c.Float("m_mul"), c.Float("alpha")}
				}
			}
			for i, step := range c.Tensor("steps").Ints() {
				require.InDelta(t, c.Tensor("rate").Data[i], s.At(step), 1e-13, "step %d", step)
			}
			require.InDelta(t, s.At(0), s.At(-3), 1e-15)
		})
	}
}

// TestPlateauIsKeras compares the rate after each epoch with Keras's, which is a float32.
func TestPlateauIsKeras(t *testing.T) {
	golden := numtest.LoadGolden(t, "testdata/golden/schedules.json")
	for _, name := range []string{"plateau", "plateau_cooldown", "plateau_min", "plateau_larger"} {
		c := golden.Case(t, name)
		s := &PlateauSchedule{Base: c.Float("learning_rate"), Factor: c.Float("factor"), Patience: c.Int("patience"), MinDelta: c.Float("min_delta"),
			Cooldown: c.Int("cooldown"), MinRate: c.Float("min_lr"), Larger: c.Int("larger") == 1, State: &PlateauState{}}
		lowered := 0
		for i, metric := range c.Tensor("metric").Data {
			text, err := json.Marshal(s.State) // as a checkpoint keeps it
			require.NoError(t, err)
			s.State = &PlateauState{}
			require.NoError(t, json.Unmarshal(text, s.State))
			if s.Observe(metric) {
				lowered++
			}
			require.InEpsilon(t, c.Tensor("rate").Data[i], s.At(i), 1e-6, "%s: epoch %d", name, i)
		}
		require.Greater(t, lowered, 1, name)
	}
}

// TestOneCycleIsPyTorch compares one cycle with PyTorch's.
func TestOneCycleIsPyTorch(t *testing.T) {
	for _, c := range numtest.LoadGolden(t, "testdata/golden/schedules_torch.json").Cases {
		s := OneCycleSchedule{Max: c.Float("learning_rate"), Total: c.Int("total"), PctStart: c.Float("pct_start"), DivFactor: c.Float("div"),
			FinalDivFactor: c.Float("final_div"), Linear: c.Int("linear") == 1, ThreePhase: c.Int("three_phase") == 1}
		rates := c.Tensor("rate").Data
		for i, want := range rates {
			require.InDelta(t, want, s.At(i), 1e-14, "%s: step %d", c.Name, i)
		}
		require.InDelta(t, rates[len(rates)-1], s.At(1000), 1e-14)
	}
	for _, total := range []int{1, 2, 3} { // too short to rise: never NaN
		s := OneCycleSchedule{Max: 1, Total: total, PctStart: 0.3, DivFactor: 25, FinalDivFactor: 1e4}
		for i := range 5 {
			require.GreaterOrEqual(t, s.At(i), 0.0)
			require.LessOrEqual(t, s.At(i), 1.0)
		}
	}
}

func TestWarmupInFrontOfAny(t *testing.T) {
	s := WarmupSchedule{ExponentialSchedule{1, 10, 0.5, false}, 4}
	for step, want := range []float64{0.25, 0.5, 0.75, 1, 1} {
		require.Equal(t, want, s.At(step))
	}
	require.InEpsilon(t, 0.5, s.At(14), 1e-14)
	require.Equal(t, 0.25, s.At(-2))
	for _, kind := range []string{"constant", "step:1", "cosine", "piecewise:1:1,0.5", "exponential:epochs=1,rate=0.5", "inverse-time:epochs=1,rate=1",
		"polynomial", "cosine-restarts:epochs=1", "onecycle", "plateau"} {
		with, err := ParseSchedule(kind + "+warmup:0.5")
		require.NoError(t, err)
		without, err := ParseSchedule(kind)
		require.NoError(t, err)
		a, err := with.Schedule(0.1, 10, 3)
		require.NoError(t, err)
		b, err := without.Schedule(0.1, 10, 3)
		require.NoError(t, err)
		require.InEpsilon(t, b.At(0)/5, a.At(0), 1e-14, kind)
		require.InEpsilon(t, b.At(0), a.At(4), 1e-14, kind)
	}
}

func TestParseNamedOptions(t *testing.T) {
	for text, c := range map[string]struct {
		spec ScheduleSpec
		full string
	}{
		"piecewise:10,20:1,0.5,0": {ScheduleSpec{Kind: "piecewise", Milestones: []float64{10, 20}, Factors: []float64{1, 0.5, 0}}, "piecewise:10,20:1,0.5,0"},
		"exponential:epochs=2,rate=0.9,staircase": {ScheduleSpec{Kind: "exponential", Epochs: 2, Rate: 0.9, Staircase: true},
			"exponential:epochs=2,rate=0.9,staircase"},
		"inverse-time: rate = 0.5, epochs = 1e+2+warmup:1": {ScheduleSpec{Kind: "inverse-time", Epochs: 100, Rate: 0.5, WarmupEpochs: 1},
			"inverse-time:epochs=100,rate=0.5+warmup:1"},
		"polynomial":                        {ScheduleSpec{Kind: "polynomial", Power: 1}, "polynomial"},
		"polynomial:power=1":                {ScheduleSpec{Kind: "polynomial", Power: 1}, "polynomial"},
		"polynomial:cycle,epochs=5,end=0.1": {ScheduleSpec{Kind: "polynomial", Power: 1, Cycle: true, Epochs: 5, Floor: 0.1}, "polynomial:epochs=5,end=0.1,cycle"},
		"cosine-restarts:epochs=1e+21":      {ScheduleSpec{Kind: "cosine-restarts", Epochs: 1e21, TMul: 2, MMul: 1}, "cosine-restarts:epochs=1e+21"},
		"onecycle:div=10":                   {ScheduleSpec{Kind: "onecycle", PctStart: 0.3, Div: 10, FinalDiv: 1e4}, "onecycle:div=10"},
		"plateau:monitor=top1,patience=3":   {ScheduleSpec{Kind: "plateau", Rate: 0.1, MinDelta: 1e-4, Patience: 3, Monitor: "top1"}, "plateau:monitor=top1,patience=3"},
	} {
		got, err := ParseSchedule(text)
		require.NoError(t, err, text)
		require.Equal(t, c.spec, got, text)
		require.Equal(t, c.full, got.String(), text)
		again, err := ParseSchedule(got.String())
		require.NoError(t, err)
		require.Equal(t, got, again)
		_, err = got.Schedule(0.1, 100, 10)
		require.NoError(t, err, text)
	}
	for text, message := range map[string]string{
		"exponential":                      `schedule "exponential": epochs wants a number above 0, got 0`,
		"exponential:epochs=1,rat=2":       `has no option "rat"; did you mean "rate"? It has epochs, rate, staircase`,
		"exponential:epochs=1,epochs=2":    "epochs is given twice",
		"exponential:epochs=x":             `epochs wants a number above 0, got "x"`,
		"exponential:staircase=1":          "staircase stands alone, got =1",
		"exponential:epochs":               `epochs wants a number above 0, got ""`,
		"polynomial:end=2":                 "end wants a number from 0 to 1, got 2",
		"polynomial:":                      `has no option ""`,
		"cosine-restarts:epochs=1,t_mul=0": "t_mul wants a number of at least 1, got 0",
		"onecycle:pct_start=1":             "pct_start wants a number above 0 and below 1",
		"plateau:monitor=val_los":          `did you mean "val_loss"?`,
		"plateau:patience=1.5":             `patience wants a whole number of at least 1, got "1.5"`,
		"plateau:patience=0":               `patience wants a whole number of at least 1, got 0`,
	} {
		_, err := ParseSchedule(text)
		var wrong *OptionError
		require.ErrorAs(t, err, &wrong, text)
		require.ErrorContains(t, err, message, text)
	}
	for text, message := range map[string]string{
		"piecewise":          `milestone "" is not`,
		"piecewise:1":        `the fraction "" of the rate`,
		"piecewise:1:1":      "1 milestones want 2 fractions of the rate, got 1",
		"piecewise:1:1,-1":   `the fraction "-1"`,
		"piecewise:2,1:1":    "does not come after",
		"exponentail:rate=1": `did you mean "exponential"?`,
	} {
		_, err := ParseSchedule(text)
		require.ErrorContains(t, err, message, text)
	}
	_, err := ScheduleSpec{Kind: "polynomial"}.Schedule(1, 1, 1)
	require.ErrorContains(t, err, "power wants")
	_, err = ScheduleSpec{Kind: "piecewise", Milestones: []float64{1}}.Schedule(1, 1, 1)
	require.ErrorContains(t, err, "a fraction of the rate more")
	for _, kind := range []string{"polynomial", "onecycle"} {
		spec, err := ParseSchedule(kind + "+warmup:4")
		require.NoError(t, err)
		_, err = spec.Schedule(1, 10, 4)
		require.ErrorContains(t, err, "leaves nothing")
	}
}
