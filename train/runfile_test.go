package train

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

type runSample struct {
	Arch  string  `json:"arch"`
	LR    float64 `json:"learning_rate"`
	Seed  uint64  `json:"seed"`
	Inner struct {
		Batch int `json:"batch"`
	} `json:"inner"`
	Hidden string `json:"-"`
}

func TestJSONFileRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), RunFileName)
	want := runSample{Arch: "<é>", LR: 0.30000000000000004, Seed: math.MaxUint64}
	want.Inner.Batch = 3
	require.NoError(t, WriteJSON(path, want))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "{\n  \"arch\": \"<é>\",\n  \"learning_rate\": 0.30000000000000004,\n  \"seed\": 18446744073709551615,\n  \"inner\": {\n    \"batch\": 3\n  }\n}\n", string(text))
	got, err := ReadJSON[runSample](path)
	require.NoError(t, err)
	require.Equal(t, want, got)

	// What cannot be written leaves the file as it was.
	require.ErrorContains(t, WriteJSON(path, runSample{LR: math.NaN()}), path)
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, text, again)
	require.ErrorContains(t, WriteJSON(filepath.Join(path, "x"), want), filepath.Join(path, "x"), "a file is no folder")
}

func TestJSONFileErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), RunFileName)
	for text, message := range map[string]string{
		"":                             ":1:1: the file ends within the JSON value",
		"{\n  \"arch\": \"vgg":         ":2:15: the file ends within the JSON value",
		"{\n  \"arch\": vgg}":          ":2:11: invalid character 'v'",
		"{\n\n \"seed\": -1}":          `expected uint64 for "seed", found number -1`,
		"{\"inner\":{\"batch\":\"\"}}": `expected int for "inner.batch", found string`,
		`[]`:                           "found array",
		`{"learning_rte":1}`:           `unknown field "learning_rte"; did you mean "learning_rate"?`,
		`{"Hidden":"x"}`:               `unknown field "Hidden"`,
		"{}\n{}":                       ":2:1: expected the end of the file",
		"{} x":                         ":1:4: expected the end of the file",
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		got, err := ReadJSON[runSample](path)
		require.ErrorAs(t, err, new(*JSONError), text)
		require.ErrorContains(t, err, message, text)
		require.ErrorContains(t, err, path)
		require.Zero(t, got)
	}
	require.NoError(t, os.WriteFile(path, []byte(" {} \r\n\t"), 0o644))
	_, err := ReadJSON[*runSample](path)
	require.NoError(t, err)

	require.NoError(t, os.Truncate(path, jsonFileMax+1))
	_, err = ReadJSON[runSample](path)
	require.ErrorContains(t, err, "at most 16777216 bytes")
	_, err = ReadJSON[runSample](path + "x")
	require.ErrorIs(t, err, fs.ErrNotExist)
}
