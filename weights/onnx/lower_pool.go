package onnx

import (
	"math"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// pool is MaxPool and AveragePool.
func pool(average bool) func(*call) {
	return func(c *call) {
		includePad := average && c.attrFlag("count_include_pad", false)
		roundUp := c.attrFlag("ceil_mode", false)
		c.ignore("storage_order") // of the second result, which isn't supported
		if !c.want(1, 1) {
			return
		}
		if len(c.shape(0)) == 5 {
			c.pool3(average)
			return
		}
		w := c.window(c.shape(0), nil)
		x := c.images(c.x(0))
		if c.err != nil {
			return
		}
		w.asked = w.after
		if roundUp {
			for i, n := range w.in {
				w.roundUp(i, n)
			}
		}
		if includePad { // the zeros that were asked for count, those for whole windows don't
			var beyond [2]int
			for i := range w.in {
				beyond[i] = max(w.after[i]-w.asked[i], 0)
				w.after[i] -= beyond[i]
			}
			x = c.op(&op.ZeroPad2D{Top: w.before[0], Bottom: w.after[0], Left: w.before[1], Right: w.after[1], Format: shape.NCHW}, x)
			w.before, w.after = [2]int{}, beyond
		}
		if w.dilations != [2]int{1, 1} {
			c.result(c.dilatedPool(op.Try(x, c.err), w, average))
			return
		}
		attrs := op.PoolAttrs{Pool: w.kernel, Strides: w.strides, Padding: w.padding(), Format: shape.NCHW}
		var y *gorgonia.Node
		if average {
			y = c.op(&op.AvgPool2D{PoolAttrs: attrs}, x)
		} else {
			y = c.op(&op.MaxPool2D{PoolAttrs: attrs}, x)
		}
		c.set(c.line(y, w.oneD))
	}
}

// roundUp sets the padding behind n elements so that the last window, which begins in the input or in the padding before it, is whole.
func (w *window) roundUp(i, n int) {
	rest := n + w.before[i] + w.after[i] - w.reach(i)
	if rest < 0 {
		return
	}
	windows := (rest+w.strides[i]-1)/w.strides[i] + 1
	if (windows-1)*w.strides[i] >= n+w.before[i] {
		windows--
	}
	w.after[i] = max((windows-1)*w.strides[i]+w.reach(i)-n-w.before[i], 0)
}

// pool3 pools over three axes: over the last two, with the first one's places as channels, and then over the first one. Maxima allow
// that, and means too: sums and the numbers of places that they are divided by are both products of the axes'.
func (c *call) pool3(average bool) {
	s := c.shape(0)
	plane := c.along(average, c.reshape(c.x(0), []int{s[0], s[1] * s[2], s[3], s[4]}), 1, 2)
	if c.err != nil {
		return
	}
	p := plane.Shape()
	y := c.along(average, c.reshape(plane, []int{s[0], s[1], s[2], p[2] * p[3]}), 0, -1)
	if c.err == nil {
		c.set(c.reshape(y, []int{s[0], s[1], y.Shape()[2], p[2], p[3]}))
	}
}

// along pools x over two of the axes that the node's attributes are about; −1 stands for an axis that stays.
func (c *call) along(average bool, x *gorgonia.Node, axes ...int) *gorgonia.Node {
	if c.err != nil {
		return nil
	}
	node := *c.node
	node.attributes = nil
	for _, a := range c.node.attributes {
		b := *a
		b.ints = nil
		for side := range len(a.ints) / 3 { // pads have two
			for _, axis := range axes {
				switch {
				case axis >= 0:
					b.ints = append(b.ints, a.ints[3*side+axis])
				case a.name == "pads":
					b.ints = append(b.ints, 0)
				default:
					b.ints = append(b.ints, 1)
				}
			}
		}
		node.attributes = append(node.attributes, &b)
	}
	inner := *c
	inner.node, inner.in, inner.out = &node, []*value{{node: x, shape: x.Shape().Clone()}}, make([]*value, 1)
	pool(average)(&inner)
	c.err = inner.err
	if c.err != nil || inner.out[0] == nil {
		return nil
	}
	return inner.out[0].node
}

// dilatedPool pools windows with gaps, as the maximum of one strided slice a place of the window.
func (c *call) dilatedPool(x op.Expr, w window, average bool) op.Expr {
	if average || w.kernel[0]*w.kernel[1] > 1024 {
		c.fail("", "dilations %v are not supported with this window", w.dilations)
		return x
	}
	if !c.affordWork(w.kernel[0]*w.kernel[1], nodeBytes) {
		return x
	}
	for i := range w.in {
		x = c.padAxis(x, 2+i, w.before[i], w.after[i], "constant", math.Inf(-1))
	}
	var out [2]int
	for i := range out {
		rest := w.in[i] + w.before[i] + w.after[i] - w.reach(i)
		if rest < 0 {
			c.fail("", "the window reaches over %d places, there are %d", w.reach(i), w.in[i])
			return x
		}
		out[i] = rest/w.strides[i] + 1
	}
	var y op.Expr
	for p := range w.kernel[0] {
		rows := x.Stride(2, p*w.dilations[0], p*w.dilations[0]+(out[0]-1)*w.strides[0]+1, w.strides[0])
		for q := range w.kernel[1] {
			tap := rows.Stride(3, q*w.dilations[1], q*w.dilations[1]+(out[1]-1)*w.strides[1]+1, w.strides[1])
			if p == 0 && q == 0 {
				y = tap
			} else {
				y = y.Maximum(tap)
			}
		}
	}
	if w.oneD && y.Err() == nil {
		s := y.Shape()
		y = y.Reshape(s[0], s[1], s[3])
	}
	return y
}

// globalMaxPool is the maximum of each channel.
func globalMaxPool(c *call) {
	if !c.want(1, 1) {
		return
	}
	s := c.shape(0)
	if len(s) < 3 {
		c.fail("", "wants (batch, channels, …), the input has the shape %s", format(s))
		return
	}
	var axes []int
	for i := 2; i < len(s); i++ {
		axes = append(axes, i)
	}
	c.result(op.Try(c.x(0), c.err).MaxKeep(axes...))
}

// globalAveragePool is the mean of each channel.
func globalAveragePool(c *call) {
	if !c.want(1, 1) {
		return
	}
	s := c.shape(0)
	if len(s) < 3 {
		c.fail("", "wants (batch, channels, …), the input has the shape %s", format(s))
		return
	}
	x := c.reshape(c.x(0), []int{s[0], s[1], size(s[2:]) / max(s[len(s)-1], 1), s[len(s)-1]})
	y := c.op(&op.GlobalAvgPool2D{Format: shape.NCHW}, x)
	c.set(c.reshape(y, onesBehind(s)))
}

// onesBehind is (batch, channels, 1, …).
func onesBehind(s []int) []int {
	out := []int{s[0], s[1]}
	for range s[2:] {
		out = append(out, 1)
	}
	return out
}
