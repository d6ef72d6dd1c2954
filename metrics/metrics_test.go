package metrics_test

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/metrics"
)

// near is as far as Keras's metrics, which count in float32 and add 1e-7 to denominators, may be off.
const near = 2e-6

// batches are a case's scores, labels and weights in three batches, one of them empty.
func batches(c *numtest.Case, update func(scores []float32, labels []int, weights []float32) error) error {
	scores, labels := c.Tensor("scores").Float32(), c.Tensor("labels").Ints()
	var weights []float32
	if c.Has("weights") {
		weights = c.Tensor("weights").Float32()
	}
	classes := len(scores) / len(labels)
	for _, r := range [][2]int{{0, len(labels) / 3}, {len(labels) / 3, len(labels) / 3}, {len(labels) / 3, len(labels)}} {
		w := weights
		if w != nil {
			w = w[r[0]:r[1]]
		}
		if err := update(scores[r[0]*classes:r[1]*classes], labels[r[0]:r[1]], w); err != nil {
			return err
		}
	}
	return nil
}

func TestMetricsAreKeras(t *testing.T) {
	for _, c := range numtest.LoadGolden(t, "testdata/golden/metrics.json").Cases {
		t.Run(c.Name, func(t *testing.T) {
			c := c.For(t)
			measures := map[string]metrics.Metric{}
			for _, curve := range []metrics.Curve{metrics.ROC, metrics.PR} {
				for _, how := range []metrics.Summation{metrics.Interpolation, metrics.Minoring, metrics.Majoring} {
					measures["auc_"+string(curve)+"_"+string(how)] = &metrics.AUC{Curve: curve, Summation: how}
				}
				measures["auc_multi_"+string(curve)] = &metrics.AUC{Curve: curve, MultiLabel: true}
			}
			measures["auc_few"] = &metrics.AUC{Thresholds: 7}
			classes := c.Tensor("scores").Shape[1]
			var rising []float64
			for i := range classes {
				rising = append(rising, float64(i+1))
			}
			measures["auc_multi_weighted"] = &metrics.AUC{MultiLabel: true, ClassWeights: rising}
			if classes == 1 {
				measures["accuracy"] = &metrics.BinaryAccuracy{}
			} else {
				measures["accuracy"] = &metrics.Accuracy{}
				measures["top1"], measures["top2"], measures["top5"] = &metrics.TopK{K: 1}, &metrics.TopK{K: 2}, &metrics.TopK{}
			}
			for name, m := range measures {
				if !c.HasAttr(name) {
					continue
				}
				require.Zero(t, m.Result(), name)
				for range 2 { // again after a reset
					m.Reset()
					require.NoError(t, batches(c, m.Update), name)
					require.InDelta(t, c.Float(name), m.Result(), near, name)
				}
			}
			if classes > 1 {
				confusionIsKeras(t, c, classes)
			}
		})
	}
}

func confusionIsKeras(t *testing.T, c *numtest.Case, classes int) {
	m, err := metrics.NewConfusion(classes)
	require.NoError(t, err)
	require.NoError(t, batches(c, m.Update))
	for l := range classes {
		for p := range classes {
			require.Equal(t, c.Tensor("matrix").Data[l*classes+p], m.Count(l, p))
		}
		require.InDelta(t, c.Tensor("precision").Data[l], m.Precision(l), near)
		require.InDelta(t, c.Tensor("recall").Data[l], m.Recall(l), near)
		require.InDelta(t, c.Tensor("f1").Data[l], m.F1(l), near)
		require.InDelta(t, c.Tensor("f2").Data[l], m.FBeta(l, 2), near)
	}
	require.InDelta(t, c.Float("accuracy"), m.Result(), near)
	require.InDelta(t, c.Float("mean_iou"), m.MeanIoU(), near)
	require.InDelta(t, c.Float("f1_micro"), m.Micro().F1, near)
	require.InDelta(t, c.Float("f1_macro"), m.Macro().F1, near)
	require.InDelta(t, c.Float("f1_weighted"), m.Weighted().F1, near)
	// Means of precision and recall, which Keras has not, from its values per class.
	var p, r, pw, rw, all float64
	for l := range classes {
		p += c.Tensor("precision").Data[l] / float64(classes)
		r += c.Tensor("recall").Data[l] / float64(classes)
		pw += c.Tensor("precision").Data[l] * m.Support(l)
		rw += c.Tensor("recall").Data[l] * m.Support(l)
		all += m.Support(l)
	}
	require.InDelta(t, p, m.Macro().Precision, near)
	require.InDelta(t, r, m.Macro().Recall, near)
	require.InDelta(t, pw/all, m.Weighted().Precision, near)
	require.InDelta(t, rw/all, m.Weighted().Recall, near)
	require.InDelta(t, m.Result(), m.Weighted().Recall, 1e-12, "as it must be")
}

// TestNotFinite: NaN never counts as right in the top k, and is the largest for argmax, as in NumPy and TensorFlow.
func TestNotFinite(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	top := metrics.TopK{K: 2}
	require.NoError(t, top.Update([]float32{nan, 1, 0, 1, nan, 0, inf, 1, 0, 1, 1, 1}, []int{1, 0, 0, 2}, nil))
	require.Equal(t, 0.25, top.Result(), "three equal scores are among the best two alone")
	require.Equal(t, 1, metrics.Argmax([]float32{0, nan, inf}))
	require.Equal(t, 0, metrics.Argmax([]float32{1, 1}))
	require.ErrorContains(t, (&metrics.AUC{}).Update([]float32{nan}, []int{1}, nil), "score 0 is NaN")
}

func TestErrors(t *testing.T) {
	confusion, err := metrics.NewConfusion(3)
	require.NoError(t, err)
	for want, err := range map[string]error{
		"got 3 scores for 2 labels":              (&metrics.Accuracy{}).Update([]float32{1, 2, 3}, []int{0, 1}, nil),
		"BinaryAccuracy measures those":          (&metrics.Accuracy{}).Update([]float32{1, 2}, []int{0, 1}, nil),
		"label 1 is 2, expected 0 to 1":          (&metrics.Accuracy{}).Update([]float32{1, 2, 3, 4}, []int{0, 2}, nil),
		"label 0 is -1, expected 0 to 2":         confusion.Update([]float32{1, 2, 3}, []int{-1}, nil),
		"expected 3 for each":                    confusion.Update([]float32{1, 2}, []int{1}, nil),
		"got 1 labels and 2 weights":             confusion.Update([]float32{1, 2, 3}, []int{1}, []float32{1, 2}),
		"weight 0 is -1":                         (&metrics.TopK{}).Update([]float32{1, 2, 3}, []int{1}, []float32{-1}),
		"K is -2":                                (&metrics.TopK{K: -2}).Update([]float32{1, 2, 3}, []int{1}, nil),
		"got 2 scores and no labels":             (&metrics.BinaryAccuracy{}).Update([]float32{1, 2}, nil, nil),
		"example 0 has label 1 and prediction 3": confusion.Add([]int{3}, []int{1}, nil),
		"got 2 predictions, 1 labels":            confusion.Add([]int{0, 1}, []int{1}, nil),
		`Curve is "roc"`:                         (&metrics.AUC{Curve: "roc"}).Update([]float32{1}, []int{1}, nil),
		`Summation is "sum"`:                     (&metrics.AUC{Summation: "sum"}).Update([]float32{1}, []int{1}, nil),
		"Thresholds is 1":                        (&metrics.AUC{Thresholds: 1}).Update([]float32{1}, []int{1}, nil),
		"Thresholds is 1073741824":               (&metrics.AUC{Thresholds: 1 << 30}).Update([]float32{1}, []int{1}, nil),
		"class weight 1 is -2":                   (&metrics.AUC{ClassWeights: []float64{1, -2}}).Update([]float32{1, 0}, []int{1}, nil),
		"got 1 class weights for 2 classes":      (&metrics.AUC{ClassWeights: []float64{1}}).Update([]float32{1, 0}, []int{1}, nil),
	} {
		var typed *metrics.Error
		require.ErrorAs(t, err, &typed, want)
		require.ErrorContains(t, err, want)
	}
	require.Zero(t, confusion.Result(), "nothing of a wrong batch was taken")
	for _, n := range []int{-1, 0, 1, 1 << 30} {
		_, err = metrics.NewConfusion(n)
		require.ErrorContains(t, err, "classes, expected 2 to")
	}
}

// TestAUCOfOneClass: without positives or without negatives there is no curve; Keras says 0, too. And its settings stay as they are.
func TestAUCOfOneClass(t *testing.T) {
	for _, label := range []int{0, 1} {
		a := metrics.AUC{}
		require.NoError(t, a.Update([]float32{0.1, 0.6, float32(math.Inf(1)), float32(math.Inf(-1))}, []int{label, label, label, label}, nil))
		require.Zero(t, a.Result())
		for _, change := range []func(){func() { a.Thresholds = 300 }, func() { a.Thresholds = 0; a.ClassWeights = []float64{math.NaN()} }} {
			change()
			require.Error(t, a.Update([]float32{0.5}, []int{1}, nil))
		}
	}
	multi := metrics.AUC{}
	require.NoError(t, multi.Update([]float32{0.5, 0.5}, []int{1}, nil))
	multi.MultiLabel = true
	require.ErrorContains(t, multi.Update([]float32{0.5, 0.5}, []int{1}, nil), "Reset it first")
	multi.Reset()
	require.NoError(t, multi.Update([]float32{0.5, 0.5}, []int{1}, nil))
}

func TestReportAndCSV(t *testing.T) {
	m, err := metrics.NewConfusion(3)
	require.NoError(t, err)
	require.NoError(t, m.Add([]int{0, 0, 1, 2, 1, 1}, []int{0, 0, 0, 2, 1, 2}, nil))
	require.Equal(t, strings.TrimPrefix(`
class          precision     recall         F1    support
cat               1.0000     0.6667     0.8000          3
dog               0.3333     1.0000     0.5000          1
2                 1.0000     0.5000     0.6667          2

accuracy                                0.6667          6
macro mean        0.7778     0.7222     0.6556          6
weighted mean     0.8889     0.6667     0.7056          6
`, "\n"), m.Report([]string{"cat", "dog"}))
	var text strings.Builder
	require.NoError(t, m.WriteCSV(&text, []string{"cat", "dog, big", "emu"}))
	require.Equal(t, "label\\predicted,cat,\"dog, big\",emu\ncat,2,1,0\n\"dog, big\",0,1,0\nemu,0,1,1\n", text.String())
	require.ErrorContains(t, m.WriteCSV(os.Stderr, nil), "got 0 names for 3 classes")
	require.True(t, math.IsNaN(func() float64 { m.Reset(); return m.IoU(0) }()))
	require.Zero(t, m.MeanIoU())
	require.NotContains(t, m.Report(nil), "NaN")
}

// TestUpdatesAllocateNothing after the first.
func TestUpdatesAllocateNothing(t *testing.T) {
	confusion, err := metrics.NewConfusion(3)
	require.NoError(t, err)
	scores, labels := []float32{0.1, 0.2, 0.7, 0.5, 0.3, 0.2}, []int{2, 1}
	for _, m := range []metrics.Metric{&metrics.Accuracy{}, &metrics.TopK{K: 2}, &metrics.AUC{}, &metrics.AUC{MultiLabel: true}, confusion} {
		require.NoError(t, m.Update(scores, labels, nil))
		require.Zero(t, testing.AllocsPerRun(10, func() { _ = m.Update(scores, labels, nil) }), "%T", m)
	}
}

// TestConfusionThatWasNotMade: the zero value has no classes to count, and says so.
func TestConfusionThatWasNotMade(t *testing.T) {
	var c metrics.Confusion
	var wrong *metrics.Error
	require.ErrorAs(t, c.Update([]float32{1, 2}, []int{1}, nil), &wrong)
	require.ErrorAs(t, c.Add([]int{1}, []int{1}, nil), &wrong)
}
