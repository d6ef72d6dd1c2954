//go:build gpu && cgo && linux

package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Much working memory must be worth it, whichever way comes first.
func TestMuchWorkingMemoryMustBeWorthwhile(t *testing.T) {
	const much, little = 256 << 20, 1 << 20
	require.True(t, faster(0.96, little, 1, little))
	require.False(t, faster(0.98, little, 1, little), "no more than noise")
	require.False(t, faster(0.95, much, 1, little))
	require.True(t, faster(0.89, much, 1, little))
	require.True(t, faster(1.1, little, 1, much))
	require.False(t, faster(1.2, little, 1, much))
	require.True(t, faster(0.96, much, 1, 2*much))
	require.False(t, faster(0.98, moderate, 1, little))
}
