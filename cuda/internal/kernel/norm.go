package kernel

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	registerFloats(map[string]Prepare{
		"BiasAdd":       biasAdd,
		"ChannelAffine": channelAffine,
		"BatchMean": func(b *Builder, s *graph.Step) ([]Command, error) {
			v, dt := channelsOf(s.In[0].Shape, s.Instr.(*op.BatchMean).Axis), s.Out[0].Dtype
			return b.stats(dt, Out(0), b.perChannel(dt, v), b.perChannel(dt, v), v), nil
		},
		"BatchVariance": batchVariance,
		"BatchStats": func(b *Builder, s *graph.Step) ([]Command, error) {
			v, dt := channelsOf(s.In[0].Shape, s.Instr.(*graph.BatchStats).Axis), s.Out[0].Dtype
			return b.stats(dt, Out(0), b.perChannel(dt, v), Out(1), v), nil
		},
		"BatchVarianceGrad": func(b *Builder, s *graph.Step) ([]Command, error) {
			v, dt := channelsOf(s.In[0].Shape, s.Instr.(*op.BatchVarianceGrad).Axis), s.Out[0].Dtype
			factor := number(dt, 2/float64(v.count()))
			return []Command{b.eachChannel("batch_variance_grad", dt, v, Out(0), In(0), In(1), In(2), factor)}, nil
		},
		"BatchNorm": func(b *Builder, s *graph.Step) ([]Command, error) {
			o := s.Instr.(*op.BatchNorm)
			return b.batchNorm(s, &graph.FusedBatchNorm{Axis: o.Axis, Epsilon: o.Epsilon}), nil
		},
		"BatchNormInference": func(b *Builder, s *graph.Step) ([]Command, error) {
			o := s.Instr.(*op.BatchNormInference)
			return b.batchNorm(s, &graph.FusedBatchNorm{Axis: o.Axis, Epsilon: o.Epsilon}), nil
		},
		"FusedBatchNorm": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.batchNorm(s, s.Instr.(*graph.FusedBatchNorm)), nil
		},
		"BatchNormSums": func(b *Builder, s *graph.Step) ([]Command, error) {
			o := s.Instr.(*graph.BatchNormSums)
			return b.batchNormSums(s, Out(1), o.Axis, o.Epsilon, o.ReLU), nil
		},
		"BatchNormGradScale": func(b *Builder, s *graph.Step) ([]Command, error) {
			o, dt := s.Instr.(*op.BatchNormGradScale), s.Out[0].Dtype
			return b.batchNormSums(s, b.perChannel(dt, channelsOf(s.In[0].Shape, o.Axis)), o.Axis, o.Epsilon, false), nil
		},
		"BatchNormGradInput": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.batchNormGradInput(s, s.Instr.(*op.BatchNormGradInput), false), nil
		},
		"FusedBatchNormGradInput": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.batchNormGradInput(s, s.Instr.(*graph.FusedBatchNormGradInput).Grad, true), nil
		},
		"BatchNormInferenceGradInput": func(b *Builder, s *graph.Step) ([]Command, error) {
			o, dt := s.Instr.(*op.BatchNormInferenceGradInput), s.Out[0].Dtype
			v, epsilon := channelsOf(s.Out[0].Shape, o.Axis), number(dt, o.Epsilon)
			return []Command{b.eachChannel("batch_norm_inference_grad", dt, v, Out(0), In(0), In(1), In(2), epsilon)}, nil
		},
		"GroupNorm":     groupNorm,
		"GroupNormGrad": groupNormGrad,
	})
}

// perChannel reserves an element for each channel.
func (b *Builder) perChannel(dt tensor.Dtype, v view) Pointer {
	return b.Scratch(v.Channels * int64(dt.Size()))
}

func biasAdd(b *Builder, s *graph.Step) ([]Command, error) {
	v := channelsOf(s.In[0].Shape, s.Instr.(*op.BiasAdd).Axis)
	return []Command{b.eachChannel("bias_add", s.Out[0].Dtype, v, Out(0), In(0), In(1))}, nil
}

// mostShifts is SHIFTS of channel.cu.
const mostShifts = 256

// channelAffine hands the shifts over as an argument: a kernel for every mostShifts channels.
func channelAffine(b *Builder, s *graph.Step) ([]Command, error) {
	o, dt := s.Instr.(*op.ChannelAffine), s.Out[0].Dtype
	scale := number(dt, o.Scale)
	if o.Shift == nil {
		return []Command{b.each("elementwise.cu", "scale", dt, s.Out[0].Len(), Out(0), In(0), scale)}, nil
	}
	v := channelsOf(s.In[0].Shape, o.Axis)
	var commands []Command
	for first := int64(0); first < v.Channels; first += mostShifts {
		count := min(mostShifts, v.Channels-first)
		shifts := shiftsOf(dt, o.Shift[first:first+count])
		commands = append(commands, b.eachChannel("channel_affine", dt, v, Out(0), In(0), scale, shifts, first, count))
	}
	return commands, nil
}

// shiftsOf is struct Shifts of channel.cu.
func shiftsOf(dt tensor.Dtype, shifts []float64) Bytes {
	var wide [mostShifts]float64
	copy(wide[:], shifts)
	if dt != tensor.Float32 {
		return structOf(wide)
	}
	var narrow [mostShifts]float32
	for i, v := range wide {
		narrow[i] = float32(v)
	}
	return structOf(narrow)
}

// stats computes the mean, what rounding took from it, and the variance of every channel.
func (b *Builder) stats(dt tensor.Dtype, mean, rest, variance Pointer, v view) []Command {
	t := b.tile(v, 0)
	partial := b.Scratch(3 * t.parts() * v.Channels * int64(dt.Size()))
	join := b.tile(view{1, t.parts(), v.Channels, 1}, 1)
	return []Command{
		&Launch{Source: File("stats.cu", dt), Name: "stats_parts", Grid: t.grid, Block: t.block,
			Args: []any{partial, In(0), v.arg(), t.size, t.width}},
		&Launch{Source: File("stats.cu", dt), Name: "stats_join", Grid: join.grid, Block: join.block,
			Args: []any{mean, rest, variance, partial, v.Channels, v.count(), t.size, int32(t.parts()), join.width}},
	}
}

func batchVariance(b *Builder, s *graph.Step) ([]Command, error) {
	v, dt := channelsOf(s.In[0].Shape, s.Instr.(*op.BatchVariance).Axis), s.Out[0].Dtype
	t := b.tile(v, 0)
	partial := b.Scratch(t.parts() * v.Channels * int64(dt.Size()))
	first := &Launch{Source: File("stats.cu", dt), Name: "variance_parts", Grid: t.grid, Block: t.block,
		Args: []any{partial, In(0), In(1), v.arg(), t.size, t.width}}
	rest := view{1, t.parts(), v.Channels, 1}
	return append([]Command{first}, b.reduce(sums, dt, Out(0), partial, rest, 1, float64(v.count()))...), nil
}

// batchNorm takes x, gamma, beta, mean, variance and the residual if one is added.
func (b *Builder) batchNorm(s *graph.Step, f *graph.FusedBatchNorm) []Command {
	dt, name := s.Out[0].Dtype, "batch_norm"
	args := []any{Out(0), In(0), In(1), In(2), In(3), In(4)}
	if f.Add {
		name, args = name+"_add", append(args, In(5))
	}
	if f.ReLU {
		name += "_relu"
	}
	return []Command{b.eachChannel(name, dt, channelsOf(s.In[0].Shape, f.Axis), append(args, number(dt, f.Epsilon))...)}
}

// batchNormSums takes x, mean, variance, dy and y if a ReLU followed. Result 0 is dgamma.
func (b *Builder) batchNormSums(s *graph.Step, dbeta Pointer, axis int, epsilon float64, relu bool) []Command {
	dt, v := s.Out[0].Dtype, channelsOf(s.In[0].Shape, axis)
	if relu {
		return b.normSums(dt, v, "norm_sums_parts_relu", Out(0), dbeta, In(2), epsilon, In(0), In(1), In(3), In(4))
	}
	return b.normSums(dt, v, "norm_sums_parts", Out(0), dbeta, In(2), epsilon, In(0), In(1), In(3))
}

// normSums computes dgamma and dbeta with one of the kernels for parts, whose operands are in.
func (b *Builder) normSums(dt tensor.Dtype, v view, name string, dgamma, dbeta, variance Pointer, epsilon float64, in ...any) []Command {
	t := b.tile(v, 0)
	partial := b.Scratch(2 * t.parts() * v.Channels * int64(dt.Size()))
	join := b.tile(view{1, t.parts(), v.Channels, 1}, 1)
	return []Command{
		&Launch{Source: File("stats.cu", dt), Name: name, Grid: t.grid, Block: t.block,
			Args: append(append([]any{partial}, in...), v.arg(), t.size, t.width)},
		&Launch{Source: File("stats.cu", dt), Name: "norm_sums_join", Grid: join.grid, Block: join.block,
			Args: []any{dgamma, dbeta, partial, variance, number(dt, epsilon), v.Channels, int32(t.parts()), join.width}},
	}
}

// batchNormGradInput takes x, gamma, mean, variance, dy, dgamma, dbeta, and y if masked by a ReLU.
func (b *Builder) batchNormGradInput(s *graph.Step, o *op.BatchNormGradInput, masked bool) []Command {
	dt, name, v := s.Out[0].Dtype, "batch_norm_grad", channelsOf(s.In[0].Shape, o.Axis)
	args := []any{Out(0), In(0), In(1), In(2), In(3), In(4), In(5), In(6)}
	if masked {
		name, args = name+"_relu", append(args, In(7))
	}
	return []Command{b.eachChannel(name, dt, v, append(args, number(dt, o.Epsilon), number(dt, float64(v.count())))...)}
}

// groupNorm has the groups of all samples for channels: their elements lie together.
func groupNorm(b *Builder, s *graph.Step) ([]Command, error) {
	o, dt := s.Instr.(*ir.GroupNorm), s.Out[0].Dtype
	v := rowsOf(s.In[0].Shape[0]*o.Groups, s.In[0].Len())
	mean, rest, variance := b.perChannel(dt, v), b.perChannel(dt, v), b.perChannel(dt, v)
	return append(b.stats(dt, mean, rest, variance, v),
		b.eachChannel("group_norm", dt, v, Out(0), In(0), mean, rest, variance, number(dt, o.Epsilon))), nil
}

func groupNormGrad(b *Builder, s *graph.Step) ([]Command, error) {
	o, dt := s.Instr.(*ir.GroupNormGrad), s.Out[0].Dtype
	v := rowsOf(s.In[0].Shape[0]*o.Groups, s.In[0].Len())
	mean, rest, variance := b.perChannel(dt, v), b.perChannel(dt, v), b.perChannel(dt, v)
	dgamma, dbeta := b.perChannel(dt, v), b.perChannel(dt, v)
	commands := b.stats(dt, mean, rest, variance, v)
	commands = append(commands, b.normSums(dt, v, "group_sums_parts", dgamma, dbeta, variance, o.Epsilon, In(0), mean, rest, In(1))...)
	return append(commands, b.eachChannel("group_norm_grad", dt, v, Out(0), In(0), mean, rest, variance, In(1), dgamma, dbeta,
		number(dt, o.Epsilon), number(dt, float64(v.count())))), nil
}
