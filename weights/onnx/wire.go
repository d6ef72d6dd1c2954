package onnx

import (
	"errors"
	"fmt"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is a protobuf message that is being read: its bytes and where in the file they begin. The wire format is taken apart by
// hand, on protowire, because generated code neither says at which byte a file is broken nor leaves tensors' bytes where they are.
type message struct {
	what string // "model", "node", …: for errors
	raw  []byte
	at   int64
	left *limits
}

// limits are what a file may still make this package do, all levels and tensors of it together.
type limits struct {
	messages int
	external map[string]int64 // bytes read of external files so far
}

// maxMessages bounds the messages in a file: each takes some hundred bytes of memory, and may take two of the file.
const maxMessages = 1 << 20

// whole is the message that a file is.
func whole(what string, raw []byte) message {
	return message{what, raw, 0, &limits{maxMessages, map[string]int64{}}}
}

// field is one field of a message. Of number and payload the wire type says which is meant.
type field struct {
	num    protowire.Number
	typ    protowire.Type
	at     int64   // of the payload
	number uint64  // varint, or the bits of a fixed32 or fixed64
	bytes  []byte  // length-delimited
	in     string  // the message's name
	left   *limits // the message's
}

// each hands the fields to visit, in the order of the file. Groups, which ONNX doesn't use, are skipped.
func (m message) each(visit func(field) error) error {
	for pos := 0; pos < len(m.raw); {
		rest := m.raw[pos:]
		num, typ, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return m.broken(pos, n, "the tag of a field")
		}
		f := field{num: num, typ: typ, in: m.what, left: m.left, at: m.at + int64(pos+n)}
		body := rest[n:]
		size := 0
		switch typ {
		case protowire.VarintType:
			f.number, size = protowire.ConsumeVarint(body)
		case protowire.Fixed32Type:
			var v uint32
			v, size = protowire.ConsumeFixed32(body)
			f.number = uint64(v)
		case protowire.Fixed64Type:
			f.number, size = protowire.ConsumeFixed64(body)
		case protowire.BytesType:
			f.bytes, size = protowire.ConsumeBytes(body)
			f.at += int64(size - len(f.bytes))
		default:
			size = protowire.ConsumeFieldValue(num, typ, body)
		}
		if size < 0 {
			return m.broken(pos+n, size, fmt.Sprintf("field %d of a %s", num, m.what))
		}
		if typ <= protowire.BytesType || typ == protowire.Fixed32Type {
			if err := visit(f); err != nil {
				return err
			}
		}
		pos += n + size
	}
	return nil
}

func (m message) broken(pos, code int, expected string) error {
	err := protowire.ParseError(code)
	found := "something else"
	if errors.Is(err, io.ErrUnexpectedEOF) {
		found = fmt.Sprintf("the end of the %s after %d bytes", m.what, len(m.raw)-pos)
	}
	return &FormatError{Offset: m.at + int64(pos), Expected: expected, Found: found}
}

func (f field) bad(expected string) error {
	names := map[protowire.Type]string{protowire.VarintType: "a varint", protowire.Fixed32Type: "four bytes", protowire.Fixed64Type: "eight bytes",
		protowire.BytesType: "a length and bytes"}
	return &FormatError{Offset: f.at, Expected: fmt.Sprintf("%s as field %d of a %s", expected, f.num, f.in), Found: names[f.typ]}
}

func (f field) message(what string, to *message) error {
	if f.typ != protowire.BytesType {
		return f.bad("a " + what)
	}
	if f.left.messages--; f.left.messages < 0 {
		return &FormatError{Offset: f.at, Expected: fmt.Sprintf("at most %d nodes, attributes and the like", maxMessages), Found: "more"}
	}
	*to = message{what, f.bytes, f.at, f.left}
	return nil
}

func (f field) text(to *string) error {
	if f.typ != protowire.BytesType {
		return f.bad("text")
	}
	*to = string(f.bytes)
	return nil
}

func (f field) integer(to *int64) error {
	if f.typ != protowire.VarintType {
		return f.bad("an integer")
	}
	*to = int64(f.number)
	return nil
}

func (f field) float(to *float32) error {
	if f.typ != protowire.Fixed32Type {
		return f.bad("a float")
	}
	*to = math.Float32frombits(uint32(f.number))
	return nil
}

// integers appends one or, packed, many integers.
func (f field) integers(to *[]int64) error {
	switch f.typ {
	case protowire.VarintType:
		*to = append(*to, int64(f.number))
		return nil
	case protowire.BytesType:
		for pos := 0; pos < len(f.bytes); {
			v, n := protowire.ConsumeVarint(f.bytes[pos:])
			if n < 0 {
				return &FormatError{Offset: f.at + int64(pos), Expected: fmt.Sprintf("integers as field %d of a %s", f.num, f.in), Found: "an unfinished one"}
			}
			*to = append(*to, int64(v))
			pos += n
		}
		return nil
	}
	return f.bad("integers")
}

// floats appends one or, packed, many floats.
func (f field) floats(to *[]float32) error {
	switch {
	case f.typ == protowire.Fixed32Type:
		*to = append(*to, math.Float32frombits(uint32(f.number)))
		return nil
	case f.typ == protowire.BytesType && len(f.bytes)%4 == 0:
		for b := f.bytes; len(b) > 0; b = b[4:] {
			v, _ := protowire.ConsumeFixed32(b)
			*to = append(*to, math.Float32frombits(v))
		}
		return nil
	}
	return f.bad("floats")
}

// doubles appends one or, packed, many doubles.
func (f field) doubles(to *[]float64) error {
	switch {
	case f.typ == protowire.Fixed64Type:
		*to = append(*to, math.Float64frombits(f.number))
		return nil
	case f.typ == protowire.BytesType && len(f.bytes)%8 == 0:
		for b := f.bytes; len(b) > 0; b = b[8:] {
			v, _ := protowire.ConsumeFixed64(b)
			*to = append(*to, math.Float64frombits(v))
		}
		return nil
	}
	return f.bad("doubles")
}
