package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph"
)

// Feed, Start and Wait are RunAll in parts: what was fed is what the next run computes with.
func TestFeedStartWait(t *testing.T) {
	g, x, y := doubled(t)
	require.NoError(t, gorgonia.Let(x, vector(1, 2, 3)))
	m := compile(t, g, graph.WithOutputs(y))
	v, err := m.Value(y)
	require.NoError(t, err)

	require.NoError(t, m.Wait(), "nothing was started")
	require.NoError(t, m.Start(), "feeds what is bound")
	require.NoError(t, m.Wait())
	require.Equal(t, []float32{2, 4, 6}, v.Data())
	require.NoError(t, m.Wait(), "waiting twice is harmless")

	require.NoError(t, gorgonia.Let(x, vector(4, 5, 6)))
	require.NoError(t, m.Feed())
	require.NoError(t, m.Start())
	require.NoError(t, gorgonia.Let(x, vector(7, 8, 9)))
	require.NoError(t, m.Feed(), "while the run may be under way")
	require.NoError(t, m.Wait())
	require.Equal(t, []float32{8, 10, 12}, v.Data())
	require.NoError(t, m.RunAll(), "takes what was fed")
	require.Equal(t, []float32{14, 16, 18}, v.Data())

	require.NoError(t, m.Start())
	require.NoError(t, m.Start(), "waits for the first")
	require.NoError(t, m.Close())
	require.ErrorIs(t, m.Feed(), graph.ErrClosed)
	require.ErrorIs(t, m.Start(), graph.ErrClosed)
	require.ErrorIs(t, m.Wait(), graph.ErrClosed)
	require.ErrorIs(t, m.Refresh(), graph.ErrClosed)
}

func TestFeedTellsWhatIsMissing(t *testing.T) {
	g, _, y := doubled(t)
	m := compile(t, g, graph.WithOutputs(y))
	var missing *graph.FeedError
	require.ErrorAs(t, m.Feed(), &missing)
	require.ErrorAs(t, m.Start(), &missing)
}

// Inputs of which only a part was brought are no feed: the next run brings them again.
func TestFeedThatFails(t *testing.T) {
	g, x, y := doubled(t)
	fed := vector(1, 2, 3)
	require.NoError(t, gorgonia.Let(x, fed))
	m := compile(t, g, graph.WithOutputs(y))
	require.NoError(t, m.Feed())
	require.NoError(t, fed.Reshape(3, 1))
	var wrong *graph.FeedError
	require.ErrorAs(t, m.Feed(), &wrong)
	require.ErrorAs(t, m.RunAll(), &wrong)
	require.NoError(t, gorgonia.Let(x, vector(4, 5, 6)))
	require.Equal(t, []float32{8, 10, 12}, value(t, m, y))
}

// A program that looks at values between runs would find those of the run before.
func TestStartIsNotForTapeMachines(t *testing.T) {
	g, x, _ := doubled(t)
	require.NoError(t, gorgonia.Let(x, vector(1, 2, 3)))
	m := graph.NewTapeMachine(g)
	defer m.Close()
	require.ErrorContains(t, m.Start(), "tape machines")
	require.NoError(t, m.RunAll())
}
