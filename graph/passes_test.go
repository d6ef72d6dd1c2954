package graph_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

var update = flag.Bool("update", false, "write the golden plans of testdata")

// Each pass alone: the plan before and after it, for every form of its pattern and for the near misses. That the plans
// still compute the same is checked by the suite of enginetest, of which these graphs are cases.
func TestPasses(t *testing.T) {
	numtest.Sequential(t)
	texts := map[string]*strings.Builder{}
	for _, c := range enginetest.FusionCases() {
		t.Run(c.Name, func(t *testing.T) {
			first := c.After
			if c.Viewed() && strings.Contains(plan(t, c, first...), "Copy") { // of a reshape, which later passes see as a view
				first = append(first, "view")
			}
			before, after := plan(t, c, first...), plan(t, c, append(slices.Clone(first), c.Pass)...)
			if texts[c.Pass] == nil {
				texts[c.Pass] = &strings.Builder{}
			}
			if len(c.Want) == 0 {
				require.Equal(t, before, after, "the pass must leave this plan alone")
				fmt.Fprintf(texts[c.Pass], "=== %s\n%s--- the same\n", c.Name, before)
				return
			}
			require.NotEqual(t, before, after, "the pass must change this plan")
			for _, w := range c.Want {
				require.Contains(t, after, w)
			}
			for _, l := range c.Lack {
				require.NotContains(t, after, l)
			}
			fmt.Fprintf(texts[c.Pass], "=== %s\n%s---\n%s", c.Name, before, after)
		})
	}
	for _, pass := range graph.PassNames() {
		if pass == "materialise" {
			continue // runs in all of them
		}
		require.Contains(t, texts, pass, "the pass has no cases")
		golden(t, filepath.Join("testdata", "passes", pass+".txt"), texts[pass].String())
	}
}

func plan(t *testing.T, c enginetest.FusionCase, passes ...string) string {
	b := enginetest.NewB(t, tensor.Float32)
	c.Build(b)
	var e graph.Engine = graph.Null{}
	if c.Pass == "batch-norm-join" || c.Pass == "conv-relu-grad" || c.Pass == "pool-relu-grad" {
		e = enginetest.Joining{Engine: e}
	}
	p, err := graph.PlanWith(b.G, passes, b.Options(e)...)
	require.NoError(t, err)
	return p.String()
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "make it with go test ./graph -update")
	require.Equal(t, string(want), got, "%s; if the change is meant, write it with go test ./graph -update", path)
}
