package hdf5

import (
	"fmt"
	"math/bits"
)

// tree2 is a B-tree of version 2.
type tree2 struct {
	f            *File
	what         string
	kind         uint8
	node, record int64 // bytes
	countSize    int   // bytes of a number of records in a pointer
	totalSize    []int // bytes of a total number of records in a pointer to a node of each depth
	met          map[int64]bool
	each         func(record *cursor) error
}

// encoded is the number of bytes that hold numbers up to n.
func encoded(n uint64) int { return max(bits.Len64(n)-1, 0)/8 + 1 }

// records calls each for the records of a B-tree of version 2, in order. They have the given kind.
func (f *File) records(at int64, kind uint8, what string, each func(record *cursor) error) error {
	t := &tree2{f: f, what: "the B-tree of " + what, kind: kind, met: map[int64]bool{}, each: each}
	c, err := f.load(at, int64(4+1+1+4+2+2+1+1+f.offsetSize+2+f.lengthSize+4), t.what)
	if err != nil {
		return err
	}
	c.signature("BTHD")
	c.version(0)
	t.checkKind(c)
	place := c.place()
	t.node, t.record = int64(c.u32()), int64(c.u16())
	depth := int(c.u16())
	c.take(2) // when nodes split and merge
	root := c.address()
	count := int64(c.u16())
	c.length()
	c.checksum()
	const frame = 4 + 1 + 1 + 4 // of a node, around its records
	if c.err == nil && (t.record < 1 || t.node < frame+t.record || depth > 16) {
		c.fail(place, "nodes that hold a record, and at most 16 levels of them", "nodes of %d bytes, records of %d, %d levels", t.node, t.record, depth)
	}
	if c.err != nil || root == nowhere || count == 0 {
		return c.err
	}
	leaf := uint64((t.node - frame) / t.record)
	t.countSize, t.totalSize = encoded(leaf), []int{0}
	for total := leaf; len(t.totalSize) <= depth; {
		pointer := int64(f.offsetSize + t.countSize + t.totalSize[len(t.totalSize)-1])
		own := uint64(max(0, t.node-frame-pointer) / (t.record + pointer))
		if hi, lo := bits.Mul64(own+1, total); hi == 0 && lo < 1<<62 {
			total = lo + own
		} // else it takes eight bytes already
		t.totalSize = append(t.totalSize, encoded(total))
	}
	return t.visit(root, count, depth)
}

func (t *tree2) checkKind(c *cursor) {
	at := c.place()
	if kind := c.u8(); c.err == nil && kind != t.kind {
		c.fail(at, fmt.Sprintf("records of type %d", t.kind), "type %d", kind)
	}
}

// visit reads a node of count records, depth levels above the leaves.
func (t *tree2) visit(at, count int64, depth int) error {
	if t.met[at] {
		return t.f.fail(at, "each node once in "+t.what, "one that is its own descendant or has two parents")
	}
	t.met[at] = true
	size, pointer := 6+count*t.record, int64(0)
	signature := "BTLF"
	if depth > 0 {
		signature = "BTIN"
		pointer = int64(t.f.offsetSize + t.countSize + t.totalSize[depth-1])
		size += (count + 1) * pointer
	}
	c, err := t.f.load(at, size+4, t.what)
	if err != nil {
		return err
	}
	c.signature(signature)
	c.version(0)
	t.checkKind(c)
	c.pos = int(size)
	c.checksum()
	if c.err != nil {
		return c.err
	}
	pointers := *c
	c.pos, pointers.pos = 6, int(6+count*t.record)
	for i := int64(0); i <= count; i++ {
		if depth > 0 {
			child, n := pointers.address(), pointers.number(t.countSize)
			pointers.take(t.totalSize[depth-1])
			if pointers.err != nil {
				return pointers.err
			}
			if err := t.visit(child, n, depth-1); err != nil {
				return err
			}
		}
		if i == count {
			break
		}
		r := &cursor{f: t.f, at: c.place(), buf: c.take(int(t.record)), what: t.what}
		if err := t.each(r); err != nil {
			return err
		}
	}
	return nil
}
