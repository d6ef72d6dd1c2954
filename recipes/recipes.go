// Package recipes holds settings with which networks are known to learn well, a YAML file each, and reads such files.
//
// A recipe says what it is, where its settings come from, what was published of them and what was measured with this program, and
// settings under the names of the flags of "stheno train":
//
//	about: ResNet-18 on CIFAR-100
//	source: the paper
//	published: 77.5 % top-1
//	measured: not yet
//	train:
//	  arch: resnet18
//	  epochs: 200
package recipes

import (
	"embed"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/internal/suggest"
)

//go:embed *.yaml
var files embed.FS

// Recipe is a file's content.
type Recipe struct {
	Name      string // of the built-in recipe, or the path of the file
	About     string // one line
	Source    string // where the settings are from
	Published string // the accuracy that others report
	Measured  string // what was measured with this program, or that nothing was
	// Settings of training, in the order of the file, no flag twice.
	Settings []Setting
}

// Setting is the value of a flag.
type Setting struct {
	Flag  string // without dashes, such as "weight-decay"
	Value string // as on the command line
	Line  int    // in the file, from 1
}

// Setting returns the value of a flag, and whether the recipe has it.
func (r *Recipe) Setting(flag string) (value string, ok bool) {
	for _, s := range r.Settings {
		if s.Flag == flag {
			return s.Value, true
		}
	}
	return "", false
}

// Error says what is wrong with a recipe, and where.
type Error struct {
	Name   string // of the recipe, or its path
	Line   int    // from 1; 0 where no line is meant
	Reason string
}

// Error is one line with the place and the reason.
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("recipe %s: %s", e.Name, e.Reason)
	}
	return fmt.Sprintf("recipe %s:%d: %s", e.Name, e.Line, e.Reason)
}

const extension = ".yaml"

// Names lists the built-in recipes in the order of the alphabet.
func Names() (names []string) {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // what is embedded can be read
	}
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), extension))
	}
	slices.Sort(names) // without the extension, before which "-" would come
	return names
}

// Open returns the built-in recipe of a name, or reads the file of a path: what ends with .yaml or .yml, or has a slash. An unknown name is
// an error that lists the known ones, one of the system where the file cannot be read, and an *Error where it holds no recipe.
func Open(name string) (*Recipe, error) {
	text, err := Text(name)
	if err != nil {
		return nil, err
	}
	return Parse(name, text)
}

// Text is the content of the file that Open reads.
func Text(name string) ([]byte, error) {
	if IsPath(name) {
		return read(name)
	}
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("unknown recipe %q%s", name,
			suggest.Then(name, Names(), "the recipes are "+strings.Join(Names(), ", ")+", and the name of a file ends with "+extension))
	}
	return files.ReadFile(path.Base(name) + extension)
}

// IsPath says whether Open takes a name for that of a file.
func IsPath(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return ext == extension || ext == ".yml" || strings.ContainsAny(name, `/\`)
}

// fileMax bounds what is taken into memory; a recipe has a kB.
const fileMax = 1 << 20

func read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	defer f.Close() // read only
	text, err := io.ReadAll(io.LimitReader(f, fileMax+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("recipe: %w", err)
	case len(text) > fileMax:
		return nil, &Error{Name: name, Reason: fmt.Sprintf("expected a file of at most %d bytes, found a longer one", fileMax)}
	}
	return text, nil
}
