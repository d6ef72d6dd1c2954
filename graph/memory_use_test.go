package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/graph"
)

type lister struct{ graph.Null }

func (lister) MemoryUses() []graph.MemoryUse {
	return []graph.MemoryUse{{Purpose: "weights", Bytes: 3 << 20}, {Purpose: "the rest", Bytes: 1 << 10}}
}

func TestMemoryUses(t *testing.T) {
	require.Empty(t, graph.MemoryUses(graph.Null{}))
	require.Empty(t, graph.MemoryTable(nil))
	uses := graph.MemoryUses(lister{})
	require.Len(t, uses, 2)
	require.Equal(t, `weights                              3.00 MiB
the rest                             1.00 KiB
device memory that the engine holds  3.00 MiB
`, graph.MemoryTable(uses))
	mixed := []graph.MemoryUse{{Purpose: "b", Bytes: 1}, {Purpose: "c", Bytes: 2}, {Purpose: "a", Bytes: 1}}
	graph.SortMemoryUses(mixed)
	require.Equal(t, []graph.MemoryUse{{Purpose: "c", Bytes: 2}, {Purpose: "a", Bytes: 1}, {Purpose: "b", Bytes: 1}}, mixed)
}
