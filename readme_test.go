package stheno_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/internal/thousands"
	"github.com/stheno-ml/stheno/nn"
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

// The table of networks in docs/keras.md has the numbers of parameters that there are: of the first name in a row the first, and of the last
// name the last where there are several.
func TestZooHasItsParameters(t *testing.T) {
	text, err := os.ReadFile("docs/keras.md")
	require.NoError(t, err)
	_, zoo, ok := strings.Cut(string(text), "## The zoo\n")
	require.True(t, ok)
	zoo, _, _ = strings.Cut(zoo, "\n## ")
	name, number := regexp.MustCompile("`([a-z0-9-]+)`"), regexp.MustCompile(`\d+(,\d{3})+`)
	rows := 0
	for line := range strings.Lines(zoo) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		rows++
		names, numbers := name.FindAllStringSubmatch(cells[1], -1), number.FindAllString(cells[2], -1)
		require.NotEmpty(t, numbers, line)
		of := map[string]string{names[0][1]: numbers[0]}
		if len(numbers) > 1 {
			of[names[len(names)-1][1]] = numbers[len(numbers)-1]
		}
		for network, want := range of {
			c := arch.Config{Input: nn.Shape{224, 224, 3}, Classes: 1000}
			switch {
			case strings.HasSuffix(network, "-cifar"):
				c.Input, c.Classes = nn.Shape{32, 32, 3}, 10
			case network == "alexnet":
				c.Input = nn.Shape{227, 227, 3}
			}
			a, err := arch.ByName(network, c)
			require.NoError(t, err)
			m, err := a.Model()
			require.NoError(t, err)
			total, _, _ := m.CountParams()
			require.Equal(t, want, thousands.Format(total), network)
		}
	}
	require.GreaterOrEqual(t, rows, 10)
}
