package hdf5

import "fmt"

// Kinds of messages in object headers.
const (
	msgDataspace    = 0x0001
	msgLinkInfo     = 0x0002
	msgDatatype     = 0x0003
	msgOldFill      = 0x0004
	msgFill         = 0x0005
	msgLink         = 0x0006
	msgExternal     = 0x0007
	msgLayout       = 0x0008
	msgFilters      = 0x000B
	msgAttribute    = 0x000C
	msgContinuation = 0x0010
	msgSymbolTable  = 0x0011
	msgAttributes   = 0x0015
	lastKnown       = 0x0018
)

// Flags of messages.
const (
	flagShared   = 1 << 1 // the message stands elsewhere
	flagMustKnow = 1 << 7 // whoever does not know its kind must not read the object
)

// message is one message of an object header.
type message struct {
	kind   uint16
	shared bool
	body   cursor // a copy, to be decoded as often as wanted
}

// block is a piece of an object header: its first, or a continuation.
type block struct{ at, size int64 }

// header reads the messages of the object header at a place.
func (f *File) header(at int64, what string) ([]message, error) {
	what = "the object header of " + what
	c, err := f.load(at, min(16, f.size-at), what)
	if err != nil {
		return nil, err
	}
	if len(c.buf) >= 4 && string(c.buf[:4]) == "OHDR" {
		return f.newHeader(at, what)
	}
	c.version(1)
	c.take(1)
	count := int(c.u16())
	c.take(4) // reference count
	first := block{at + 16, int64(c.u32())}
	if c.err != nil {
		return nil, c.err
	}
	var out []message
	err = f.blocks(first, func(b block) ([]block, error) {
		c, err := f.load(b.at, b.size, what)
		if err != nil {
			return nil, err
		}
		var more []block
		for c.left() >= 8 && len(out) < count && c.err == nil {
			kind, size, flags := c.u16(), c.u16(), c.u8()
			c.take(3)
			more = c.message(&out, more, kind, int(size), flags)
		}
		return more, c.err
	})
	return out, err
}

// newHeader reads an object header of version 2.
func (f *File) newHeader(at int64, what string) ([]message, error) {
	const longest = 4 + 1 + 1 + 16 + 4 + 8
	c, err := f.load(at, min(longest, f.size-at), what)
	if err != nil {
		return nil, err
	}
	c.signature("OHDR")
	c.version(2)
	flags := c.u8()
	if flags&(1<<5) != 0 {
		c.take(16) // times
	}
	if flags&(1<<4) != 0 {
		c.take(4) // when attributes move to a heap
	}
	size := c.number(1 << (flags & 3))
	if c.err != nil {
		return nil, c.err
	}
	const check = 4
	prefix := int64(c.pos)
	if err := f.within(at, prefix+check, what); err != nil {
		return nil, err
	}
	if err := f.within(at+prefix, size, what); err != nil {
		return nil, err
	}
	fixed := 4 // of a message in front of its body
	if flags&(1<<2) != 0 {
		fixed += 2 // order of creation
	}
	var out []message
	first := block{at, prefix + size + check}
	err = f.blocks(first, func(b block) ([]block, error) {
		c, err := f.load(b.at, b.size, what)
		if err != nil {
			return nil, err
		}
		if b == first {
			c.take(int(prefix))
		} else {
			c.signature("OCHK")
		}
		begin := c.pos
		c.take(c.left() - check)
		c.checksum()
		if c.err != nil {
			return nil, c.err
		}
		c.pos, c.buf = begin, c.buf[:len(c.buf)-check]
		var more []block
		for c.left() >= fixed && c.err == nil {
			kind, size, flags := uint16(c.u8()), c.u16(), c.u8()
			c.take(fixed - 4)
			more = c.message(&out, more, kind, int(size), flags)
		}
		return more, c.err
	})
	return out, err
}

// blocks calls read for the first block and for those that it and the others return, each once.
func (f *File) blocks(first block, read func(block) ([]block, error)) error {
	met := map[int64]bool{}
	for todo := []block{first}; len(todo) > 0; {
		b := todo[0]
		todo = todo[1:]
		if met[b.at] {
			return f.fail(b.at, "each block of an object header once", "one that continues itself")
		}
		met[b.at] = true
		more, err := read(b)
		if err != nil {
			return err
		}
		todo = append(todo, more...)
	}
	return nil
}

// message takes a message's body and keeps it, or the block that it names.
func (c *cursor) message(out *[]message, more []block, kind uint16, size int, flags uint8) []block {
	at := c.place()
	body := c.take(size)
	if c.err != nil {
		return more
	}
	m := message{kind: kind, shared: flags&flagShared != 0, body: cursor{f: c.f, at: at, buf: body, what: c.what}}
	switch {
	case kind == msgContinuation:
		to, n := m.body.address(), m.body.length()
		if m.body.err != nil {
			c.err = m.body.err
			return more
		}
		if to == nowhere {
			c.fail(at, "the address of a continuation", "none")
			return more
		}
		return append(more, block{to, n})
	case kind > lastKnown && flags&flagMustKnow != 0:
		c.fail(at, "messages known to this reader", "one of type %#x that must be understood", kind)
	case kind != 0:
		*out = append(*out, m)
	}
	return more
}

// find returns the first message of a kind, or nil.
func find(ms []message, kind uint16) *message {
	for i := range ms {
		if ms[i].kind == kind {
			return &ms[i]
		}
	}
	return nil
}

// decoder returns a cursor over the message's body, called what in messages.
func (m *message) decoder(what string) (*cursor, error) {
	c := m.body
	c.what = what
	if m.shared {
		c.fail(c.at, "a message that stands in the header", "one that is shared between objects (a committed datatype?), which is not supported")
	}
	return &c, c.err
}

// missing says that an object lacks a message.
func (o *Object) missing(what string) error {
	return o.f.fail(o.at, fmt.Sprintf("%s in the object header of %s", what, o.path), "none")
}
