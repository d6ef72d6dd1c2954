package nn

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// text returns what an SVG says.
func text(t *testing.T, svg []byte) string {
	var all []string
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return strings.Join(all, "\n")
		}
		require.NoError(t, err)
		if s, ok := token.(xml.CharData); ok && len(bytes.TrimSpace(s)) > 0 {
			all = append(all, string(s))
		}
	}
}

func TestPlot(t *testing.T) {
	m := nestedBranches(t)
	var svg, dot bytes.Buffer
	require.NoError(t, m.WriteSVG(&svg, PlotOptions{}))
	said := text(t, svg.Bytes())
	require.Contains(t, said, "branches: 8 layers, 554 parameters")
	require.Contains(t, said, "flat\nFlatten\n(None, 8, 8, 3) → (None, 192)")
	require.Contains(t, said, "inner\nFunctional\n(None, 8, 8, 3) → (None, 8, 8, 3)\n84 parameters")
	require.NotContains(t, said, "q1")
	require.NoError(t, m.WriteDOT(&dot, PlotOptions{}))
	require.Equal(t, 9, strings.Count(dot.String(), " -> "), "two arrows each to add and end, whose third input is its first")

	svg.Reset()
	require.NoError(t, m.WriteSVG(&svg, PlotOptions{ExpandNested: true, HideShapes: true, HideParams: true, Activations: true}))
	said = text(t, svg.Bytes())
	require.Contains(t, said, "q1\ninner\nConv2D")
	require.NotContains(t, said, "(None")
	require.NotContains(t, said, "jj", "the input of a nested model is what it is applied to")
	dot.Reset()
	require.NoError(t, m.WriteDOT(&dot, PlotOptions{ExpandNested: true}))
	require.Contains(t, dot.String(), "subgraph cluster_")

	svg.Reset()
	require.NoError(t, tinyCNN(t, ChannelsLast).WriteSVG(&svg, PlotOptions{HideNames: true, Activations: true}))
	require.Contains(t, text(t, svg.Bytes()), "activation relu")
	require.ErrorIs(t, m.WriteSVG(full{}, PlotOptions{}), errFull)
}
