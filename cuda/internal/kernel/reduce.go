package kernel

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	registerFloats(map[string]Prepare{
		"Sum": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.reduceStep(s, sums, rowsOf(1, s.In[0].Len()), 1, 1), nil
		},
		"Mean": func(b *Builder, s *graph.Step) ([]Command, error) {
			n := s.In[0].Len()
			return b.reduceStep(s, sums, rowsOf(1, n), 1, float64(n)), nil
		},
		"L2Penalty": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.reduceStep(s, squares, rowsOf(1, s.In[0].Len()), s.Instr.(*op.L2Penalty).Lambda, 1), nil
		},
		"Reduce": reduceAxes,
		"SumGrad": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.spread(s, rowsOf(1, s.Out[0].Len()), 1), nil
		},
		"MeanGrad": func(b *Builder, s *graph.Step) ([]Command, error) {
			n := s.Out[0].Len()
			return b.spread(s, rowsOf(1, n), float64(n)), nil
		},
		"BatchMeanGrad": func(b *Builder, s *graph.Step) ([]Command, error) {
			v := channelsOf(s.Out[0].Shape, s.Instr.(*op.BatchMeanGrad).Axis)
			return b.spread(s, v, float64(v.count())), nil
		},
		"ChannelBroadcast": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.spread(s, channelsOf(s.Out[0].Shape, s.Instr.(*op.ChannelBroadcast).Axis), 1), nil
		},
		"L2PenaltyGrad": func(b *Builder, s *graph.Step) ([]Command, error) {
			y, factor := s.Out[0], 2*s.Instr.(*op.L2PenaltyGrad).Lambda
			return []Command{b.each("reduce.cu", "l2_grad", y.Dtype, y.Len(), Out(0), In(0), In(1), number(y.Dtype, factor))}, nil
		},
	})
}

// reduction is what is made of the elements of a channel; its value is the end of the kernels' names.
type reduction string

const (
	sums    reduction = "sum"
	squares reduction = "squares" // the sum of their squares
	maxima  reduction = "max"
)

// fewElements is up to how many elements a channel is reduced by one thread.
const fewElements = 32

// reduce writes scale·(reduction of each channel of each of the batch)/divisor to y, batch × channels.
func (b *Builder) reduce(r reduction, dt tensor.Dtype, y, x Pointer, v view, scale, divisor float64) []Command {
	if v.count() <= fewElements {
		return []Command{b.few(r, dt, y, x, v, scale, divisor)}
	}
	t := b.tile(v, 0)
	parts := t.parts()
	if parts == 1 {
		return []Command{t.reduce(r, dt, y, x, v, scale, divisor)}
	}
	partial := b.Scratch(parts * v.sums() * int64(dt.Size()))
	commands := []Command{t.reduce(r, dt, partial, x, v, 1, 1)}
	if r == squares {
		r = sums
	}
	rest := view{1, parts, v.sums(), 1}
	if parts <= fewElements {
		return append(commands, b.few(r, dt, y, partial, rest, scale, divisor))
	}
	return append(commands, b.tile(rest, 1).reduce(r, dt, y, partial, rest, scale, divisor))
}

func (t tiling) reduce(r reduction, dt tensor.Dtype, y, x Pointer, v view, scale, divisor float64) *Launch {
	return &Launch{Source: File("reduce.cu", dt), Name: "reduce_" + string(r), Grid: t.grid, Block: t.block,
		Args: []any{y, x, v.arg(), t.size, t.width, number(dt, scale), number(dt, divisor)}}
}

func (b *Builder) few(r reduction, dt tensor.Dtype, y, x Pointer, v view, scale, divisor float64) *Launch {
	grid, block := b.Each(int(v.sums()))
	return &Launch{Source: File("reduce.cu", dt), Name: "reduce_few_" + string(r), Grid: grid, Block: block,
		Args: []any{y, x, v.arg(), number(dt, scale), number(dt, divisor)}}
}

// reduceStep reduces operand 0 of a step.
func (b *Builder) reduceStep(s *graph.Step, r reduction, v view, scale, divisor float64) []Command {
	return b.reduce(r, s.Out[0].Dtype, Out(0), In(0), v, scale, divisor)
}

// spread writes operand 0 of a step, batch × channels, divided by divisor, to every element of its channels.
func (b *Builder) spread(s *graph.Step, v view, divisor float64) []Command {
	y := s.Out[0]
	inner, channels, outer := structOf(divideBy(int(v.Inner))), structOf(divideBy(int(v.Channels))), structOf(divideBy(int(v.Outer)))
	return []Command{b.each("reduce.cu", "spread", y.Dtype, y.Len(), Out(0), In(0), inner, channels, outer, number(y.Dtype, divisor))}
}

// reduceAxes is one sweep for each group of neighbouring axes that go, the last one first: it reads neighbours and leaves the
// least to the next.
func reduceAxes(b *Builder, s *graph.Step) ([]Command, error) {
	o, dt, dims := s.Instr.(*ir.Reduce), s.Out[0].Dtype, s.In[0].Shape
	sweeps := sweepsOf(dims, o.Reduced(len(dims)))
	if len(sweeps) == 0 {
		return []Command{&Move{To: Out(0), From: In(0), Bytes: int64(s.Out[0].Bytes())}}, nil
	}
	r, divisor := sums, 1.0
	switch o.Fn {
	case ir.ReduceMax:
		r = maxima
	case ir.ReduceMean:
		divisor = float64(op.Len(dims) / s.Out[0].Len())
	}
	var commands []Command
	from := In(0)
	for i, v := range sweeps {
		if i == len(sweeps)-1 {
			return append(commands, b.reduce(r, dt, Out(0), from, v, 1, divisor)...), nil
		}
		to := b.Scratch(v.sums() * int64(dt.Size()))
		commands = append(commands, b.reduce(r, dt, to, from, v, 1, 1)...)
		from = to
	}
	return commands, nil
}

// sweepsOf returns the reductions, one after the other, that take the axes away for which gone says so.
func sweepsOf(dims tensor.Shape, gone []bool) []view {
	var sweeps []view
	inner := int64(1)
	for i := len(dims) - 1; i >= 0; {
		last := i
		for i >= 0 && (gone[i] == gone[last] || dims[i] == 1) {
			i--
		}
		n := int64(op.Len(dims[i+1 : last+1]))
		switch left := int64(op.Len(dims[:i+1])); {
		case !gone[last]:
			inner *= n
		case n == 1:
		case inner == 1:
			sweeps = append(sweeps, view{1, 1, left, n})
		default:
			sweeps = append(sweeps, view{left, n, inner, 1})
		}
	}
	return sweeps
}
