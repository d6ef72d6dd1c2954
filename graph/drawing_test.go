package graph_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

func TestDOT(t *testing.T) {
	b := small(t)
	p, err := graph.PlanFor(b.G, b.Options(graph.Null{})...)
	require.NoError(t, err)
	var plan, nodes bytes.Buffer
	require.NoError(t, graph.WriteDOT(&plan, p))
	require.NoError(t, graph.WriteGraphDOT(&nodes, b.G))
	golden(t, filepath.Join("testdata", "explain", "plan.dot"), plan.String())
	golden(t, filepath.Join("testdata", "explain", "graph.dot"), nodes.String())
	dot, err := exec.LookPath("dot")
	if err != nil {
		t.Skip("Graphviz, which would say whether it can read it, is not installed")
	}
	for _, text := range []string{plan.String(), nodes.String()} {
		cmd := exec.Command(dot, "-Tsvg")
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "</svg>")
	}
}

// drawings are those of all graphs of the conformance suite, before and after compilation.
func drawings(t *testing.T) map[string]*graph.Drawing {
	all := map[string]*graph.Drawing{}
	for _, c := range enginetest.Cases() {
		b := enginetest.NewB(t, tensor.Float32)
		c.Build(b)
		p, err := graph.PlanFor(b.G, b.Options(graph.Null{})...)
		require.NoError(t, err)
		all[c.Name], all[c.Name+" (graph)"] = graph.DrawPlan(p), graph.DrawGraph(b.G)
	}
	return all
}

// An SVG is well-formed, has every step once, and does not change from one time to the next.
func TestSVG(t *testing.T) {
	numtest.Sequential(t)
	b := small(t)
	p, err := graph.PlanFor(b.G, b.Options(graph.Null{})...)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, graph.DrawPlan(p).WriteSVG(&out))
	for i := range p.Steps {
		require.Equal(t, 1, strings.Count(out.String(), fmt.Sprintf(`<g id="s%d">`, i)))
	}
	require.Contains(t, out.String(), ">momentum/conv/kernel</text>", "what a step has for itself is in its box")
	for name, d := range drawings(t) {
		var one, two bytes.Buffer
		require.NoError(t, d.WriteSVG(&one))
		require.NoError(t, d.WriteSVG(&two))
		require.Equal(t, one.String(), two.String(), name)
		read := xml.NewDecoder(&one)
		for {
			_, err := read.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, name)
		}
	}
}

// Every box stands below all that it reads, and no two of a row overlap.
func TestLayout(t *testing.T) {
	numtest.Sequential(t)
	for name, d := range drawings(t) {
		at := graph.Boxes(d, 50)
		for i, a := range at {
			from, id := graph.Arrows(d, i)
			for _, k := range from {
				require.Less(t, at[k][0], a[0], "%s: %s is not below what it reads", name, id)
			}
			for k := range at[:i] {
				require.False(t, at[k][0] == a[0] && at[k][1] < a[2]-1e-6 && a[1] < at[k][2]-1e-6, "%s: %s overlaps", name, id)
			}
		}
	}
}

func TestDrawingsOfNothingAndOfOddNames(t *testing.T) {
	var out bytes.Buffer
	empty := graph.DrawGraph(gorgonia.NewGraph())
	require.NoError(t, empty.WriteDOT(&out))
	require.NoError(t, empty.WriteSVG(&out))
	require.NotContains(t, out.String(), "NaN")
	require.NotContains(t, out.String(), "Inf")

	b := enginetest.NewB(t, tensor.Float32)
	x := gorgonia.NewVector(b.G, tensor.Float32, gorgonia.WithShape(2), gorgonia.WithName(`a "quoted" <b> & \n`))
	d := graph.DrawGraph(gorgonia.Must(gorgonia.Tanh(x)).Graph())
	out.Reset()
	require.NoError(t, d.WriteDOT(&out))
	require.Contains(t, out.String(), `a \"quoted\" <b> & \\n`)
	out.Reset()
	require.NoError(t, d.WriteSVG(&out))
	require.NoError(t, xml.Unmarshal(out.Bytes(), new(struct{})))
	require.ErrorContains(t, d.WriteSVG(failing{}), "no room")
	require.ErrorContains(t, d.WriteDOT(failing{}), "no room")
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no room") }
