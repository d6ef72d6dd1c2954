package train

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Metrics are the running means of an epoch: loss, top-1 and top-5 accuracy over
// all examples so far. A batch weighs as many times as it has examples, so that a
// smaller last batch counts right. The zero value is an epoch not begun; JSON
// keeps every bit, so that a resumed epoch goes on exactly.
type Metrics struct {
	examples   int64
	lossSum    float64 // loss of a batch times its examples, summed
	top1, top5 int64   // correct examples
}

// Add counts a batch of n examples with their mean loss and how many of them had
// their label as the best guess (top1) or among the five best (top5). A batch of
// no examples changes nothing.
func (m *Metrics) Add(n int, loss float64, top1, top5 int) {
	if n <= 0 {
		return
	}
	m.examples += int64(n)
	m.lossSum += loss * float64(n)
	m.top1 += int64(top1)
	m.top5 += int64(top5)
}

// Examples is the number of examples counted.
func (m *Metrics) Examples() int64 { return m.examples }

// Loss is the mean loss per example; NaN before the first batch.
func (m *Metrics) Loss() float64 { return m.lossSum / float64(m.examples) }

// Top1 is the fraction of examples whose label was the best guess, 0…1; NaN
// before the first batch.
func (m *Metrics) Top1() float64 { return float64(m.top1) / float64(m.examples) }

// Top5 is the fraction of examples whose label was among the five best guesses,
// 0…1; NaN before the first batch.
func (m *Metrics) Top5() float64 { return float64(m.top5) / float64(m.examples) }

// metricsJSON is the form on disk. The sum is text, so that it keeps every bit
// whatever program rewrites the JSON, and may be NaN, which JSON numbers cannot.
type metricsJSON struct {
	Examples int64  `json:"examples"`
	LossSum  string `json:"loss_sum"`
	Top1     int64  `json:"top1"`
	Top5     int64  `json:"top5"`
}

// MarshalJSON implements json.Marshaler.
func (m Metrics) MarshalJSON() ([]byte, error) {
	return json.Marshal(metricsJSON{m.examples, strconv.FormatFloat(m.lossSum, 'g', -1, 64), m.top1, m.top5})
}

// UnmarshalJSON implements json.Unmarshaler. Counts that cannot be are an error.
func (m *Metrics) UnmarshalJSON(b []byte) error {
	var j metricsJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	sum, err := strconv.ParseFloat(j.LossSum, 64)
	if err != nil {
		return fmt.Errorf("train: metrics: loss_sum is %q, not a number", j.LossSum)
	}
	if j.Top1 < 0 || j.Top5 < j.Top1 || j.Examples < j.Top5 {
		return fmt.Errorf("train: metrics: %d examples, %d right at top-1 and %d at top-5 do not go together", j.Examples, j.Top1, j.Top5)
	}
	*m = Metrics{examples: j.Examples, lossSum: sum, top1: j.Top1, top5: j.Top5}
	return nil
}

// Meter measures throughput in examples per second, over everything and lately.
// The zero value is ready; times are given by the caller, which keeps pauses
// (validation, saving) out.
type Meter struct {
	examples float64
	seconds  float64
	// The recent rate is a ratio of two sums that fade with time.
	recentExamples, recentSeconds float64
}

// meterMemory is the time after which a step's weight in Recent has fallen to 1/e.
const meterMemory = 10 * time.Second

// Add counts n examples that took elapsed. A time that is not positive is taken
// as none.
func (m *Meter) Add(n int, elapsed time.Duration) {
	seconds := max(elapsed.Seconds(), 0)
	m.examples += float64(n)
	m.seconds += seconds
	fade := math.Exp(-seconds / meterMemory.Seconds())
	m.recentExamples = m.recentExamples*fade + float64(n)
	m.recentSeconds = m.recentSeconds*fade + seconds
}

// Mean is the rate over everything added, in examples per second; 0 before any
// time has passed.
func (m *Meter) Mean() float64 { return rate(m.examples, m.seconds) }

// Recent is the rate of about the last ten seconds, in examples per second.
func (m *Meter) Recent() float64 { return rate(m.recentExamples, m.recentSeconds) }

func rate(examples, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return examples / seconds
}

// Remaining estimates the time for n more examples at the recent rate; ok is
// false while there is none.
func (m *Meter) Remaining(n int64) (d time.Duration, ok bool) {
	r := m.Recent()
	if r <= 0 {
		return 0, false
	}
	seconds := float64(max(n, 0)) / r
	return time.Duration(min(seconds, math.MaxInt64/2e9) * float64(time.Second)), true
}
