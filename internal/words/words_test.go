package words

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlural(t *testing.T) {
	for n, want := range map[int]string{0: "steps", 1: "step", 2: "steps"} {
		require.Equal(t, want, Plural("step", n))
	}
}
