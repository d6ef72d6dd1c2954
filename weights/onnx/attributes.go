package onnx

import (
	"fmt"
	"math"
	"slices"
)

func (c *call) attribute(name string, kinds ...attributeKind) *attributeProto {
	c.read[name] = true
	for _, a := range c.node.attributes {
		if a.name != name {
			continue
		}
		kind := a.kind
		if kind == 0 { // old files leave it out
			kind = kinds[0]
		}
		if !slices.Contains(kinds, kind) || a.reference != "" {
			c.fail("", "attribute %q must be %v, is %v", name, kinds[0], kind)
			return nil
		}
		return a
	}
	return nil
}

func (c *call) attrInt(name string, def int) int {
	if a := c.attribute(name, attributeInt); a != nil {
		return clampInt(a.i)
	}
	return def
}

func (c *call) attrFlag(name string, def bool) bool {
	d := 0
	if def {
		d = 1
	}
	return c.attrInt(name, d) != 0
}

func (c *call) attrFloat(name string, def float64) float64 {
	if a := c.attribute(name, attributeFloat); a != nil {
		return shortest(a.f)
	}
	return def
}

// shortest is the number that a float32 was written for, such as 0.01: in double precision the model means that one.
func shortest(f float32) float64 {
	var d float64
	if _, err := fmt.Sscan(fmt.Sprint(f), &d); err != nil || math.IsNaN(float64(f)) {
		return float64(f)
	}
	return d
}

func (c *call) attrString(name, def string) string {
	if a := c.attribute(name, attributeString); a != nil {
		return string(a.s)
	}
	return def
}

// attrInts returns nil where there is none.
func (c *call) attrInts(name string) []int {
	a := c.attribute(name, attributeInts)
	if a == nil {
		return nil
	}
	out := make([]int, len(a.ints))
	for i, v := range a.ints {
		out[i] = clampInt(v)
	}
	return out
}

// ignore says that attributes have no meaning for the result.
func (c *call) ignore(names ...string) {
	for _, name := range names {
		c.read[name] = true
	}
}

// unread refuses attributes that nothing asked for: they would change the result unseen.
func (c *call) unread() {
	for _, a := range c.node.attributes {
		if !c.read[a.name] {
			c.fail("", "attribute %q is not supported", a.name)
		}
	}
}

// axis resolves an axis that may count from the end.
func (c *call) axis(a, rank int) int {
	if a < 0 {
		a += rank
	}
	if a < 0 || a >= max(rank, 1) {
		c.fail("", "axis %d is none of %d axes", a, rank)
		return 0
	}
	return a
}

// axes resolves several axes, which must differ.
func (c *call) axes(list []int, rank int) []int {
	out := make([]int, len(list))
	for i, a := range list {
		out[i] = c.axis(a, rank)
		if slices.Contains(out[:i], out[i]) {
			c.fail("", "axis %d is named twice", out[i])
		}
	}
	return out
}
