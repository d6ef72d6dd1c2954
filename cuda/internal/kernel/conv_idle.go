package kernel

import "github.com/stheno-ml/stheno/graph/op"

// Part says which taps of a filter in memory are read or computed; they are a smaller window, and the others meet nothing but padding. Of a
// window over images of one pixel it is the middle alone. The zero value is all of them.
type Part struct {
	First   int // tap of the filter in memory
	Columns int // taps of a row of the part
	Row     int // taps of a row of the filter in memory
	All     int // taps of the filter in memory
}

// cut says whether taps are left out.
func (p Part) cut() bool { return p.All > 0 }

// together says whether the taps follow each other in memory.
func (p Part) together(taps int) bool { return !p.cut() || p.Columns == p.Row || taps <= p.Columns }

// withoutIdleTaps is the same pass without the taps that meet nothing but padding: less of the same work. Their gradient is 0.
func (c convolution) withoutIdleTaps() convolution {
	cut, row, column, ok := c.g.WithoutIdleTaps()
	if !ok || !c.countable() {
		return c
	}
	all := c.g
	c.g, c.all = cut, &all
	c.part = Part{First: row*all.W.Kernel + column, Columns: cut.W.Kernel, Row: all.W.Kernel, All: all.H.Kernel * all.W.Kernel}
	return c
}

// withAllTaps is the pass with the taps that meet nothing but padding, for kernels that want those of the filter in memory.
func (c convolution) withAllTaps() convolution {
	if c.part.cut() {
		c.g, c.all, c.part = *c.all, nil, Part{}
	}
	return c
}

// alone is the pass with the part of the filter that it uses as if that were all of it, where its taps follow each other in memory; else with
// all taps. What comes before it clears the gradient of the others.
func (c convolution) alone() (of convolution, before []Command) {
	if !c.part.together(c.g.H.Kernel * c.g.W.Kernel) {
		return c.withAllTaps(), nil
	}
	if !c.part.cut() {
		return c, nil
	}
	tap := int64(c.g.C/c.g.Groups) * int64(c.g.F) * int64(c.dt.Size())
	if c.pass == BackwardFilter {
		before = append(before, &Fill{To: c.w, Bytes: int64(c.part.All) * tap})
	}
	c.w = c.w.At(int64(c.part.First) * tap)
	return c, before
}

// allTaps is how many taps the filter has of which p is a part, or all.
func (p Packed) allTaps() int {
	if p.Part.cut() {
		return p.Part.All
	}
	return p.Taps
}

// whole is the geometry of the filter in memory.
func (c convolution) whole() op.ConvGeometry {
	if c.all != nil {
		return *c.all
	}
	return c.g
}
