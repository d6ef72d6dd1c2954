package graph_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// pretend is an engine whose programs only let time pass: step i takes i+1 microseconds, in the second run ten times that.
type pretend struct {
	graph.Null
	now  *time.Duration
	fail *bool
	once bool // step 2 is in the first run alone
}

func (pretend) Name() string { return "pretend" }

func (e pretend) Build(p *graph.Plan) (graph.Program, error) {
	return &pretended{engine: e, steps: len(p.Steps)}, nil
}

type pretended struct {
	engine pretend
	steps  int
	runs   int
}

func (p *pretended) Bind(*graph.Value, graph.Buffer) error { return nil }
func (p *pretended) Run() error                            { p.runs++; return nil }
func (p *pretended) Close() error                          { return nil }

func (p *pretended) RunObserved(o graph.Observer) error {
	for i := range p.steps {
		*p.engine.now += 100 * time.Nanosecond // between the steps
		if i == 1 && *p.engine.fail {
			return errors.New("broken")
		}
		if i == 2 && p.engine.once && p.runs > 0 {
			continue
		}
		o.Before(i)
		length := time.Duration(i+1) * time.Microsecond
		if p.runs == 1 {
			length *= 10
		}
		*p.engine.now += length
		if err := o.After(i, nil); err != nil {
			return err
		}
	}
	p.runs++
	return nil
}

// pretended profile of four runs, of which the third failed.
func pretendedProfile(t *testing.T) *graph.Profile {
	var now time.Duration
	var fail bool
	b := small(t)
	m := b.Compile(pretend{now: &now, fail: &fail})
	defer m.Close()
	m.StartProfileBy(func() time.Duration { return now })
	for i := range 4 {
		now += time.Millisecond
		if fail = i == 2; fail {
			require.ErrorContains(t, m.RunAll(), "broken")
		} else {
			require.NoError(t, m.RunAll())
		}
	}
	m.StopProfile()
	require.NoError(t, m.RunAll(), "not recorded any more")
	return m.Profile()
}

func TestProfile(t *testing.T) {
	p := pretendedProfile(t)
	require.Equal(t, 3, p.Runs, "the failed run does not count")
	n := len(p.Steps)
	sum := time.Duration(n*(n+1)/2) * time.Microsecond
	require.Equal(t, 12*sum+time.Duration(3*n)*100*time.Nanosecond, p.Wall)
	share := 0.0
	for i, s := range p.Steps {
		us := time.Duration(i+1) * time.Microsecond
		require.Equal(t, i, s.Step)
		require.Equal(t, 12*us, s.Total)
		require.Equal(t, us, s.Min)
		require.Equal(t, us, s.Median)
		require.InDelta(t, float64(s.FLOPs)/us.Seconds(), s.FLOPsPerSecond, 1e-3)
		share += s.Share
	}
	require.InDelta(t, 1, share, 1e-9)
	golden(t, filepath.Join("testdata", "explain", "profile.txt"), p.String())
	golden(t, filepath.Join("testdata", "explain", "profile-top3.txt"), p.Table(3))
}

// A step that is not in every run is in no trace of the others, and its times are of those that it was in.
func TestProfileOfWhatIsComputedOnce(t *testing.T) {
	profile := func(before, runs int) *graph.Profile {
		var now time.Duration
		m := small(t).Compile(pretend{now: &now, fail: new(bool), once: true})
		defer m.Close()
		now = time.Hour // traces begin with their first run
		for i := range before + runs {
			if i == before {
				m.StartProfileBy(func() time.Duration { return now })
			}
			require.NoError(t, m.RunAll())
		}
		if runs == 0 {
			m.StartProfileBy(func() time.Duration { return now })
		}
		return m.Profile()
	}
	costs := func(p *graph.Profile) (all graph.Cost) {
		for _, k := range p.Kinds() {
			all.FLOPs, all.Bytes = all.FLOPs+k.FLOPs, all.Bytes+k.Bytes
		}
		return all
	}
	const us = time.Microsecond
	p := profile(0, 4)
	once, other := p.Steps[2], p.Steps[3]
	require.Equal(t, []int{1, 4}, []int{once.Runs, other.Runs})
	require.Equal(t, []time.Duration{3 * us, 3 * us, 3 * us}, []time.Duration{once.Total, once.Min, once.Median})
	require.Equal(t, []time.Duration{52 * us, 4 * us, 4 * us}, []time.Duration{other.Total, other.Min, other.Median})
	every := costs(p)

	p = profile(1, 3)
	require.Zero(t, p.Steps[2].Runs)
	require.Zero(t, p.Steps[2].Total)
	require.Zero(t, p.Steps[2].Median)
	require.InDelta(t, every.Bytes, costs(p).Bytes+p.Steps[2].Bytes/4, 1, "what did not run costs nothing")
	var got trace
	require.NoError(t, json.Unmarshal(traceOf(t, p, p), &got))
	events := 0
	for _, e := range got.Events {
		require.GreaterOrEqual(t, *e.Ts, 0.0)
		if e.Args["step"] != nil {
			events++
			require.NotEqual(t, 2.0, e.Args["step"])
		}
	}
	require.Equal(t, 2*3*(len(p.Steps)-1), events)

	// Without runs there are no shares of them.
	p = profile(0, 0)
	p.Plan.Steps[2].Once = true
	none := costs(p)
	p.Plan.Steps[2].Once = false
	require.Equal(t, p.Steps[2].Bytes, costs(p).Bytes-none.Bytes)
}

// trace is what Perfetto reads of a trace.
type trace struct {
	Unit   string `json:"displayTimeUnit"`
	Events []struct {
		Name string         `json:"name"`
		Ph   string         `json:"ph"`
		Ts   *float64       `json:"ts"`
		Dur  *float64       `json:"dur"`
		Pid  *int           `json:"pid"`
		Tid  *int           `json:"tid"`
		Args map[string]any `json:"args"`
	} `json:"traceEvents"`
}

func TestTrace(t *testing.T) {
	p, q := pretendedProfile(t), pretendedProfile(t)
	var got trace
	require.NoError(t, json.Unmarshal(traceOf(t, p, q), &got))
	require.Equal(t, "ms", got.Unit)
	threads, complete := map[string]int{}, 0
	type stretch struct{ from, to float64 }
	runs := map[int][]stretch{}
	for _, e := range got.Events {
		require.NotNil(t, e.Pid)
		require.NotNil(t, e.Tid)
		require.NotNil(t, e.Ts)
		switch e.Ph {
		case "M":
			require.Contains(t, []string{"process_name", "thread_name"}, e.Name)
			threads[e.Args["name"].(string)] = *e.Tid
		case "X":
			complete++
			require.GreaterOrEqual(t, *e.Ts, 0.0)
			require.GreaterOrEqual(t, *e.Dur, 0.0)
			if e.Args == nil { // a run: what follows lies in it
				runs[*e.Tid] = append(runs[*e.Tid], stretch{*e.Ts, *e.Ts + *e.Dur})
				continue
			}
			in := runs[*e.Tid][len(runs[*e.Tid])-1]
			require.GreaterOrEqual(t, *e.Ts, in.from)
			require.LessOrEqual(t, *e.Ts+*e.Dur, in.to+1e-9)
			for _, key := range []string{"step", "operation", "kernel", "in", "out", "bytes"} {
				require.Contains(t, e.Args, key)
			}
		default:
			t.Errorf("an event of kind %q", e.Ph)
		}
	}
	require.Equal(t, map[string]int{"stheno": 0, "batch of 2": 1, "batch of 1": 2}, threads)
	require.Equal(t, 2*3*(1+len(p.Steps)), complete)
	require.Equal(t, 0.0, runs[1][0].from, "the trace begins with its first run")
	require.ErrorContains(t, p.WriteTrace(failing{}), "no room")
}

func traceOf(t *testing.T, profiles ...*graph.Profile) []byte {
	var out bytes.Buffer
	require.NoError(t, graph.WriteTrace(&out, []string{"batch of 2", "batch of 1"}, profiles...))
	return out.Bytes()
}

func TestProfileOnTheCPU(t *testing.T) {
	m, _ := trainer(t, 2, tensor.Float32)
	require.Nil(t, m.Profile())
	require.NoError(t, m.RunAll())
	require.NoError(t, m.StartProfile())
	require.Zero(t, m.Profile().Runs)
	require.Contains(t, m.Profile().String(), "0 runs of")
	for range 300 { // more than are kept
		require.NoError(t, m.RunAll())
	}
	p := m.Profile()
	require.Equal(t, 300, p.Runs)
	require.Len(t, p.Steps, len(m.Plan().Steps))
	var sum time.Duration
	for _, s := range p.Steps {
		require.GreaterOrEqual(t, s.Min, time.Duration(0))
		require.GreaterOrEqual(t, s.Median, s.Min)
		require.GreaterOrEqual(t, s.Total, 300*s.Min)
		sum += s.Total
	}
	require.LessOrEqual(t, sum, p.Wall)
	var out bytes.Buffer
	require.NoError(t, p.WriteTrace(&out))
	require.True(t, json.Valid(out.Bytes()))
	require.Contains(t, out.String(), `"name":"run 300"`)
	require.NotContains(t, out.String(), `"name":"run 290"`)

	// Recording does not cost the guarantee of TestStepsAllocateNothing.
	var err error
	require.Zero(t, testing.AllocsPerRun(50, func() { err = errors.Join(err, m.RunAll()) }))
	require.NoError(t, err)
	require.NoError(t, m.StartProfile())
	require.Zero(t, m.Profile().Runs, "it began anew")
}

func TestProfileWhereThereIsNone(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float32)
	b.Want("y", 0, b.Apply(&op.ReLU{}, b.Input("x", 2)))
	m := b.Compile(graph.Null{})
	require.ErrorContains(t, m.StartProfile(), "engine null does not tell when its steps begin and end")
	m.StopProfile()
	require.Nil(t, m.Profile())
	require.NoError(t, m.Close())
	require.ErrorIs(t, m.StartProfile(), graph.ErrClosed)
}
