package onnx

import (
	"encoding/binary"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// encoder builds a message as a list of pieces, so that the bytes of large tensors are never copied.
type encoder struct {
	pieces [][]byte
	small  []byte // the piece that is being filled
	size   int
}

func (e *encoder) tag(num protowire.Number, typ protowire.Type) {
	e.small = protowire.AppendTag(e.small, num, typ)
}

func (e *encoder) integer(num protowire.Number, v int64) {
	e.tag(num, protowire.VarintType)
	e.small = protowire.AppendVarint(e.small, uint64(v))
}

func (e *encoder) float(num protowire.Number, v float32) {
	e.tag(num, protowire.Fixed32Type)
	e.small = protowire.AppendFixed32(e.small, math.Float32bits(v))
}

func (e *encoder) text(num protowire.Number, s string) { e.bytes(num, []byte(s)) }

// bytes does not copy long ones.
func (e *encoder) bytes(num protowire.Number, b []byte) {
	e.tag(num, protowire.BytesType)
	e.small = protowire.AppendVarint(e.small, uint64(len(b)))
	if len(b) < 1024 {
		e.small = append(e.small, b...)
		return
	}
	e.flush()
	e.pieces = append(e.pieces, b)
	e.size += len(b)
}

func (e *encoder) flush() {
	if len(e.small) > 0 {
		e.pieces = append(e.pieces, e.small)
		e.size += len(e.small)
		e.small = nil
	}
}

// message appends a nested message, which is used up.
func (e *encoder) message(num protowire.Number, sub *encoder) {
	sub.flush()
	e.tag(num, protowire.BytesType)
	e.small = protowire.AppendVarint(e.small, uint64(sub.size))
	if sub.size < 1024 {
		for _, p := range sub.pieces {
			e.small = append(e.small, p...)
		}
		return
	}
	e.flush()
	e.pieces = append(e.pieces, sub.pieces...)
	e.size += sub.size
}

func (e *encoder) writeTo(w io.Writer) error {
	e.flush()
	for _, p := range e.pieces {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// tensorMessage encodes a constant; the numbers are stored as raw bytes.
func tensorMessage(name string, a *array) *encoder {
	t := &encoder{}
	for _, d := range a.shape {
		t.integer(1, int64(d))
	}
	t.integer(2, int64(a.elem))
	t.text(8, name)
	var raw []byte
	le := binary.LittleEndian
	switch {
	case a.f32 != nil:
		raw = make([]byte, 0, 4*len(a.f32))
		for _, v := range a.f32 {
			raw = le.AppendUint32(raw, math.Float32bits(v))
		}
	case a.f64 != nil:
		raw = make([]byte, 0, 8*len(a.f64))
		for _, v := range a.f64 {
			raw = le.AppendUint64(raw, math.Float64bits(v))
		}
	default:
		raw = make([]byte, 0, 8*len(a.i64))
		for _, v := range a.i64 {
			raw = le.AppendUint64(raw, uint64(v))
		}
	}
	t.bytes(9, raw)
	return t
}

// valueMessage encodes the type of an input or output; a negative size is an open axis.
func valueMessage(name string, elem elemType, dims []int, open string) *encoder {
	shape := &encoder{}
	for _, d := range dims {
		dim := &encoder{}
		if d < 0 {
			dim.text(2, open)
		} else {
			dim.integer(1, int64(d))
		}
		shape.message(1, dim)
	}
	tensor := &encoder{}
	tensor.integer(1, int64(elem))
	tensor.message(2, shape)
	kind := &encoder{}
	kind.message(1, tensor)
	v := &encoder{}
	v.text(1, name)
	v.message(2, kind)
	return v
}

// attr is an attribute to be written: its value is an int, float64, string or []int.
type attr struct {
	name  string
	value any
}

func attrMessage(a attr) *encoder {
	m := &encoder{}
	m.text(1, a.name)
	switch v := a.value.(type) {
	case int:
		m.integer(3, int64(v))
		m.integer(20, int64(attributeInt))
	case float64:
		m.float(2, float32(v))
		m.integer(20, int64(attributeFloat))
	case string:
		m.text(4, v)
		m.integer(20, int64(attributeString))
	case []int:
		for _, n := range v {
			m.integer(8, int64(n))
		}
		m.integer(20, int64(attributeInts))
	}
	return m
}
