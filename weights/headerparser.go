package weights

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// headerParser walks the JSON tokens of a header that is known to be valid JSON.
type headerParser struct{ dec *json.Decoder }

func (p *headerParser) at() int64 { return prefixBytes + p.dec.InputOffset() }

func (p *headerParser) fail(expected, found string) error {
	return &FormatError{Offset: p.at(), Expected: expected, Found: found}
}

func (p *headerParser) token() (json.Token, error) {
	t, err := p.dec.Token()
	if err != nil {
		return nil, p.fail("valid JSON", err.Error())
	}
	return t, nil
}

// object reads { key: value, … } and calls value after each key.
func (p *headerParser) object(what string, value func(key string) error) error {
	t, err := p.token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return p.fail(what+" to be a JSON object", describe(t))
	}
	for p.dec.More() {
		key, err := p.token()
		if err != nil {
			return err
		}
		name, _ := key.(string) // in valid JSON a key is a string
		if err := value(name); err != nil {
			return err
		}
	}
	_, err = p.token()
	return err
}

func (p *headerParser) metadata(into *map[string]string) error {
	m := make(map[string]string)
	err := p.object(metadataKey, func(key string) error {
		t, err := p.token()
		if err != nil {
			return err
		}
		text, ok := t.(string)
		if !ok {
			return p.fail(fmt.Sprintf("metadata %q to be a string", clip(key)), describe(t))
		}
		if _, twice := m[key]; twice {
			return p.fail("each metadata key once", fmt.Sprintf("%q twice", clip(key)))
		}
		m[key] = text
		return nil
	})
	*into = m
	return err
}

// entry reads the description of one tensor. Fields that the format does not
// know are skipped, as the reference implementation does.
func (p *headerParser) entry(name string) (entry, error) {
	e := entry{name: name}
	var offsets []int64
	seen := make(map[string]bool)
	what := fmt.Sprintf("tensor %q", clip(name))
	err := p.object(what, func(key string) error {
		if seen[key] {
			return p.fail("each field once in "+what, fmt.Sprintf("%q twice", clip(key)))
		}
		seen[key] = true
		switch key {
		case "dtype":
			t, err := p.token()
			if err != nil {
				return err
			}
			text, ok := t.(string)
			if !ok {
				return p.fail("the dtype of "+what+" to be a string", describe(t))
			}
			e.dtype = text
			return nil
		case "shape":
			dims, err := p.integers("the shape of "+what, -1)
			e.shape = make([]int, len(dims))
			for i, d := range dims {
				if d > int64(^uint(0)>>1) {
					return p.fail("dims of "+what+" that this machine can address", strconv.FormatInt(d, 10))
				}
				e.shape[i] = int(d)
			}
			return err
		case "data_offsets":
			var err error
			offsets, err = p.integers("the data_offsets of "+what, 2)
			return err
		}
		var skipped json.RawMessage
		if err := p.dec.Decode(&skipped); err != nil {
			return p.fail("valid JSON", err.Error())
		}
		return nil
	})
	if err != nil {
		return e, err
	}
	for _, key := range []string{"dtype", "shape", "data_offsets"} {
		if !seen[key] {
			return e, p.fail(what+" to have "+key, "none")
		}
	}
	e.begin, e.end, e.at = offsets[0], offsets[1], p.at()
	return e, p.checkSize(&e, what)
}

// checkSize holds dtype, shape and data_offsets of one tensor against each other.
func (p *headerParser) checkSize(e *entry, what string) error {
	size, ok := dtypeSize(e.dtype)
	if !ok {
		return p.fail("the dtype of "+what+" to be "+knownDTypes, strconv.Quote(clip(e.dtype)))
	}
	if e.begin > e.end {
		return p.fail("data_offsets of "+what+" in ascending order", fmt.Sprintf("[%d, %d]", e.begin, e.end))
	}
	n, ok := elementCount(e.shape)
	if !ok || int64(n) > (1<<63-1)/int64(size) {
		return p.fail("a number of bytes below 2⁶³ for "+what, "shape "+clip(fmt.Sprint(e.shape)))
	}
	if want := int64(n) * int64(size); want != e.end-e.begin {
		return p.fail(fmt.Sprintf("%d bytes for %s, %s of shape %s", want, what, e.dtype, clip(fmt.Sprint(e.shape))),
			fmt.Sprintf("data_offsets [%d, %d], which are %d bytes", e.begin, e.end, e.end-e.begin))
	}
	e.elements = n
	return nil
}

// integers reads an array of integers from 0 to 2⁶³-1; count -1 admits any length.
func (p *headerParser) integers(what string, count int) ([]int64, error) {
	t, err := p.token()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('[') {
		return nil, p.fail(what+" to be an array of integers", describe(t))
	}
	var out []int64
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return nil, err
		}
		number, ok := t.(json.Number)
		if !ok {
			return nil, p.fail(what+" to be an array of integers", describe(t))
		}
		v, err := strconv.ParseInt(number.String(), 10, 64)
		if err != nil || v < 0 {
			return nil, p.fail(what+" to hold integers from 0 to 2⁶³-1", clip(number.String()))
		}
		out = append(out, v)
	}
	if count >= 0 && len(out) != count {
		return nil, p.fail(fmt.Sprintf("%s to hold %d integers", what, count), strconv.Itoa(len(out)))
	}
	_, err = p.token()
	return out, err
}

// describe names a JSON token in a message.
func describe(t json.Token) string {
	switch v := t.(type) {
	case json.Delim:
		return strconv.Quote(v.String())
	case string:
		return "the string " + strconv.Quote(clip(v))
	case nil:
		return "null"
	}
	return clip(fmt.Sprint(t))
}

// clip keeps a message readable when a name from a file is absurdly long.
func clip(s string) string {
	if len(s) <= 80 {
		return s
	}
	return strings.ToValidUTF8(s[:80], "") + "…"
}

// invalidUTF8 returns the first byte that is not part of UTF-8 text, or -1.
func invalidUTF8(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return -1
}
