package train_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/train"
)

// failing is an engine that fails to build or to run some plans.
type failing struct {
	graph.Engine
	build, run func(p *graph.Plan) error
}

func (f failing) Build(p *graph.Plan) (graph.Program, error) {
	if err := f.build(p); err != nil {
		return nil, err
	}
	prog, err := f.Engine.Build(p)
	return failingProgram{prog, func() error { return f.run(p) }}, err
}

type failingProgram struct {
	graph.Program
	run func() error
}

func (p failingProgram) Run() error {
	if err := p.run(); err != nil {
		return err
	}
	return p.Program.Run()
}

var errNoMemory = errors.New("out of memory")

// TestRunThatDoesNotBegin: whether the training step or the validation cannot be built, or the first step fails, the folder holds
// no run afterwards, and the same folder serves the next try.
func TestRunThatDoesNotBegin(t *testing.T) {
	never := func(*graph.Plan) error { return nil }
	training := func(p *graph.Plan) error {
		if len(p.Assigns) > 0 {
			return errNoMemory
		}
		return nil
	}
	validation := func(p *graph.Plan) error {
		if len(p.Assigns) == 0 {
			return errNoMemory
		}
		return nil
	}
	for name, e := range map[string]failing{
		"training cannot be built":   {build: training, run: never},
		"validation cannot be built": {build: validation, run: never},
		"the first step fails":       {build: never, run: training},
	} {
		t.Run(name, func(t *testing.T) {
			e.Engine = engine(t, 1)
			c := small(t)
			c.Epochs = 1
			_, err := runOn(t, c, e, nil)
			require.ErrorIs(t, err, errNoMemory)
			require.NoDirExists(t, c.Out)

			// A folder that was there stays, with what else is in it.
			require.NoError(t, os.Mkdir(c.Out, 0o755))
			mine := filepath.Join(c.Out, "mine")
			require.NoError(t, os.WriteFile(mine, nil, 0o644))
			_, err = runOn(t, c, e, nil)
			require.ErrorIs(t, err, errNoMemory)
			entries, err := os.ReadDir(c.Out)
			require.NoError(t, err)
			require.Len(t, entries, 1)
			require.FileExists(t, mine)

			c.Batch = 8
			_, err = run(t, c, nil)
			require.NoError(t, err)
			before := outcomeOf(t, c.Out)

			// A run that is there is not touched by a resumption that fails.
			c = resumed(t, c)
			c.Epochs = 2
			_, err = runOn(t, c, e, nil)
			require.ErrorIs(t, err, errNoMemory)
			requireOutcome(t, before, c.Out)
		})
	}
}

// TestFailureAfterTheFirstStep keeps what there is to go on from.
func TestFailureAfterTheFirstStep(t *testing.T) {
	steps := 0
	e := failing{Engine: engine(t, 1), build: func(*graph.Plan) error { return nil }, run: func(p *graph.Plan) error {
		if steps++; steps == 3 {
			return errNoMemory
		}
		return nil
	}}
	c := small(t)
	_, err := runOn(t, c, e, nil)
	require.ErrorIs(t, err, errNoMemory)
	_, err = run(t, resumed(t, c), nil)
	require.NoError(t, err)
	rows, err := train.ReadHistory(filepath.Join(c.Out, train.HistoryFileName))
	require.NoError(t, err)
	require.Len(t, rows, c.Epochs)
}
