package train

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMetricsWeighByExamples(t *testing.T) {
	var m Metrics
	require.True(t, math.IsNaN(m.Loss()))
	require.True(t, math.IsNaN(m.Top1()))
	require.True(t, math.IsNaN(m.Top5()))
	m.Add(4, 2, 1, 3)
	m.Add(1, 12, 1, 1) // ragged last batch
	m.Add(0, math.NaN(), 5, 5)
	m.Add(-1, 1, 1, 1)
	require.EqualValues(t, 5, m.Examples())
	require.Equal(t, 4.0, m.Loss()) // not (2+12)/2
	require.Equal(t, 0.4, m.Top1())
	require.Equal(t, 0.8, m.Top5())
}

// An epoch that goes through JSON in the middle ends with the same bits.
func TestMetricsResumeExactly(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var straight, resumed Metrics
	for range 200 {
		n, loss := 1+r.IntN(64), r.ExpFloat64()*math.Pow(10, float64(r.IntN(8)-4))
		straight.Add(n, loss, n/3, n/2)
		resumed.Add(n, loss, n/3, n/2)
		b, err := json.Marshal(resumed)
		require.NoError(t, err)
		resumed = Metrics{}
		require.NoError(t, json.Unmarshal(b, &resumed))
	}
	require.Equal(t, straight, resumed)
	require.Equal(t, math.Float64bits(straight.Loss()), math.Float64bits(resumed.Loss()))
}

func TestMetricsJSONOfADivergedRun(t *testing.T) {
	for _, loss := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		var m, back Metrics
		m.Add(3, loss, 0, 0)
		b, err := json.Marshal(struct{ M Metrics }{m})
		require.NoError(t, err)
		var v struct{ M Metrics }
		require.NoError(t, json.Unmarshal(b, &v))
		back = v.M
		require.Equal(t, math.IsNaN(loss), math.IsNaN(back.Loss()))
		if !math.IsNaN(loss) {
			require.Equal(t, loss, back.Loss())
		}
		require.EqualValues(t, 3, back.Examples())
	}
}

func TestMetricsJSONRefuses(t *testing.T) {
	m := Metrics{examples: 7}
	for _, text := range []string{`{}`, `[]`, `{"examples":1,"loss_sum":"x","top1":0,"top5":0}`, `{"examples":1,"loss_sum":"1","top1":2,"top5":2}`,
		`{"examples":3,"loss_sum":"1","top1":2,"top5":1}`, `{"examples":-1,"loss_sum":"1","top1":-2,"top5":-1}`} {
		require.Error(t, json.Unmarshal([]byte(text), &m), text)
	}
	require.Equal(t, Metrics{examples: 7}, m)
}

func TestMeter(t *testing.T) {
	var m Meter
	require.Zero(t, m.Mean())
	require.Zero(t, m.Recent())
	_, ok := m.Remaining(10)
	require.False(t, ok)
	m.Add(5, 0) // no time yet: no rate
	require.Zero(t, m.Mean())

	m = Meter{}
	for range 100 {
		m.Add(50, time.Second)
	}
	require.InEpsilon(t, 50, m.Mean(), 1e-12)
	require.InEpsilon(t, 50, m.Recent(), 1e-12)
	for range 60 {
		m.Add(200, time.Second)
	}
	require.InEpsilon(t, (100*50+60*200)/160.0, m.Mean(), 1e-12)
	require.InEpsilon(t, 200, m.Recent(), 0.01, "the old rate is forgotten")
	d, ok := m.Remaining(2000)
	require.True(t, ok)
	require.InEpsilon(t, 10, d.Seconds(), 0.01)
	d, _ = m.Remaining(-4)
	require.Zero(t, d)
	d, _ = m.Remaining(math.MaxInt64)
	require.Positive(t, d)
	before := m
	m.Add(0, -time.Hour) // a clock that was set back
	require.Equal(t, before, m)
}
