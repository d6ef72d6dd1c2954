package onnx

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/stheno-ml/stheno/nn"
)

const (
	// maxDescription bounds what Describe returns and Described reads: graphs of known networks take up to some hundred kilobytes.
	maxDescription = 16 << 20
	// smallTensor is the number of elements up to which tensors stay in a description.
	smallTensor = 16
)

// Describe returns the graph without its weights, for programs that store these elsewhere: [Described] makes the model of it that
// g.Model(c) is, without values. It is an ONNX model whose large initializers of floats are said to be in a file that is not named;
// those that the model's structure depends on stay, as do small ones. It takes at most 16 MiB.
func (g *Graph) Describe(c ModelConfig) ([]byte, error) {
	fresh, err := decode(g.raw, g.folder)
	if err != nil {
		return nil, withPath(err, g.path)
	}
	if _, _, err := fresh.describe(c); err != nil { // which reads the elements that the structure depends on
		return nil, withPath(err, g.path)
	}
	out, err := fresh.withoutWeights()
	if err == nil && len(out) > maxDescription {
		err = &GraphError{Problem: fmt.Sprintf("takes %d bytes without its weights; graphs of at most %d are stored so", len(out), maxDescription),
			Remedy: "constants in its nodes may be so large: store them as initializers"}
	}
	if err != nil {
		return nil, withPath(err, g.path)
	}
	return out, nil
}

// Described makes the model of what [Graph.Describe] returned for the same c, without values.
func Described(description []byte, c ModelConfig) (*nn.Model, error) {
	if len(description) > maxDescription {
		return nil, &FormatError{Expected: fmt.Sprintf("the description of a graph in at most %d bytes", maxDescription), Found: fmt.Sprint(len(description))}
	}
	g, err := Decode(description)
	if err != nil {
		return nil, err
	}
	_, m, err := g.describe(c)
	return m, err
}

// withoutWeights copies the model's bytes, field by field.
func (g *Graph) withoutWeights() ([]byte, error) {
	documentation := map[protowire.Number]bool{2: true, 3: true, 6: true, 14: true, 20: true, 26: true}
	return rewrite(g.raw, func(num protowire.Number, body []byte) ([]byte, bool, error) {
		if num != 7 {
			return body, !documentation[num], nil
		}
		out, err := rewrite(body, g.rewriteGraph)
		return out, true, err
	})
}

func (g *Graph) rewriteGraph(num protowire.Number, body []byte) ([]byte, bool, error) {
	switch num {
	case 1: // a node, which may carry the lines of the program that made it
		out, err := rewrite(body, func(num protowire.Number, b []byte) ([]byte, bool, error) { return b, num != 6 && num != 9, nil })
		return out, true, err
	case 5:
		at, err := parseTensor(whole("tensor", body))
		if err != nil {
			return nil, false, err
		}
		t := g.initial[at.name]
		n, _ := count(t.dims)
		if t.elem.isFloat() && n > smallTensor && t.decoded == nil {
			return absent(t), true, nil
		}
		if !t.isExternal {
			return body, true, nil
		}
		kind := elemTypes[t.elem]
		if n > maxDescription/kind.size {
			return nil, false, &GraphError{Node: fmt.Sprintf("initializer %q", t.name), Problem: fmt.Sprintf("is a constant of %d elements; graphs of at most %d bytes are stored", n, maxDescription)}
		}
		raw, err := t.readExternal(g.folder, int64(n)*int64(kind.size))
		if err != nil {
			return nil, false, err
		}
		m := tensorHead(t)
		m.bytes(9, raw)
		return m.join(), true, nil
	case 10, 13, 14, 16: // documentation, shapes of inner values, quantization, metadata
		return nil, false, nil
	}
	return body, true, nil
}

// absent is a tensor whose elements are elsewhere.
func absent(t *tensorProto) []byte {
	m := tensorHead(t)
	m.integer(14, 1)
	return m.join()
}

func tensorHead(t *tensorProto) *encoder {
	m := &encoder{}
	for _, d := range t.dims {
		m.integer(1, d)
	}
	m.integer(2, int64(t.elem))
	m.text(8, t.name)
	return m
}

func (e *encoder) join() []byte {
	e.flush()
	return bytes.Join(e.pieces, nil)
}

// rewrite copies a message that was parsed before. change returns the new content of a field with a length, or that it is left out.
func rewrite(raw []byte, change func(num protowire.Number, body []byte) (out []byte, keep bool, err error)) ([]byte, error) {
	var out []byte
	for len(raw) > 0 {
		num, typ, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		size := protowire.ConsumeFieldValue(num, typ, raw[n:])
		if size < 0 {
			return nil, protowire.ParseError(size)
		}
		if typ != protowire.BytesType {
			out = append(out, raw[:n+size]...)
			raw = raw[n+size:]
			continue
		}
		body, _ := protowire.ConsumeBytes(raw[n:])
		to, keep, err := change(num, body)
		if err != nil {
			return nil, err
		}
		if keep {
			out = protowire.AppendTag(out, num, protowire.BytesType)
			out = protowire.AppendBytes(out, to)
		}
		raw = raw[n+size:]
	}
	return out, nil
}
