package stheno_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// README's program is one that is built and run: the file, from its package clause on.
func TestREADMEShowsTheProgram(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	program, err := os.ReadFile("examples/library/main.go")
	require.NoError(t, err)
	_, shown, ok := strings.Cut(string(readme), "```go\npackage main\n")
	require.True(t, ok, "README.md has no program")
	shown, _, ok = strings.Cut(shown, "```\n")
	require.True(t, ok)
	_, want, ok := strings.Cut(string(program), "\npackage main\n")
	require.True(t, ok)
	require.Equal(t, want, shown, "copy examples/library/main.go into README.md")
}
