package train

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/internal/numtest"
)

// TestEarlyStopIsKeras compares after which epoch training ends, and which one is restored, with Keras.
func TestEarlyStopIsKeras(t *testing.T) {
	early := 0
	for _, c := range numtest.LoadGolden(t, "testdata/golden/early_stop.json").Cases {
		t.Run(c.Name, func(t *testing.T) {
			c := c.For(t)
			e := &EarlyStop{Patience: c.Int("patience"), MinDelta: c.Float("min_delta"), Start: c.Int("start"), Restore: true}
			if c.HasAttr("baseline") {
				b := c.Float("baseline")
				e.Baseline = &b
			}
			if c.Int("larger") == 1 {
				e.Monitor = "val_top1"
			}
			again, err := ParseEarlyStop(e.String())
			require.NoError(t, err)
			if e.Monitor == "" {
				e.Monitor = "val_loss"
			}
			require.Equal(t, e, again)
			var s earlyStopState
			epochs, best := 0, 0
			for _, m := range c.Tensor("metric").Data {
				text, err := json.Marshal(s) // as a checkpoint keeps it
				require.NoError(t, err)
				s = earlyStopState{}
				require.NoError(t, json.Unmarshal(text, &s))
				if epochs++; e.observe(&s, epochs, m) {
					best = epochs
				}
				if e.ended(s) {
					early++
					break
				}
			}
			require.Equal(t, c.Int("epochs"), epochs)
			require.Equal(t, c.Int("restored"), best)
		})
	}
	require.Greater(t, early, 10)
}

func TestParseEarlyStop(t *testing.T) {
	for text, want := range map[string]string{
		"patience":              "patience wants a whole number of at least 0",
		"patience=-1":           "patience wants a whole number of at least 0, got -1",
		"patience=1,patience=2": "patience is given twice",
		"patence=1":             `did you mean "patience"?`,
		"monitor=val_los":       `did you mean "val_loss"?`,
		"restore=1":             "restore stands alone",
		"min_delta=-1":          "min_delta wants a number of at least 0",
		"start=0.5":             "start wants a whole number",
		"baseline=inf":          "baseline wants a number",
		"10":                    "has no option \"10\"",
	} {
		_, err := ParseEarlyStop(text)
		var wrong *OptionError
		require.ErrorAs(t, err, &wrong, text)
		require.ErrorContains(t, err, want)
	}
	for text, want := range map[string]string{"": "", "off": "", "patience=0": "patience=0", " patience = 3 , restore": "patience=3,restore",
		"monitor=val_loss,patience=3": "patience=3", "baseline=0.5,start=2,monitor=top1": "monitor=top1,start=2,baseline=0.5"} {
		e, err := ParseEarlyStop(text)
		require.NoError(t, err, text)
		require.Equal(t, want, e.String())
	}
	require.Equal(t, "patience=2", (&EarlyStop{Patience: 2}).String(), "a Fitter's")
}
