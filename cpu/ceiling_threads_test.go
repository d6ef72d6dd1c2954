package cpu

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// More threads than there are cores do no more, and take turns for it: measuring a thousand would last minutes.
func TestThreadsOfCeilings(t *testing.T) {
	cores := runtime.GOMAXPROCS(0)
	for asked, want := range map[int]int{0: cores, 1: 1, cores: cores, cores + 1: cores, 1000 + cores: cores} {
		n, err := atOnce(asked)
		require.NoError(t, err)
		require.Equal(t, want, n, "%d", asked)
	}
}
