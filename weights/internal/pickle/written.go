package pickle

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decimal reads a line that holds a whole number.
func (m *machine) decimal() (int64, error) {
	s, err := m.line(maxLine)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, m.fail("a whole number", strconv.Quote(clip(s)))
	}
	return v, nil
}

// written reads the values that protocol 0 spells out in a line.
func (m *machine) written(code byte) (any, error) {
	limit := maxLine
	if code == opString || code == opUnicode {
		limit = int(min(max(m.size-m.at, 0), 1<<30))
	}
	s, err := m.line(limit)
	if err != nil {
		return nil, err
	}
	switch code {
	case opInt, opLong:
		switch {
		case code == opInt && s == "00":
			return false, nil
		case code == opInt && s == "01":
			return true, nil
		}
		v, ok := new(big.Int).SetString(strings.TrimSuffix(s, "L"), 10)
		switch {
		case !ok:
			return nil, m.fail("a whole number", strconv.Quote(clip(s)))
		case v.IsInt64():
			return v.Int64(), nil
		}
		return v, nil
	case opFloat:
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, m.fail("a number", strconv.Quote(clip(s)))
		}
		return v, nil
	case opString:
		return m.quoted(s)
	}
	return m.escaped(s)
}

// quoted reads Python's repr of a byte string.
func (m *machine) quoted(s string) (any, error) {
	if len(s) < 2 || s[0] != '\'' && s[0] != '"' || s[len(s)-1] != s[0] {
		return nil, m.fail("a text in quotes", strconv.Quote(clip(s)))
	}
	quote := s[0]
	s = s[1 : len(s)-1]
	var out strings.Builder
	for len(s) > 0 {
		// UnquoteChar knows all of Python's escapes but octal zero alone; what it refuses is refused.
		if s[0] == '\\' && len(s) > 1 && (s[1] == '\'' || s[1] == '"') {
			out.WriteByte(s[1])
			s = s[2:]
			continue
		}
		if s[0] != '\\' {
			if s[0] == quote {
				return nil, m.fail("a text in quotes", "a quote within it")
			}
			out.WriteByte(s[0])
			s = s[1:]
			continue
		}
		r, wide, tail, err := strconv.UnquoteChar(s, 0)
		if err != nil || wide {
			return nil, m.fail("escapes that Python knows", strconv.Quote(clip(s)))
		}
		out.WriteByte(byte(r))
		s = tail
	}
	return m.oldText(out.String(), nil)
}

// escaped reads Python's raw-unicode-escape: text in Latin-1 with \uXXXX and \UXXXXXXXX.
func (m *machine) escaped(s string) (any, error) {
	var out strings.Builder
	for len(s) > 0 {
		digits := 0
		if len(s) > 1 && s[0] == '\\' {
			digits = map[byte]int{'u': 4, 'U': 8}[s[1]]
		}
		if digits == 0 {
			out.WriteRune(rune(s[0]))
			s = s[1:]
			continue
		}
		v, err := uint64(0), error(strconv.ErrSyntax)
		if len(s) >= 2+digits {
			v, err = strconv.ParseUint(s[2:2+digits], 16, 32)
		}
		if err != nil || v > utf8.MaxRune || !utf8.ValidRune(rune(v)) {
			return nil, m.fail("a character's number", strconv.Quote(clip(s)))
		}
		out.WriteRune(rune(v))
		s = s[2+digits:]
	}
	return out.String(), nil
}

// oldText is a str of Python 2: text where it is UTF-8, else bytes.
func (m *machine) oldText(s string, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	if utf8.ValidString(s) {
		return s, nil
	}
	return Bytes(s), nil
}
