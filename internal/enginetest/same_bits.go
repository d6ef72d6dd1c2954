package enginetest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

// RequireSameBits runs the case on both engines and requires the same results bit by bit.
func (c Case) RequireSameBits(t *testing.T, a, b graph.Engine, dt tensor.Dtype) {
	want, got := c.results(t, a, dt), c.results(t, b, dt)
	require.Len(t, got, len(want))
	for i, w := range want {
		require.True(t, slices.Equal(w.value, got[i].value), "%s: %s of %s is not the same", c.Name, w.name, dt)
	}
}
