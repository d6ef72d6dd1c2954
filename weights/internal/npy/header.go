package npy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/weights"
)

// headerParser reads the header's text: a Python dict of three keys, with texts, True and False, and tuples of whole
// numbers as values. NumPy evaluates any Python literal there; it writes these only.
type headerParser struct {
	text string
	at   int   // place in text
	base int64 // offset of text in the file
}

func (p *headerParser) fail(expected string) error {
	found := "the end of the header"
	if p.at < len(p.text) {
		found = strconv.Quote(clip(p.text[p.at:]))
	}
	return &weights.FormatError{Offset: p.base + int64(p.at), Expected: expected, Found: found}
}

func (p *headerParser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// take reads a mark if it is next.
func (p *headerParser) take(mark string) bool {
	p.space()
	if !strings.HasPrefix(p.text[p.at:], mark) {
		return false
	}
	p.at += len(mark)
	return true
}

// quoted reads a text in single or double quotes, without escapes.
func (p *headerParser) quoted() (string, error) {
	for _, quote := range []string{"'", `"`} {
		if !p.take(quote) {
			continue
		}
		end := strings.Index(p.text[p.at:], quote)
		if end < 0 {
			return "", p.fail("a closing quote")
		}
		s := p.text[p.at : p.at+end]
		if strings.Contains(s, `\`) {
			return "", p.fail("a text without escapes")
		}
		p.at += end + 1
		return s, nil
	}
	return "", p.fail("a text in quotes")
}

// number reads a whole number; Python 2 wrote an L behind long ones.
func (p *headerParser) number() (int, error) {
	p.space()
	end := p.at
	for end < len(p.text) && p.text[end] >= '0' && p.text[end] <= '9' {
		end++
	}
	v, err := strconv.Atoi(p.text[p.at:end])
	if err != nil {
		return 0, p.fail("a whole number that this machine can address")
	}
	p.at = end
	p.take("L")
	return v, nil
}

// shape reads a tuple of numbers.
func (p *headerParser) shape() ([]int, error) {
	if !p.take("(") {
		return nil, p.fail("a tuple of sizes")
	}
	out := []int{}
	for !p.take(")") {
		v, err := p.number()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		if len(out) > 64 {
			return nil, p.fail("at most 64 axes")
		}
		if !p.take(",") {
			if !p.take(")") {
				return nil, p.fail("a comma or the tuple's end")
			}
			if len(out) == 1 { // (3) is a number in Python
				return nil, p.fail("a comma in a tuple of one")
			}
			break
		}
	}
	return out, nil
}

func parseHeader(text string, base int64) (*header, error) {
	p := &headerParser{text: text, base: base}
	h := &header{}
	seen := map[string]bool{}
	if !p.take("{") {
		return nil, p.fail("a dict")
	}
	for !p.take("}") {
		key, err := p.quoted()
		if err != nil {
			return nil, err
		}
		if seen[key] {
			return nil, p.fail(fmt.Sprintf("%q once", clip(key)))
		}
		seen[key] = true
		if !p.take(":") {
			return nil, p.fail("a colon")
		}
		switch key {
		case "descr":
			if p.take("[") {
				return nil, &UnsupportedError{"structured " + strconv.Quote("["+strings.TrimSpace(p.text[p.at:]))}
			}
			descr, err := p.quoted()
			if err != nil {
				return nil, err
			}
			if h.Type, err = ParseType(descr); err != nil {
				return nil, err
			}
		case "fortran_order":
			if h.fortran = p.take("True"); !h.fortran && !p.take("False") {
				return nil, p.fail("True or False")
			}
		case "shape":
			if h.shape, err = p.shape(); err != nil {
				return nil, err
			}
		default:
			return nil, p.fail(fmt.Sprintf("the keys descr, fortran_order and shape, not %q,", clip(key)))
		}
		if !p.take(",") {
			if !p.take("}") {
				return nil, p.fail("a comma or the dict's end")
			}
			break
		}
	}
	if p.space(); p.at < len(p.text) {
		return nil, p.fail("the end of the header")
	}
	if len(seen) != 3 {
		return nil, p.fail("the keys descr, fortran_order and shape, all of them, before")
	}
	return h, nil
}

func clip(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return s
}
