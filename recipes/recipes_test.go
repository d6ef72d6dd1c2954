package recipes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBuiltIn: every recipe says what it is, and what is known of it.
func TestBuiltIn(t *testing.T) {
	require.Equal(t, []string{"resnet18-cifar100", "resnet18-cifar100-fast", "resnet50-cifar100", "vgg16-cifar100"}, Names())
	for _, name := range Names() {
		r, err := Open(name)
		require.NoError(t, err)
		require.Equal(t, name, r.Name)
		for _, text := range []string{r.About, r.Source, r.Published, r.Measured} {
			require.NotEmpty(t, text, name)
			require.NotContains(t, text, "\n", name)
		}
		data, ok := r.Setting("data")
		require.True(t, ok)
		require.Equal(t, "cifar100", data)
		_, ok = r.Setting("out")
		require.False(t, ok)
	}
}

func TestOpen(t *testing.T) {
	_, err := Open("resnet18-cifar10")
	require.ErrorContains(t, err, `unknown recipe "resnet18-cifar10"; did you mean "resnet18-cifar100"?`)
	_, err = Open("nosuch.yaml")
	require.ErrorIs(t, err, os.ErrNotExist)
	path := filepath.Join(t.TempDir(), "my.yml")
	require.NoError(t, os.WriteFile(path, []byte("# mine\ntrain:\n  lr: 5e-4\n  schedule: step:2,3:0.2+warmup:1 # down\n  augment: true\n  arch: 'vgg16'\n"), 0o600))
	r, err := Open(path)
	require.NoError(t, err)
	require.Equal(t, &Recipe{Name: path, Settings: []Setting{{"lr", "5e-4", 3}, {"schedule", "step:2,3:0.2+warmup:1", 4}, {"augment", "true", 5}, {"arch", "vgg16", 6}}}, r)
	require.NoError(t, os.WriteFile(path, []byte("about: "+strings.Repeat("x", fileMax)), 0o600))
	_, err = Open(path)
	require.ErrorContains(t, err, "at most 1048576 bytes")
}

func TestParseIsStrict(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "recipe a.yaml: is empty",
		"# nothing\n":                          "is empty",
		"about: x\n":                           "recipe a.yaml:1: sets nothing",
		"train:\n":                             "recipe a.yaml:1: sets nothing; expected settings under train:",
		"train: text\n":                        `recipe a.yaml:1: expected names of flags of stheno train with their values, found the text "text"`,
		"train: {}\n":                          "sets nothing",
		"- lr\n":                               "recipe a.yaml:1: expected keys such as about and train, found a list",
		"lr: 1\n":                              `recipe a.yaml:1: there is no key "lr"`,
		"abuot: x\n":                           `did you mean "about"?`,
		"train:\n  lr: 1\n  lr: 2\n":           "recipe a.yaml:3: lr is in line 2 already",
		"train:\n  lr: [1, 2]\n":               "recipe a.yaml:2: lr wants one value, found a list",
		"train:\n  lr: {a: 1}\n":               "found keys with values",
		"train:\n  lr:\n":                      "recipe a.yaml:2: lr has no value",
		"train:\n  lr: ~\n":                    "lr has no value",
		"train:\n  lr: &a 1\n  batch: *a\n":    "recipe a.yaml:2: lr wants one value, found an anchor",
		"train:\n  out: 2020-01-01\n":          "put it in quotes",
		"train:\n  ? [a]\n  : 1\n":             "a key wants one value",
		"train:\n  <<: {lr: 1}\n":              "put it in quotes",
		"train:\n  lr: 1\n---\ntrain: {a: 1}":  "more than one document",
		"train:\n  lr: 1\n--- [\n":             "is not YAML",
		"train:\n\tlr: 1\n":                    "is not YAML: line 2: found character that cannot start any token; indent with spaces",
		"train:\n  class-weight: @w.json\n":    "put a value in quotes that begins with a sign such as @ or %",
		"train: {lr: 1\n":                      "is not YAML",
		"train:\n  lr: \"\x00\"\n":             "is not YAML",
		"\xff\xfe\xff":                         "is not YAML",
		"train: &a\n  lr: 1\nabout: *a\n":      "about wants one value, found an anchor",
		"train: *a\n":                          "is not YAML",
		"%YAML 9.9\n---\ntrain: {lr: 1}\n":     "is not YAML",
		strings.Repeat("[", 20000):             "is not YAML",
		"train:\n  lr: !!binary aGVsbG8=\n":    "put it in quotes",
		"about: [x]\ntrain: {lr: 1}\n":         "about wants one value, found a list",
		"train:\n  lr: 1\nmeasured:\n  - 75\n": "recipe a.yaml:4: measured wants one value",
	} {
		r, err := Parse("a.yaml", []byte(text))
		require.Nil(t, r, "%q", text)
		require.ErrorContains(t, err, want, "%q", text)
		require.ErrorAs(t, err, new(*Error), "%q", text)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		text, err := Text(name)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Add([]byte("train: &a {lr: *a}\n--- |\n x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := Parse("x", text); err == nil {
			require.NotEmpty(t, r.Settings)
		}
	})
}
