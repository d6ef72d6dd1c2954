package recipes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/stheno-ml/stheno/internal/suggest"
)

// Parse reads a recipe strictly: keys that it does not have, keys that come twice, values that are not one plain text, number or truth
// value, anchors, and a second document are an *Error with the line. Whether there is such a flag as a setting says, and whether it takes
// the value, is for those to say who have the flags.
func Parse(name string, text []byte) (*Recipe, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	err := dec.Decode(&doc)
	switch {
	case err == io.EOF || err == nil && len(doc.Content) == 0:
		return nil, &Error{Name: name, Reason: "is empty; expected settings under train:"}
	case err != nil:
		return nil, syntax(name, err)
	}
	if err := dec.Decode(new(yaml.Node)); err != io.EOF {
		if err != nil {
			return nil, syntax(name, err)
		}
		return nil, &Error{Name: name, Reason: "holds more than one document; expected one"}
	}
	p := &parser{Recipe: Recipe{Name: name}}
	root := doc.Content[0]
	if err := p.each(root, "keys such as about and train", p.top); err != nil {
		return nil, err
	}
	if len(p.Settings) == 0 {
		return nil, &Error{Name: name, Line: root.Line, Reason: "sets nothing; expected settings under train:, such as epochs: 10"}
	}
	return &p.Recipe, nil
}

// parser fills a recipe.
type parser struct{ Recipe }

// top takes a key of the file.
func (p *parser) top(key string, value *yaml.Node) (err error) {
	texts := map[string]*string{"about": &p.About, "source": &p.Source, "published": &p.Published, "measured": &p.Measured}
	switch to := texts[key]; {
	case to != nil:
		*to, err = p.scalar(key, value)
	case key == "train" && value.ShortTag() == "!!null": // Parse says that it sets nothing
	case key == "train":
		err = p.each(value, "names of flags of stheno train with their values", p.setting)
	default:
		known := []string{"about", "source", "published", "measured", "train"}
		err = p.wrong(value, "there is no key %q%s", key, suggest.Then(key, known, "the keys are "+strings.Join(known, ", ")+", and settings stand under train:"))
	}
	return err
}

func (p *parser) setting(flag string, value *yaml.Node) error {
	text, err := p.scalar(flag, value)
	if err == nil {
		p.Settings = append(p.Settings, Setting{Flag: flag, Value: text, Line: value.Line})
	}
	return err
}

// each calls take for every key of a mapping.
func (p *parser) each(n *yaml.Node, want string, take func(key string, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return p.wrong(n, "expected %s, found %s", want, kindOf(n))
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, err := p.scalar("a key", n.Content[i])
		if err != nil {
			return err
		}
		if before := lines[key]; before != 0 {
			return p.wrong(n.Content[i], "%s is in line %d already; leave one out", key, before)
		}
		lines[key] = n.Content[i].Line
		if err := take(key, n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// scalar is the text of a plain value.
func (p *parser) scalar(what string, n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode || n.Anchor != "" {
		return "", p.wrong(n, "%s wants one value, found %s", what, kindOf(n))
	}
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool":
		return n.Value, nil
	case "!!null":
		return "", p.wrong(n, "%s has no value; give one, or leave the line out", what)
	}
	return "", p.wrong(n, "%s is a value of type %s; put it in quotes", what, n.ShortTag())
}

func (p *parser) wrong(n *yaml.Node, format string, args ...any) error {
	return &Error{Name: p.Name, Line: n.Line, Reason: fmt.Sprintf(format, args...)}
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return "an anchor or a reference to one"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.MappingNode:
		return "keys with values"
	}
	return fmt.Sprintf("the text %.60q", n.Value)
}

// syntax is an error of the YAML reader, which names the line itself.
func syntax(name string, err error) error {
	e := &Error{Name: name, Reason: "is not YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}
	if load, ok := errors.AsType[*yaml.TypeError](err); ok {
		e.Reason = "is not YAML: " + strings.Join(load.Errors, "; ")
	}
	if strings.HasSuffix(e.Reason, "found character that cannot start any token") {
		e.Reason += "; indent with spaces, and put a value in quotes that begins with a sign such as @ or %"
	}
	return e
}
