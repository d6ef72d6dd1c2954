package onnx

import "fmt"

func parseModel(raw []byte) (*modelProto, error) {
	m := &modelProto{}
	err := whole("model", raw).each(func(f field) error {
		switch f.num {
		case 1:
			return f.integer(&m.irVersion)
		case 2:
			return f.text(&m.producerName)
		case 3:
			return f.text(&m.producerVersion)
		case 4:
			return f.text(&m.domain)
		case 6:
			return f.text(&m.docString)
		case 7:
			var sub message
			err := f.message("graph", &sub)
			if err == nil {
				m.graph, err = parseGraph(sub, 0) // of several the last counts, as everywhere in protobuf
			}
			return err
		case 8:
			o, err := parseOpset(f)
			m.opsets = append(m.opsets, o)
			return err
		case 14:
			e, err := parseEntry(f)
			m.metadata = append(m.metadata, e)
			return err
		case 25:
			m.functions++
		}
		return nil
	})
	return m, err
}

func parseOpset(f field) (o opsetProto, err error) {
	var m message
	if err = f.message("operator set", &m); err != nil {
		return o, err
	}
	return o, m.each(func(f field) error {
		switch f.num {
		case 1:
			return f.text(&o.domain)
		case 2:
			return f.integer(&o.version)
		}
		return nil
	})
}

func parseEntry(f field) (e entryProto, err error) {
	var m message
	if err = f.message("entry", &m); err != nil {
		return e, err
	}
	return e, m.each(func(f field) error {
		switch f.num {
		case 1:
			return f.text(&e.key)
		case 2:
			return f.text(&e.value)
		}
		return nil
	})
}

// maxDepth bounds how deep graphs lie in graphs, as the branches of conditions.
const maxDepth = 8

func parseGraph(m message, depth int) (*graphProto, error) {
	g := &graphProto{at: m.at}
	if depth > maxDepth {
		return nil, &FormatError{Offset: m.at, Expected: fmt.Sprintf("graphs in graphs at most %d deep", maxDepth), Found: "a deeper one"}
	}
	return g, m.each(func(f field) error {
		var sub message
		switch f.num {
		case 1:
			if err := f.message("node", &sub); err != nil {
				return err
			}
			n, err := parseNode(sub, depth)
			g.nodes = append(g.nodes, n)
			return err
		case 2:
			return f.text(&g.name)
		case 5:
			if err := f.message("tensor", &sub); err != nil {
				return err
			}
			t, err := parseTensor(sub)
			g.initializers = append(g.initializers, t)
			return err
		case 11, 12, 13:
			if err := f.message("value", &sub); err != nil {
				return err
			}
			v, err := parseValueInfo(sub)
			list := map[int]*[]valueInfo{11: &g.inputs, 12: &g.outputs, 13: &g.values}[int(f.num)]
			*list = append(*list, v)
			return err
		case 15:
			g.sparse++
		}
		return nil
	})
}

func parseNode(m message, depth int) (*nodeProto, error) {
	n := &nodeProto{at: m.at}
	return n, m.each(func(f field) error {
		var s string
		switch f.num {
		case 1:
			err := f.text(&s)
			n.inputs = append(n.inputs, s)
			return err
		case 2:
			err := f.text(&s)
			n.outputs = append(n.outputs, s)
			return err
		case 3:
			return f.text(&n.name)
		case 4:
			return f.text(&n.opType)
		case 5:
			var sub message
			if err := f.message("attribute", &sub); err != nil {
				return err
			}
			a, err := parseAttribute(sub, depth)
			n.attributes = append(n.attributes, a)
			return err
		case 7:
			return f.text(&n.domain)
		}
		return nil
	})
}

func parseAttribute(m message, depth int) (*attributeProto, error) {
	a := &attributeProto{}
	return a, m.each(func(f field) error {
		var s string
		var sub message
		switch f.num {
		case 1:
			return f.text(&a.name)
		case 2:
			return f.float(&a.f)
		case 3:
			return f.integer(&a.i)
		case 4:
			err := f.text(&s)
			a.s = []byte(s)
			return err
		case 5:
			if err := f.message("tensor", &sub); err != nil {
				return err
			}
			t, err := parseTensor(sub)
			a.t = t
			return err
		case 6:
			if err := f.message("graph", &sub); err != nil {
				return err
			}
			g, err := parseGraph(sub, depth+1)
			a.g = g
			return err
		case 7:
			return f.floats(&a.floats)
		case 8:
			return f.integers(&a.ints)
		case 9:
			err := f.text(&s)
			a.strings = append(a.strings, []byte(s))
			return err
		case 20:
			var kind int64
			err := f.integer(&kind)
			a.kind = attributeKind(kind)
			return err
		case 21:
			return f.text(&a.reference)
		}
		return nil
	})
}
