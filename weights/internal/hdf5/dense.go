package hdf5

import (
	"cmp"
	"fmt"
	"slices"
)

// Types of records in the B-trees that index links and attributes by their names.
const (
	recordLink      = 5
	recordAttribute = 8
)

// dense calls each for the messages that an object keeps in a fractal heap. m is the message that says where the heap is,
// if there is one, after a number of orderSize bytes, if creation order is tracked; idAt is where a record has the heap ID.
func (o *Object) dense(m *message, what string, orderSize int, kind uint8, idAt int, each func(*cursor) error) error {
	what = fmt.Sprintf("the %s of %q", what, o.path)
	c, err := m.decoder(what)
	if err != nil {
		return err
	}
	c.version(0)
	if flags := c.u8(); flags&1 != 0 {
		c.take(orderSize) // the next number
	}
	heapAt, tree := c.address(), c.address()
	if c.err != nil || heapAt == nowhere || tree == nowhere {
		return c.err
	}
	heap, err := o.f.fractalHeap(heapAt, what)
	if err != nil {
		return err
	}
	return o.f.records(tree, kind, what, func(r *cursor) error {
		r.take(idAt)
		if r.err != nil {
			return r.err
		}
		data, err := heap.object(r)
		if err != nil {
			return err
		}
		if err := o.f.spend(int64(data.left()), data.at, what); err != nil { // records may name one object again and again
			return err
		}
		data.what = what
		return each(data)
	})
}

// denseLinks reads the links that a group keeps in a fractal heap, if it does.
func (o *Object) denseLinks(m *message) ([]Link, error) {
	var out []Link
	err := o.dense(m, "links", 8, recordLink, 4, func(c *cursor) error {
		out = append(out, c.link())
		return c.err
	})
	slices.SortFunc(out, func(a, b Link) int { return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.Name, b.Name)) })
	return out, err
}

// denseAttributes reads the attributes that an object keeps in a fractal heap, if it does.
func (o *Object) denseAttributes(m *message) ([]*Attribute, error) {
	var out []*Attribute
	err := o.dense(m, "attributes", 2, recordAttribute, 0, func(c *cursor) error {
		out = append(out, c.attribute(o))
		return c.err
	})
	slices.SortFunc(out, func(a, b *Attribute) int { return cmp.Compare(a.Name, b.Name) })
	return out, err
}
