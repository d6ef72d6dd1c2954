package hdf5

import (
	"fmt"
	"path"
	"strings"
)

// Object is a group or a dataset.
type Object struct {
	f        *File
	at       int64 // place of its header
	path     string
	messages []message

	links      []Link
	linkAt     map[string]int // places in links by name; nil until they are read
	attributes []*Attribute
	attrAt     map[string]*Attribute // nil until they are read
	charged    bool                  // its data was counted
}

// Link is a named member of a group.
type Link struct {
	Name string
	// Soft is not empty for a link to another path, which is not followed.
	Soft  string
	at    int64
	order uint64 // of creation, where it is tracked
}

// object reads the object at a place, or returns it if it was read before; p is its path in messages.
func (f *File) object(at int64, p string) (*Object, error) {
	if o := f.objects[at]; o != nil {
		return o, nil
	}
	if err := f.spend(int64(len(p)), at, "paths of objects"); err != nil { // each holds its group's name again
		return nil, err
	}
	ms, err := f.header(at, fmt.Sprintf("%q", p))
	if err != nil {
		return nil, err
	}
	o := &Object{f: f, at: at, path: p, messages: ms}
	f.objects[at] = o
	return o, nil
}

// Path is the object's name from the root on, by which it was first reached.
func (o *Object) Path() string { return o.path }

// Place is where the object's header stands: objects that share it are one.
func (o *Object) Place() int64 { return o.at }

// IsGroup says whether the object has members.
func (o *Object) IsGroup() bool {
	return find(o.messages, msgSymbolTable) != nil || find(o.messages, msgLinkInfo) != nil || find(o.messages, msgLink) != nil
}

// IsDataset says whether the object has elements.
func (o *Object) IsDataset() bool { return find(o.messages, msgLayout) != nil }

// Links lists the members of a group: by name, or in the order of their creation where the file tells it.
func (o *Object) Links() ([]Link, error) {
	if o.linkAt != nil {
		return o.links, nil
	}
	links, err := o.readLinks()
	if err != nil {
		return nil, err
	}
	at := make(map[string]int, len(links))
	for i, l := range links {
		if _, twice := at[l.Name]; twice {
			return nil, o.f.fail(o.at, fmt.Sprintf("each name once in the group %q", o.path), "%q twice", l.Name)
		}
		at[l.Name] = i
	}
	o.links, o.linkAt = links, at
	return links, nil
}

// Follow opens the object that a link of this group names.
func (o *Object) Follow(l Link) (*Object, error) {
	p := path.Join(o.path, l.Name)
	if l.Soft != "" || l.at == nowhere {
		return nil, o.f.fail(o.at, fmt.Sprintf("an object under %q", p), "a link to %q: links to other paths and files are not followed", l.Soft)
	}
	return o.f.object(l.at, p)
}

// Member opens the object at a path below this group, such as "a/b"; nil if there is none.
func (o *Object) Member(name string) (*Object, error) {
	at := o
	for _, step := range strings.Split(strings.Trim(name, "/"), "/") {
		if !at.IsGroup() {
			return nil, nil
		}
		links, err := at.Links()
		if err != nil {
			return nil, err
		}
		i, ok := at.linkAt[step]
		if !ok {
			return nil, nil
		}
		if at, err = at.Follow(links[i]); err != nil {
			return nil, err
		}
	}
	return at, nil
}

// Attribute is a named value of an object.
type Attribute struct {
	Name string
	o    *Object
	kind cursor // datatype
	size cursor // dataspace
	data cursor
}

// Attributes lists the object's attributes.
func (o *Object) Attributes() ([]*Attribute, error) {
	if o.attrAt != nil {
		return o.attributes, nil
	}
	var out []*Attribute
	for i := range o.messages {
		switch m := &o.messages[i]; m.kind {
		case msgAttribute:
			c, err := m.decoder(fmt.Sprintf("an attribute of %q", o.path))
			if err != nil {
				return nil, err
			}
			a := c.attribute(o)
			if c.err != nil {
				return nil, c.err
			}
			out = append(out, a)
		case msgAttributes:
			more, err := o.denseAttributes(m)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
	}
	o.attributes, o.attrAt = out, make(map[string]*Attribute, len(out))
	for _, a := range out {
		if o.attrAt[a.Name] == nil { // of several the first counts
			o.attrAt[a.Name] = a
		}
	}
	return out, nil
}

// Attribute finds an attribute by its name; nil if there is none.
func (o *Object) Attribute(name string) (*Attribute, error) {
	if _, err := o.Attributes(); err != nil {
		return nil, err
	}
	return o.attrAt[name], nil
}

// attribute takes an attribute message apart, without a look at its value.
func (c *cursor) attribute(o *Object) *Attribute {
	version := c.version(1, 2, 3)
	at := c.place()
	flags := c.u8() // reserved in version 1
	if version > 1 && flags&3 != 0 {
		c.fail(at, "a datatype and dataspace of its own", "a shared (committed) one, which is not supported")
	}
	sizes := [3]int{int(c.u16()), int(c.u16()), int(c.u16())}
	if version == 3 {
		c.take(1) // character set of the name
	}
	var parts [3]cursor
	for i, n := range sizes {
		parts[i] = cursor{f: c.f, at: c.place(), buf: c.take(n)}
		if version == 1 {
			c.take((8 - n%8) % 8)
		}
	}
	a := &Attribute{o: o, kind: parts[1], size: parts[2]}
	a.data = cursor{f: c.f, at: c.place(), buf: c.take(c.left())}
	name, _, _ := strings.Cut(string(parts[0].buf), "\x00")
	a.Name = name
	what := fmt.Sprintf("the attribute %q of %q", name, o.path)
	a.kind.what, a.size.what, a.data.what = what, what, what
	return a
}

// Value decodes the attribute.
func (a *Attribute) Value() (Array, error) {
	kind, size, data := a.kind, a.size, a.data
	t := kind.datatype()
	if kind.err != nil {
		return Array{}, kind.err
	}
	s := size.dataspace()
	if size.err != nil {
		return Array{}, size.err
	}
	if s.count > int64(data.left()/t.size) {
		data.fail(data.at, fmt.Sprintf("%d elements of %d bytes", s.count, t.size), "%d bytes", data.left())
		return Array{}, data.err
	}
	raw := data.take(int(s.count) * t.size)
	return a.o.f.array(t, s, data.what, data.at, func(dst []byte) error {
		copy(dst, raw)
		return nil
	})
}

// Text is the value of an attribute that is one string; ok is false for any other.
func (a *Attribute) Text() (text string, ok bool, err error) {
	v, err := a.Value()
	if err != nil {
		return "", false, err
	}
	s, ok := v.Data.([]string)
	if !ok || len(s) != 1 {
		return "", false, nil
	}
	return s[0], true, nil
}
