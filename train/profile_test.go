package train_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/train"
)

// profiled is a watcher that also takes profiles.
type profiled struct {
	watcher
	batches, runs []int
	files         []string
	at            int // batches seen when it came
	seen          int
	idle          *graph.Idle
	memory        []graph.MemoryUse
}

func (p *profiled) Step(q train.Progress) {
	if !q.Validating {
		p.seen++
	}
	p.watcher.Step(q)
}

func (p *profiled) Profile(all []*train.BatchProfile, files []string) {
	p.files, p.at = files, p.seen
	for _, b := range all {
		p.idle, p.memory = b.Idle, b.Memory
		p.batches, p.runs = append(p.batches, b.Batch), append(p.runs, b.Runs)
	}
}

// profile trains with c and returns what its observer was told.
func profile(t *testing.T, ctx context.Context, c train.Config) (*profiled, error) {
	t.Helper()
	split, err := sample()
	require.NoError(t, err)
	w := &profiled{}
	tr, err := train.New(c, split, engine(t, c.Threads), w)
	require.NoError(t, err)
	defer func() { require.NoError(t, tr.Close()) }()
	return w, tr.Run(ctx)
}

func TestProfileOfARun(t *testing.T) {
	c := small(t)
	c.Epochs, c.Profile = 2, train.ProfileFileName
	w, err := profile(t, t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, []int{16, 6}, w.batches, "the last batch of each epoch has 6 images")
	require.Equal(t, []int{8, 2}, w.runs)
	require.Equal(t, []string{filepath.Join(c.Out, "profile.json"), filepath.Join(c.Out, "profile.txt")}, w.files)
	trace, err := os.ReadFile(w.files[0])
	require.NoError(t, err)
	require.True(t, json.Valid(trace))
	require.Contains(t, string(trace), `"batch of 6"`)
	text, err := os.ReadFile(w.files[1])
	require.NoError(t, err)
	require.Contains(t, string(text), "batch of 16\n8 runs of ")
	require.Contains(t, string(text), "batch of 6\n2 runs of ")
	require.Contains(t, string(text), "Conv2DBackwardFilter")

	// It is no part of what the run is: the run goes on without it, and with it elsewhere.
	recorded, _, err := train.ReadConfig(c.Out)
	require.NoError(t, err)
	require.Empty(t, recorded.Profile)
	recorded.Resume, recorded.Epochs = true, 3
	recorded.Profile, recorded.ProfileSteps = filepath.Join(t.TempDir(), "third"), 2
	w, err = profile(t, t.Context(), recorded)
	require.NoError(t, err)
	require.Equal(t, []int{2}, w.runs)
	require.Equal(t, 1, w.at, "it comes when it is complete, before the second step is reported")
	require.FileExists(t, recorded.Profile+".json")
	require.FileExists(t, recorded.Profile+".txt")
}

// idling is an engine that says that its device waits.
type idling struct {
	remote
	begun, ended int
}

func (e *idling) WatchIdle() error {
	e.begun++
	return nil
}

func (e *idling) Idle() (graph.Idle, error) {
	e.ended++
	return graph.Idle{Runs: 3, Waiting: 3 * time.Millisecond, Busy: 27 * time.Millisecond}, nil
}

func (*idling) MemoryUses() []graph.MemoryUse {
	return []graph.MemoryUse{{Purpose: "weights", Bytes: 3 << 20}, {Purpose: "the rest", Bytes: 1 << 20}}
}

// Of a device that can tell it, a profile says how long it waited between steps that nobody timed, and what its memory is held for.
func TestProfileOfIdleDevice(t *testing.T) {
	split, err := sample()
	require.NoError(t, err)
	c := small(t)
	c.Epochs, c.Batch, c.Profile, c.ProfileSteps = 1, 4, train.ProfileFileName, 5 // 18 steps: two to warm up, two to watch
	w, e := &profiled{}, &idling{remote: remote{Engine: engine(t, 1)}}
	tr, err := train.New(c, split, e, w)
	require.NoError(t, err)
	defer func() { require.NoError(t, tr.Close()) }()
	require.NoError(t, tr.Run(t.Context()))
	require.Equal(t, []int{1, 1, 5, 8}, []int{e.begun, e.ended, w.runs[0], w.at})
	require.NotNil(t, w.idle)
	require.InDelta(t, 0.1, w.idle.Share(), 1e-9)
	text, err := os.ReadFile(w.files[1])
	require.NoError(t, err)
	require.Len(t, w.memory, 2)
	require.Contains(t, string(text), "\n\ndevice memory\nweights                              3.00 MiB\n")
	require.Contains(t, string(text), "GPU idle 10.0 % of steady state: 1ms before a step of 9ms, in the mean of 3")
}

func TestProfileDoesNotChangeTheRun(t *testing.T) {
	plain, timed := small(t), small(t)
	timed.Profile = "times"
	want, err := run(t, plain, nil)
	require.NoError(t, err)
	got, err := profile(t, t.Context(), timed)
	require.NoError(t, err)
	for i := range want.rows {
		require.Equal(t, want.rows[i].Loss, got.rows[i].Loss)
	}
	require.FileExists(t, filepath.Join(timed.Out, "times.json"))
}

func TestProfileOfAnInterruptedRun(t *testing.T) {
	c := small(t)
	c.Profile = t.TempDir() // a folder
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w, err := profile(t, ctx, c)
	require.ErrorIs(t, err, train.ErrInterrupted)
	require.Equal(t, []int{1}, w.runs)
	require.FileExists(t, filepath.Join(c.Profile, "profile.json"))
}

func TestProfileThatCannotBeMade(t *testing.T) {
	c := small(t)
	c.Epochs, c.Profile = 1, filepath.Join(t.TempDir(), "nowhere", "profile.json")
	w, err := profile(t, t.Context(), c)
	require.ErrorContains(t, err, c.Profile)
	require.Len(t, w.rows, 1, "the training is done nevertheless")

	c = small(t)
	c.Epochs, c.Profile, c.ProfileSteps = 1, filepath.Join(t.TempDir(), "nowhere", "profile.json"), 1
	w, err = profile(t, t.Context(), c)
	require.NoError(t, err)
	require.Len(t, w.notes, 1)
	require.Contains(t, w.notes[0], c.Profile)

	c.Resume, c.ProfileSteps = true, 0
	w, err = profile(t, t.Context(), recordedOf(t, c))
	require.NoError(t, err)
	require.Equal(t, []string{"no step was run, so there is no profile"}, w.notes)
	c.ProfileSteps = -1
	require.ErrorContains(t, c.Validate(), "--profile-steps wants at least 0, got -1")
}

// recordedOf is the recorded configuration of a run, with c's wishes for a profile.
func recordedOf(t *testing.T, c train.Config) train.Config {
	recorded, _, err := train.ReadConfig(c.Out)
	require.NoError(t, err)
	recorded.Resume, recorded.Profile, recorded.ProfileSteps = c.Resume, c.Profile, c.ProfileSteps
	return recorded
}

// StepGraph is the graph that NewTrainStep compiles.
func TestStepGraph(t *testing.T) {
	for _, opt := range []train.Optimizer{train.Adam{}, train.SGD{Momentum: 0.9}, train.SGD{}} {
		m := tiny(t, 0.5)
		s, err := train.NewTrainStep(graph.Null{}, m, opt, train.NewSlots(m, opt), 5, 3)
		require.NoError(t, err)
		defer s.Close()
		g, o, err := train.StepGraph(m, opt, 5, 3)
		require.NoError(t, err)
		p, err := graph.PlanFor(g, o...)
		require.NoError(t, err)
		require.Equal(t, s.Plan().String(), p.String())
		for _, v := range p.Inputs {
			if v.Variable {
				require.Nil(t, v.Node.Value(), v.Name)
			}
		}
	}
	_, raw, _ := waysOf(t, augmented)
	c, opt := small(t), train.Adam{}
	c.Classes, c.Input = raw.Dataset().Classes, raw.Dataset().Shape
	m, err := train.NewModel(c)
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	s, err := train.NewTrainStepFor(raw, graph.Null{}, m, opt, train.NewSlots(m, opt), 5, 3)
	require.NoError(t, err)
	defer s.Close()
	g, o, err := train.StepGraphFor(raw.Config(), m, opt, 5, 3)
	require.NoError(t, err)
	p, err := graph.PlanFor(g, o...)
	require.NoError(t, err)
	require.Equal(t, s.Plan().String(), p.String())
	require.Equal(t, "Augment", p.Steps[0].Instr.Kind())

	g, o, err = train.InferenceGraph(tiny(t, 0.5), 4)
	require.NoError(t, err)
	p, err = graph.PlanFor(g, o...)
	require.NoError(t, err)
	require.Equal(t, "Softmax", p.Steps[len(p.Steps)-1].Instr.Kind())
	require.Empty(t, p.Assigns)
}
