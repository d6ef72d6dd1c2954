package kernel

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

func init() {
	update := narrowing{in: func(s *graph.Step, i int) bool { return i == gradientOf(s.Instr) && s.In[i].Transposed }}
	registerNarrow(map[string]narrowing{"MomentumUpdate": update, "AdamUpdate": update, (&graph.FusedUpdate{}).Kind(): update})
}

// storedGradient is how the gradient of a filter is kept: filters first, and as bfloat16.
type storedGradient struct{ transposed, narrow bool }

// Transposes says which gradients of filters had better be kept filters first, as cuDNN writes them: those that would else be brought into
// Keras's order by a launch of their own. The updates read them so. See graph.Transposer.
func (b *Builder) Transposes(s *graph.Step) (in, out []bool) {
	if s.Out[0].Dtype != tensor.Float32 || s.Out[0].Len() == 0 {
		return nil, nil
	}
	if at := gradientOf(s.Instr); at > 0 {
		in = make([]bool, at+1)
		in[at] = true
		return in, nil
	}
	if s.Instr.Kind() != "Conv2DBackwardFilter" {
		return nil, nil
	}
	c, err := filterGradient(s)
	if err != nil || !b.writesWhole(c) {
		return nil, nil
	}
	c.gradient = storedGradient{}
	ways := b.convolutionWays(c)
	return nil, []bool{len(ways) > 0 && b.unpacks(ways[0])}
}

// writesWhole says whether cuDNN writes the gradient of the filter as it is, not of further channels or of some of the taps.
func (b *Builder) writesWhole(c convolution) bool {
	return !c.part.cut() && b.padded(c) == c.g.C/c.g.Groups
}

// unpacks says whether an alternative begins with a library that leaves a filter's gradient in an order of its own. It keeps no working
// memory.
func (b *Builder) unpacks(a alternative) bool {
	start := b.work
	defer func() { b.work = start }()
	list := a.list()
	if len(list) == 0 {
		return false
	}
	if e, ok := list[0].(*Either); ok {
		list = e.Try
	}
	for _, c := range list {
		if l, ok := c.(*Launch); ok && l.Name == "unpack" {
			return true
		}
	}
	return false
}

// gradientOf is the place of the gradient among the operands of an update that reads it in either order, 0 for other steps.
func gradientOf(i graph.Instr) int {
	if f, ok := i.(*graph.FusedUpdate); ok && f.Grad == nil {
		i = f.Update
	}
	switch i.(type) {
	case *graph.MomentumUpdate:
		return 2
	case *graph.AdamUpdate:
		return 3
	}
	return 0
}

// inKerasOrder has a pass that writes a filter's gradient in Keras's order, as float32, do so in working memory where the gradient is kept
// filters first, and brings it from there.
func (b *Builder) inKerasOrder(c convolution, do func(convolution) []Command) []Command {
	if !c.gradient.transposed {
		return do(c)
	}
	to := c.withAllTaps().packedOf(nil, c.g.C/c.g.Groups, c.gradient.narrow)
	stored, wide := c.w, to
	wide.Rounded = false
	c.w, c.gradient = b.Scratch(wide.Bytes()), storedGradient{}
	list := do(c)
	if len(list) == 0 {
		return nil
	}
	return append(list, b.packing(to, c.w, stored))
}

// asStored is where cuDNN writes a filter's gradient that is kept filters first, and what is done behind it: nothing, if the gradient is kept
// in the type that cuDNN writes.
func (b *Builder) asStored(c convolution, written Packed, after []Command) (Pointer, []Command) {
	if written.Rounded == c.gradient.narrow {
		return c.w, after
	}
	at := b.Scratch(written.Bytes())
	return at, append(after, b.fromBFloat16(c.w, at, written.Taps*written.Channels*written.Filters))
}

const (
	tileOfRows    = 64 // ROWS of update_transposed.cu
	tileOfFilters = 32 // COLUMNS of update_transposed.cu
)

// tiles are those of a filter.
func tiles(rows, filters int64) int64 {
	return (rows + tileOfRows - 1) / tileOfRows * ((filters + tileOfFilters - 1) / tileOfFilters)
}

// transposedSources are the updates by gradients that are kept filters first, as bfloat16 or not.
var transposedSources = map[bool]Source{
	false: File("update_transposed.cu", tensor.Float32),
	true:  File("update_transposed.cu", tensor.Float32, "G bf16"),
}

// updateBy is an update by a gradient, whose arguments are those that a tensor has of its own, and the others.
func (b *Builder) updateBy(s *graph.Step, gradient *graph.Value, name string, own []any, rest ...any) *Launch {
	if !gradient.Transposed {
		return b.update(s, name, append(own, rest...)...)
	}
	name += "_transposed"
	n := gradient.Len()
	filters := gradient.Shape[len(gradient.Shape)-1]
	rows := n / filters // there are elements: see Commands
	args := append(append(own, int64(rows), int64(filters)), rest...)
	return &Launch{Source: transposedSources[gradient.Narrow], Name: name, Block: Dim3{X: threads},
		Grid: Dim3{X: updates[name].blocks(int(tiles(int64(rows), int64(filters))), b.Multiprocessors)}, Args: append(args, int64(n))}
}
