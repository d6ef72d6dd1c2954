package hdf5

import (
	"bytes"
	"fmt"
)

// readLinks reads the members of a group, whichever way it keeps them.
func (o *Object) readLinks() ([]Link, error) {
	var out []Link
	for i := range o.messages {
		m := &o.messages[i]
		var more []Link
		var err error
		switch m.kind {
		case msgSymbolTable:
			more, err = o.symbolTable(m)
		case msgLink:
			var c *cursor
			if c, err = m.decoder(fmt.Sprintf("a link of %q", o.path)); err == nil {
				more = []Link{c.link()}
				err = c.err
			}
		case msgLinkInfo:
			more, err = o.denseLinks(m)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// symbolTable reads a group of the old form: a B-tree of symbol table nodes, and a local heap with the names.
func (o *Object) symbolTable(m *message) ([]Link, error) {
	c, err := m.decoder(fmt.Sprintf("the symbol table of %q", o.path))
	if err != nil {
		return nil, err
	}
	tree, heapAt := c.address(), c.address()
	if c.err == nil && (tree == nowhere || heapAt == nowhere) {
		c.fail(c.at, "the addresses of a B-tree and a local heap", "none")
	}
	if c.err != nil {
		return nil, c.err
	}
	heap, err := o.f.localHeap(heapAt, o.path)
	if err != nil {
		return nil, err
	}
	var out []Link
	w := treeWalk{f: o.f, kind: groupTree, keySize: o.f.lengthSize, what: fmt.Sprintf("the B-tree of the group %q", o.path)}
	err = w.walk(tree, func(_ *cursor, node int64) error {
		links, err := o.symbols(node, heap)
		out = append(out, links...)
		return err
	})
	return out, err
}

// symbols reads a symbol table node.
func (o *Object) symbols(at int64, heap *cursor) ([]Link, error) {
	f, what := o.f, fmt.Sprintf("a symbol table node of %q", o.path)
	c, err := f.load(at, 8, what)
	if err != nil {
		return nil, err
	}
	c.signature("SNOD")
	c.version(1)
	c.take(1)
	count := int64(c.u16())
	if c.err != nil {
		return nil, c.err
	}
	entry := int64(2*f.offsetSize + 4 + 4 + 16)
	if c, err = f.load(at+8, count*entry, what); err != nil {
		return nil, err
	}
	out := make([]Link, 0, count)
	for range count {
		place := c.place()
		nameAt := c.number(f.offsetSize)
		l := Link{at: c.address()}
		cache := c.u32()
		c.take(4)
		scratch := cursor{f: f, at: c.place(), buf: c.take(16), what: what}
		if c.err != nil {
			return nil, c.err
		}
		if l.Name, err = heap.text(nameAt, place); err != nil {
			return nil, err
		}
		if err := f.spend(int64(len(l.Name)), place, what); err != nil {
			return nil, err
		}
		switch {
		case cache == 2:
			l.at = nowhere
			if l.Soft, err = heap.text(int64(scratch.u32()), scratch.at); err != nil {
				return nil, err
			}
			if err := f.spend(int64(len(l.Soft)), place, what); err != nil {
				return nil, err
			}
		case l.at == nowhere:
			return nil, f.fail(place, fmt.Sprintf("the address of %q in %s", l.Name, what), "none")
		}
		out = append(out, l)
	}
	return out, nil
}

// localHeap loads the names of a group.
func (f *File) localHeap(at int64, path string) (*cursor, error) {
	what := fmt.Sprintf("the local heap of %q", path)
	c, err := f.load(at, int64(8+2*f.lengthSize+f.offsetSize), what)
	if err != nil {
		return nil, err
	}
	c.signature("HEAP")
	c.version(0)
	c.take(3)
	size := c.length()
	c.take(f.lengthSize) // free list
	data := c.address()
	if c.err != nil {
		return nil, c.err
	}
	return f.load(data, size, what)
}

// text is the text at an offset of a local heap; place is where the offset was read.
func (c *cursor) text(at, place int64) (string, error) {
	if at >= int64(len(c.buf)) {
		return "", c.f.fail(place, fmt.Sprintf("an offset within the %d bytes of %s", len(c.buf), c.what), "%d", at)
	}
	n := bytes.IndexByte(c.buf[at:], 0)
	if n < 0 {
		return "", c.f.fail(c.at+at, "a name ended by NUL in "+c.what, "none")
	}
	return string(c.buf[at : at+int64(n)]), nil
}

// link decodes a link message.
func (c *cursor) link() Link {
	c.version(1)
	flags := c.u8()
	kind := uint8(0)
	at := c.place()
	if flags&(1<<3) != 0 {
		kind = c.u8()
	}
	order := uint64(0)
	if flags&(1<<2) != 0 {
		order = c.uint(8)
	}
	if flags&(1<<4) != 0 {
		c.take(1) // character set
	}
	n := c.number(1 << (flags & 3))
	if n > int64(c.left()) {
		c.fail(at, fmt.Sprintf("a name of at most %d bytes", c.left()), "%d", n)
	}
	l := Link{Name: string(c.take(int(n))), at: nowhere, order: order}
	switch {
	case c.err != nil:
	case kind == 0:
		if l.at = c.address(); l.at == nowhere {
			c.fail(at, fmt.Sprintf("the address of %q", l.Name), "none")
		}
	case kind == 1 || kind == 64:
		l.Soft = string(bytes.ReplaceAll(c.take(int(c.u16())), []byte{0}, []byte{':'})) + " "
	default:
		c.fail(at, "a hard, soft or external link", "type %d", kind)
	}
	return l
}
