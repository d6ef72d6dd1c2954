package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConstantSchedule(t *testing.T) {
	s := ConstantSchedule{Base: 0.5}
	for _, step := range []int{-1, 0, 1, 1 << 40} {
		require.Equal(t, 0.5, s.At(step))
	}
}

func TestWarmup(t *testing.T) {
	s := ConstantSchedule{Base: 1, Warmup: 4}
	for step, want := range []float64{0.25, 0.5, 0.75, 1, 1} {
		require.Equal(t, want, s.At(step))
	}
	require.Equal(t, 0.25, s.At(-5))
	require.Equal(t, 2.0, ConstantSchedule{Base: 2, Warmup: 1}.At(0))
	require.Equal(t, 2.0, ConstantSchedule{Base: 2, Warmup: -3}.At(0))
}

func TestStepSchedule(t *testing.T) {
	s := StepSchedule{Base: 0.1, Milestones: []int{10, 20}, Gamma: 0.1, Warmup: 2}
	for step, want := range map[int]float64{0: 0.05, 1: 0.1, 9: 0.1, 10: 0.01, 19: 0.01, 20: 0.001, 1000: 0.001} {
		require.InEpsilon(t, want, s.At(step), 1e-14, "step %d", step)
	}
	require.Equal(t, 0.1, StepSchedule{Base: 0.1}.At(5))
}

func TestCosineSchedule(t *testing.T) {
	s := CosineSchedule{Base: 1, Floor: 0.2, Total: 100}
	require.Equal(t, 1.0, s.At(0))
	require.Equal(t, 1.0, s.At(-3))
	require.InEpsilon(t, 0.6, s.At(50), 1e-14) // half way
	require.InEpsilon(t, 0.2+0.8*(1+math.Sqrt2/2)/2, s.At(25), 1e-14)
	require.Equal(t, 0.2, s.At(100))
	require.Equal(t, 0.2, s.At(1000))

	s = CosineSchedule{Base: 1, Total: 20, Warmup: 10}
	require.Equal(t, 0.1, s.At(0))
	require.Equal(t, 1.0, s.At(9))
	require.Equal(t, 1.0, s.At(10))
	require.InEpsilon(t, 0.5, s.At(15), 1e-14)
	for step := 10; step < 25; step++ {
		require.LessOrEqual(t, s.At(step+1), s.At(step))
		require.GreaterOrEqual(t, s.At(step+1), 0.0)
	}
	// A run without steps never divides by zero.
	require.Equal(t, 0.3, CosineSchedule{Base: 1, Floor: 0.3}.At(0))
	require.Equal(t, 0.3, CosineSchedule{Base: 1, Floor: 0.3, Total: 2, Warmup: 2}.At(2))
}

func TestParseSchedule(t *testing.T) {
	for text, c := range map[string]struct {
		spec ScheduleSpec
		full string
	}{
		"":                        {ScheduleSpec{Kind: "constant"}, "constant"},
		" constant ":              {ScheduleSpec{Kind: "constant"}, "constant"},
		"step:30,60":              {ScheduleSpec{Kind: "step", Milestones: []float64{30, 60}, Gamma: 0.1}, "step:30,60:0.1"},
		"step:0.5:0.2":            {ScheduleSpec{Kind: "step", Milestones: []float64{0.5}, Gamma: 0.2}, "step:0.5:0.2"},
		"step: 3, 4 : 0.5":        {ScheduleSpec{Kind: "step", Milestones: []float64{3, 4}, Gamma: 0.5}, "step:3,4:0.5"},
		"cosine":                  {ScheduleSpec{Kind: "cosine"}, "cosine"},
		"cosine:0.01+warmup:5":    {ScheduleSpec{Kind: "cosine", Floor: 0.01, WarmupEpochs: 5}, "cosine:0.01+warmup:5"},
		"constant+warmup:0":       {ScheduleSpec{Kind: "constant"}, "constant"},
		"+warmup:1":               {ScheduleSpec{Kind: "constant", WarmupEpochs: 1}, "constant+warmup:1"},
		"step:30:0.1+warmup:2.5":  {ScheduleSpec{Kind: "step", Milestones: []float64{30}, Gamma: 0.1, WarmupEpochs: 2.5}, "step:30:0.1+warmup:2.5"},
		"cosine:1e-30+warmup:0.1": {ScheduleSpec{Kind: "cosine", Floor: 1e-30, WarmupEpochs: 0.1}, "cosine:1e-30+warmup:0.1"},
	} {
		got, err := ParseSchedule(text)
		require.NoError(t, err, text)
		require.Equal(t, c.spec, got, text)
		require.Equal(t, c.full, got.String(), text)
		again, err := ParseSchedule(got.String())
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
	require.Equal(t, "constant", ScheduleSpec{}.String())
}

func TestParseScheduleErrors(t *testing.T) {
	for text, message := range map[string]string{
		"cosin":             `unknown kind "cosin"; did you mean "cosine"?`,
		"Constnat":          `did you mean "constant"?`,
		"linear":            `unknown kind "linear"`,
		"constant:3":        `"constant" takes nothing`,
		":3":                "its kind is missing",
		"step":              `milestone "" is not a number`,
		"step:":             `milestone "" is not a number`,
		"step:30,":          `milestone "" is not a number`,
		"step:x":            `milestone "x" is not a number`,
		"step:0":            `milestone "0" is not a number of epochs above 0`,
		"step:-3":           `milestone "-3"`,
		"step:NaN":          `milestone "NaN"`,
		"step:60,30":        "milestone 30 does not come after 60",
		"step:30,30":        "milestone 30 does not come after 30",
		"step:30:0":         `the factor "0" is not`,
		"step:30:x":         `the factor "x" is not`,
		"step:30:0.1:2":     `the factor "0.1:2" is not`,
		"cosine:2":          `fraction "2" is not a number from 0 to 1`,
		"cosine:":           `fraction "" is not`,
		"cosine:Inf":        `fraction "Inf" is not`,
		"cosine+wamrup:3":   `unknown addition "wamrup"; did you mean "warmup"?`,
		"cosine+":           `unknown addition ""`,
		"cosine+warmup":     `lasts "" epochs`,
		"cosine+warmup:-1":  `lasts "-1" epochs`,
		"cosine+warmup:1+2": `lasts "1+2" epochs`,
	} {
		_, err := ParseSchedule(text)
		require.ErrorContains(t, err, message, text)
		require.ErrorContains(t, err, "write \"constant\"", text)
	}
}

func TestScheduleOfARun(t *testing.T) {
	for text, want := range map[string]Schedule{
		"constant+warmup:0.5":     ConstantSchedule{0.1, 50},
		"step:1.5,3:0.5+warmup:1": StepSchedule{0.1, []int{150, 300}, 0.5, 100},
		"cosine:0.5+warmup:1":     CosineSchedule{0.1, 0.05, 400, 100},
	} {
		spec, err := ParseSchedule(text)
		require.NoError(t, err)
		got, err := spec.Schedule(0.1, 100, 4)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	got, err := ScheduleSpec{}.Schedule(1, 1, 1)
	require.NoError(t, err)
	require.Equal(t, 1.0, got.At(0))

	for _, base := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		_, err := ScheduleSpec{}.Schedule(base, 1, 1)
		require.ErrorContains(t, err, "positive number")
	}
	_, err = ScheduleSpec{}.Schedule(1, 0, 1)
	require.ErrorContains(t, err, "no steps")
	_, err = ScheduleSpec{Kind: "cosine", WarmupEpochs: 4}.Schedule(1, 10, 4)
	require.ErrorContains(t, err, "leaves nothing")
	_, err = ScheduleSpec{Kind: "step", Milestones: []float64{2, 1}, Gamma: 1}.Schedule(1, 10, 4)
	require.ErrorContains(t, err, "ascend")
	_, err = ScheduleSpec{Kind: "cosinus"}.Schedule(1, 10, 4)
	require.ErrorContains(t, err, `unknown kind`)
}

func FuzzParseSchedule(f *testing.F) {
	for _, s := range []string{"", "constant", "step:30,60:0.1", "cosine:0.1+warmup:3", "piecewise:1,2:1,1e+3,0", "exponential:epochs=1,rate=0.5,staircase",
		"cosine-restarts:epochs=3,t_mul=1", "plateau:monitor=top1,patience=3", "onecycle:linear", "polynomial:cycle,end=0.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSchedule(text)
		if err != nil {
			return
		}
		again, err := ParseSchedule(s.String())
		require.NoError(t, err)
		require.Equal(t, s, again)
	})
}

// TestPlateauNeverGoesBackToItsBase: a rate that can become no smaller stays.
func TestPlateauNeverGoesBackToItsBase(t *testing.T) {
	p := PlateauSchedule{Base: 0.1, Factor: 1e-200, Patience: 1, State: &PlateauState{}}
	for range 5 {
		rate := p.At(0)
		p.Observe(1)
		require.LessOrEqual(t, p.At(0), rate)
	}
	require.Less(t, p.At(0), 1e-300)
}

// TestPlateauWithoutState: one that nobody gave a state keeps its own, and lowers by Keras's factor.
func TestPlateauWithoutState(t *testing.T) {
	s := &PlateauSchedule{Base: 1, Patience: 1}
	require.Equal(t, 1.0, s.At(0))
	require.False(t, s.Observe(5))
	require.True(t, s.Observe(5))
	require.InDelta(t, 0.1, s.At(0), 1e-12)
}
