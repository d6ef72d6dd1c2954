package train_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/train"
)

// fedBytes is an engine that is fed with bytes.
type fedBytes struct{ graph.Null }

func (fedBytes) Remote() bool { return true }

// TestRunStepGraph: the plan that is shown of a configuration is the one that a run of it follows.
func TestRunStepGraph(t *testing.T) {
	for name, change := range map[string]func(*train.Config){
		"plain":     func(*train.Config) {},
		"rescaling": func(c *train.Config) { c.Arch = "mobilenetv3-small" },
		"augmented": func(c *train.Config) { c.Augment, c.Cutout, c.Standardise = true, 8, true },
		"mixed":     func(c *train.Config) { c.Mixup, c.LabelSmoothing = 0.2, 0.1 },
		"weighted":  func(c *train.Config) { c.ClassWeight, c.Loss = "balanced", train.Losses()[1] },
		"updates": func(c *train.Config) {
			c.Optimizer, c.Nesterov, c.WeightDecay, c.EMA, c.Accumulate = "sgd", true, 1e-4, 0.9, 2
		},
		"recomputed": func(c *train.Config) { c.Recompute = "segments:2" },
	} {
		t.Run(name, func(t *testing.T) {
			c := small(t)
			c.LimitTrain = 64 // full batches
			change(&c)
			for _, e := range []graph.Engine{graph.Null{}, fedBytes{}} {
				require.Equal(t, planOfRun(t, c, e), shownPlan(t, c, graph.IsRemote(e)))
			}
		})
	}
}

// planOfRun is the plan of a full batch, where gradients are accumulated of the last one of an update.
func planOfRun(t *testing.T, c train.Config, e graph.Engine) string {
	t.Helper()
	split, err := sample()
	require.NoError(t, err)
	c.Out = t.TempDir()
	tr, err := train.New(c, split, e, nil)
	require.NoError(t, err)
	p, err := tr.Plan()
	require.NoError(t, err)
	text := p.String()
	require.NoError(t, tr.Close())
	return text
}

func shownPlan(t *testing.T, c train.Config, raw bool) string {
	t.Helper()
	split, err := sample()
	require.NoError(t, err)
	c.Input, c.Classes = split.Train.Shape, split.Train.Classes
	if c.Standardise {
		n := data.Standardize(split.Train)
		c.Mean, c.Std = n.Mean, n.Std
	}
	m, err := train.NewModel(c)
	require.NoError(t, err)
	g, o, err := train.RunStepGraph(c, m, raw)
	require.NoError(t, err)
	p, err := graph.PlanFor(g, o...)
	require.NoError(t, err)
	return p.String()
}
