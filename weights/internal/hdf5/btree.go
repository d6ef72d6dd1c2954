package hdf5

import "fmt"

// Kinds of B-trees of version 1.
const (
	groupTree = 0
	chunkTree = 1
)

// treeWalk visits the leaves' children of a B-tree of version 1, from left to right.
type treeWalk struct {
	f       *File
	kind    uint8
	keySize int
	what    string
	met     map[int64]bool
}

// walk calls leaf with the key in front of each child of a leaf, and the child's place.
func (w *treeWalk) walk(root int64, leaf func(key *cursor, child int64) error) error {
	w.met = map[int64]bool{}
	return w.node(root, -1, leaf)
}

// node visits a node, which must have the given level; -1 takes any.
func (w *treeWalk) node(at int64, level int, leaf func(*cursor, int64) error) error {
	f := w.f
	if w.met[at] {
		return f.fail(at, "each node once in "+w.what, "one that is its own descendant or has two parents")
	}
	w.met[at] = true
	head := int64(8 + 2*f.offsetSize)
	c, err := f.load(at, head, w.what)
	if err != nil {
		return err
	}
	c.signature("TREE")
	place := c.place()
	kind, own, used := c.u8(), int(c.u8()), int64(c.u16())
	if kind != w.kind {
		c.fail(place, fmt.Sprintf("a node of type %d", w.kind), "type %d", kind)
	}
	if level >= 0 && own != level {
		c.fail(place+1, fmt.Sprintf("a node of level %d", level), "level %d", own)
	}
	if c.err != nil {
		return c.err
	}
	key, pair := int64(w.keySize), int64(w.keySize+f.offsetSize)
	if c, err = f.load(at+head, used*pair+key, w.what); err != nil {
		return err
	}
	for range used {
		k := &cursor{f: f, at: c.place(), buf: c.take(w.keySize), what: w.what}
		child := c.address()
		if c.err == nil && child == nowhere {
			c.fail(k.at, "the address of a child", "none")
		}
		if c.err != nil {
			return c.err
		}
		if own > 0 {
			err = w.node(child, own-1, leaf)
		} else {
			err = leaf(k, child)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
