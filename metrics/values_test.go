package metrics_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/metrics"
)

// nearValues is as far as Keras's sums in float32 may be off, relative to the result. R2Score's are differences of large ones.
const nearValues = 3e-6

// feed is a case in three batches, one of them empty.
func feed(t *testing.T, c *numtest.Case, m metrics.ValueMetric) {
	t.Helper()
	p, y := c.Tensor("predicted"), c.Tensor("targets")
	n, outputs := y.Shape[0], y.Shape[1]
	for _, r := range [][2]int{{0, n / 3}, {n / 3, n / 3}, {n / 3, n}} {
		var w []float32
		if c.Has("weights") {
			w = c.Tensor("weights").Float32()[r[0]:r[1]]
		}
		require.NoError(t, m.Update(p.Float32()[r[0]*outputs:r[1]*outputs], y.Float32()[r[0]*outputs:r[1]*outputs], w))
	}
}

func TestRegressionMetricsAreKeras(t *testing.T) {
	seen := 0
	for _, c := range numtest.LoadGolden(t, "testdata/golden/values.json").Cases {
		if !strings.HasPrefix(c.Name, "values_") {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			c := c.For(t)
			outputs := c.Tensor("targets").Shape[1]
			r2 := &metrics.R2Score{Outputs: outputs}
			for name, m := range map[string]metrics.ValueMetric{
				"MeanAbsoluteError": &metrics.MeanAbsoluteError{}, "MeanSquaredError": &metrics.MeanSquaredError{},
				"RootMeanSquaredError": &metrics.RootMeanSquaredError{}, "MeanAbsolutePercentageError": &metrics.MeanAbsolutePercentageError{},
				"MeanSquaredLogarithmicError": &metrics.MeanSquaredLogarithmicError{}, "LogCoshError": &metrics.LogCoshError{},
				"CosineSimilarity": &metrics.CosineSimilarity{Outputs: outputs}, "r2_uniform": r2,
				"r2_variance": &metrics.R2Score{Outputs: outputs, ByVariance: true}, "r2_adjusted": &metrics.R2Score{Outputs: outputs, Regressors: 3},
				"r2_too_many": &metrics.R2Score{Outputs: outputs, Regressors: len(c.Tensor("targets").Data)},
			} {
				require.Zero(t, m.Result(), name)
				for range 2 { // again after a reset
					m.Reset()
					feed(t, c, m)
					tol := nearValues
					if strings.HasPrefix(name, "r2") {
						tol = 5e-5
					}
					require.InEpsilon(t, c.Float(name), m.Result(), tol, name)
					seen++
				}
			}
			for o, want := range c.Tensor("r2").Data {
				require.InDelta(t, want, r2.Output(o), 5e-5)
			}
		})
	}
	require.Equal(t, 4*11*2, seen)
}

func TestMultiLabelIsKeras(t *testing.T) {
	seen := 0
	for _, c := range numtest.LoadGolden(t, "testdata/golden/values.json").Cases {
		if !strings.HasPrefix(c.Name, "labels_") {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			c := c.For(t)
			labels := c.Tensor("targets").Shape[1]
			m, err := metrics.NewMultiLabel(labels, c.Float("threshold"))
			require.NoError(t, err)
			require.Zero(t, m.Result()+m.Hamming()+m.Exact()+m.Micro().F1+m.Macro().F1)
			for range 2 {
				m.Reset()
				feed(t, c, m)
				require.InDelta(t, c.Float("accuracy"), m.Result(), near)
				require.InDelta(t, 1-c.Float("accuracy"), m.Hamming(), near)
				require.InDelta(t, c.Float("precision_micro"), m.Micro().Precision, near)
				require.InDelta(t, c.Float("recall_micro"), m.Micro().Recall, near)
				require.InDelta(t, c.Float("f1_micro"), m.Micro().F1, near)
				require.InDelta(t, c.Float("f1_macro"), m.Macro().F1, near)
				require.InDelta(t, c.Float("f1_weighted"), m.Weighted().F1, near)
				accuracy := 0.0
				for l := range labels {
					require.InDelta(t, c.Tensor("precision").Data[l], m.Label(l).Precision, near)
					require.InDelta(t, c.Tensor("recall").Data[l], m.Label(l).Recall, near)
					require.InDelta(t, c.Tensor("f1").Data[l], m.Label(l).F1, near)
					require.InDelta(t, c.Tensor("f2").Data[l], m.FBeta(l, 2), near)
					accuracy += m.Accuracy(l) / float64(labels)
				}
				require.InDelta(t, m.Result(), accuracy, 1e-12)
				require.NotContains(t, m.Report(nil), "NaN")
				seen++
			}
		})
	}
	require.Equal(t, 8, seen)
}

func TestMultiLabelCounts(t *testing.T) {
	m, err := metrics.NewMultiLabel(3, 0) // logits
	require.NoError(t, err)
	require.NoError(t, m.Update([]float32{1, -1, 2, 0, 3, -2, -1, -1, -1, 4, -4, 4}, []float32{1, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1}, []float32{1, 1, 2, 1}))
	require.Equal(t, 3, m.Labels())
	require.Equal(t, []float64{4, 1, 1}, []float64{m.Support(0), m.Support(1), m.Support(2)})
	require.Equal(t, metrics.Scores{Precision: 1, Recall: 0.5, F1: 2. / 3}, m.Label(0))
	require.InDelta(t, 0.4, m.Exact(), 1e-15)
	require.InDelta(t, 3./15, m.Hamming(), 1e-15)
	require.Equal(t, strings.TrimPrefix(`
label          precision     recall         F1    support
cat               1.0000     0.5000     0.6667          4
dog               1.0000     1.0000     1.0000          1
2                 0.5000     1.0000     0.6667          1

accuracy                                0.8000          6
micro mean        0.8000     0.6667     0.7273          6
macro mean        0.8333     0.8333     0.7778          6
weighted mean     0.9167     0.6667     0.7222          6
`, "\n"), m.Report([]string{"cat", "dog"}))
}

// TestR2OfTargetsThatDoNotVary is 0, whatever was predicted; an example that weighs nothing is none.
func TestR2OfTargetsThatDoNotVary(t *testing.T) {
	r := metrics.R2Score{}
	require.NoError(t, r.Update([]float32{0.1, 0.2, 0.3}, []float32{0.1, 0.1, 0.1}, []float32{1, 0.5, 3}))
	require.Zero(t, r.Result())
	require.NoError(t, r.Update([]float32{7}, []float32{9}, []float32{0}))
	require.Zero(t, r.Result())
	require.Zero(t, r.Output(1))
	r = metrics.R2Score{Outputs: 2}
	require.NoError(t, r.Update([]float32{1, 5, 2, 5, 3, 5}, []float32{1, 5, 2, 5, 3, 5}, nil))
	require.Equal(t, 0.5, r.Result(), "one output is right")
	r.ByVariance = true
	require.Equal(t, 1., r.Result())
	c := metrics.CosineSimilarity{Outputs: 2}
	require.NoError(t, c.Update([]float32{0, 0, 3, 4}, []float32{1, 2, 6, 8}, nil))
	require.InDelta(t, 0.5, c.Result(), 1e-15)
	large := metrics.LogCoshError{}
	require.NoError(t, large.Update([]float32{1e30, 0}, []float32{-1e30, 0}, nil))
	require.InEpsilon(t, 1e30, large.Result(), 1e-6)
}

func TestErrorsOfValues(t *testing.T) {
	labels, err := metrics.NewMultiLabel(2, 0.5)
	require.NoError(t, err)
	nan := float32(math.NaN())
	started := &metrics.R2Score{Outputs: 2}
	require.NoError(t, started.Update([]float32{1, 2}, []float32{1, 2}, nil))
	started.Outputs = 1
	for want, err := range map[string]error{
		"got 2 predictions and 1 targets":            (&metrics.MeanAbsoluteError{}).Update([]float32{1, 2}, []float32{1}, nil),
		"got 2 weights for 3 targets":                (&metrics.MeanSquaredError{}).Update([]float32{1, 2, 3}, []float32{1, 2, 3}, []float32{1, 1}),
		"got 0 weights for 1 targets":                (&metrics.MeanSquaredError{}).Update([]float32{1}, []float32{1}, []float32{}),
		"got 2 weights for 0 targets":                (&metrics.LogCoshError{}).Update(nil, nil, []float32{1, 1}),
		"got 1 weights for 4 targets":                labels.Update([]float32{0, 0, 0, 0}, []float32{0, 0, 0, 0}, []float32{1}),
		"weight 0 is NaN":                            (&metrics.RootMeanSquaredError{}).Update([]float32{1}, []float32{1}, []float32{nan}),
		"Outputs is 0, expected how many":            (&metrics.CosineSimilarity{}).Update([]float32{1}, []float32{1}, nil),
		"got 3 targets, expected 2 for each example": (&metrics.CosineSimilarity{Outputs: 2}).Update([]float32{1, 2, 3}, []float32{1, 2, 3}, nil),
		"Outputs is -1 and Regressors 0":             (&metrics.R2Score{Outputs: -1}).Update(nil, nil, nil),
		"Outputs is 1, and was 2":                    started.Update([]float32{1}, []float32{1}, nil),
		"target 1 is 0.5, expected 0 or 1":           labels.Update([]float32{1, 1}, []float32{1, 0.5}, nil),
		"score 1 is NaN":                             labels.Update([]float32{1, nan}, []float32{1, 1}, nil),
		"make it with NewMultiLabel":                 new(metrics.MultiLabel).Update([]float32{1}, []float32{1}, nil),
	} {
		var typed *metrics.Error
		require.ErrorAs(t, err, &typed, want)
		require.ErrorContains(t, err, want)
	}
	require.Zero(t, labels.Result(), "nothing of a wrong batch was taken")
	_, err = metrics.NewMultiLabel(0, 0.5)
	require.ErrorContains(t, err, "got 0 labels")
	_, err = metrics.NewMultiLabel(3, math.NaN())
	require.ErrorContains(t, err, "the threshold is NaN")
}

// TestValueUpdatesAllocateNothing after the first.
func TestValueUpdatesAllocateNothing(t *testing.T) {
	labels, err := metrics.NewMultiLabel(2, 0.5)
	require.NoError(t, err)
	p, y, w := []float32{0.1, 0.7, 0.5, 0.2}, []float32{1, 0, 0, 1}, []float32{1, 2}
	for _, m := range []metrics.ValueMetric{&metrics.MeanAbsoluteError{}, &metrics.RootMeanSquaredError{}, &metrics.R2Score{Outputs: 2},
		&metrics.CosineSimilarity{Outputs: 2}, labels} {
		require.NoError(t, m.Update(p, y, w))
		require.Zero(t, testing.AllocsPerRun(10, func() { _ = m.Update(p, y, w) }), "%T", m)
	}
}
