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
			return b.batchStats(s, v, Out(0), b.perChannel(dt, v), b.perChannel(dt, v)), nil
		},
		"BatchVariance": batchVariance,
		"BatchStats": func(b *Builder, s *graph.Step) ([]Command, error) {
			v := channelsOf(s.In[0].Shape, s.Instr.(*graph.BatchStats).Axis)
			return b.batchStats(s, v, Out(0), b.perChannel(s.Out[0].Dtype, v), Out(1)), nil
		},
		"BatchVarianceGrad": func(b *Builder, s *graph.Step) ([]Command, error) {
			v, dt := channelsOf(s.In[0].Shape, s.Instr.(*op.BatchVarianceGrad).Axis), s.Out[0].Dtype
			p := packed(dt, v, images{"SX": s.In[0], "SDX": s.Out[0]})
			return []Command{b.eachChannel("channel_grad.cu", "batch_variance_grad", dt, p, Out(0), In(0), In(1), In(2), number(dt, 2/float64(v.count())))}, nil
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
		"BatchNormReLUSums": batchNormReLUSums,
		"BatchNormJoinSums": batchNormJoinSums,
		"BatchNormGradScale": func(b *Builder, s *graph.Step) ([]Command, error) {
			o, dt := s.Instr.(*op.BatchNormGradScale), s.Out[0].Dtype
			return b.batchNormSums(s, b.perChannel(dt, channelsOf(s.In[0].Shape, o.Axis)), o.Axis, o.Epsilon, false), nil
		},
		"BatchNormGradInput": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.batchNormGradInput(s, s.Instr.(*op.BatchNormGradInput), ""), nil
		},
		"FusedBatchNormGradInput": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.batchNormGradInput(s, s.Instr.(*graph.FusedBatchNormGradInput).Grad, "_relu"), nil
		},
		"BatchNormReLUGradInput": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.batchNormGradInput(s, s.Instr.(*graph.BatchNormReLUGradInput).Grad, "_again"), nil
		},
		"BatchNormInferenceGradInput": func(b *Builder, s *graph.Step) ([]Command, error) {
			o, dt := s.Instr.(*op.BatchNormInferenceGradInput), s.Out[0].Dtype
			p := packed(dt, channelsOf(s.Out[0].Shape, o.Axis), images{"SDX": s.Out[0], "SDY": s.In[2]})
			return []Command{b.eachChannel("channel_grad.cu", "batch_norm_inference_grad", dt, p, Out(0), In(0), In(1), In(2), number(dt, o.Epsilon))}, nil
		},
		"GroupNorm":     groupNorm,
		"GroupNormGrad": groupNormGrad,
	})
	x := func(in ...int) narrowing { return narrowing{in: operands(in...), out: operands(0), gains: true} }
	vectors := func(in ...int) narrowing { return narrowing{in: operands(in...), gains: true} }
	registerNarrow(map[string]narrowing{
		"BiasAdd": x(0), "BatchNorm": x(0), "BatchNormInference": x(0), "FusedBatchNorm": x(0, 5), "GroupNorm": x(0),
		"BatchNormGradInput": x(0, 4), "FusedBatchNormGradInput": x(0, 4, 7), "BatchNormReLUGradInput": x(0, 4),
		"BatchNormInferenceGradInput": x(2), "BatchVarianceGrad": x(0), "GroupNormGrad": x(0, 1),
		"BatchMean": vectors(0), "BatchVariance": vectors(0), "BatchStats": vectors(0), "BatchNormGradScale": vectors(0, 3),
		"BatchNormSums": vectors(0, 3, 4), "BatchNormReLUSums": vectors(0, 5),
		"BatchNormJoinSums": {in: operands(0, 3, 4, 5), out: operands(2), gains: true},
		"ChannelAffine":     {in: shifted, out: shifted},
	})
}

// perChannel reserves an element for each channel.
func (b *Builder) perChannel(dt tensor.Dtype, v view) Pointer {
	return b.Scratch(v.Channels * int64(dt.Size()))
}

func biasAdd(b *Builder, s *graph.Step) ([]Command, error) {
	dt, v := s.Out[0].Dtype, channelsOf(s.In[0].Shape, s.Instr.(*op.BiasAdd).Axis)
	return []Command{b.eachChannel("channel.cu", "bias_add", dt, packed(dt, v, images{"SX": s.In[0], "SY": s.Out[0]}), Out(0), In(0), In(1))}, nil
}

// mostShifts is SHIFTS of channel.cu.
const mostShifts = 256

// shifted says whether there is a shift: without one there is a kernel that knows no channels.
func shifted(s *graph.Step, _ int) bool { return s.Instr.(*op.ChannelAffine).Shift != nil }

// channelAffine hands the shifts over as an argument: a kernel for every mostShifts channels.
func channelAffine(b *Builder, s *graph.Step) ([]Command, error) {
	o, dt := s.Instr.(*op.ChannelAffine), s.Out[0].Dtype
	scale := number(dt, o.Scale)
	if o.Shift == nil {
		return []Command{b.each("elementwise.cu", "scale", dt, s.Out[0].Len(), Out(0), In(0), scale)}, nil
	}
	v := channelsOf(s.In[0].Shape, o.Axis)
	p := packed(dt, v, images{"SX": s.In[0], "SY": s.Out[0]})
	var commands []Command
	for first := int64(0); first < v.Channels; first += mostShifts {
		count := min(mostShifts, v.Channels-first)
		shifts := shiftsOf(dt, o.Shift[first:first+count])
		commands = append(commands, b.eachChannel("channel.cu", "channel_affine", dt, p, Out(0), In(0), scale, shifts, first, count))
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

// batchStats is a step that computes what stats does, of operand 0.
func (b *Builder) batchStats(s *graph.Step, v view, mean, rest, variance Pointer) []Command {
	of := images{"SX": s.In[0]}
	return b.eachSharing(b.sharings(packed(s.In[0].Dtype, v, of), of, few, normSharings), func(h sharing) []Command {
		return b.sharedStats(s.In[0], h, In(0), mean, rest, variance, v)
	})
}

// stats computes the mean, what rounding took from it, and the variance of every channel of x, which is at a place.
func (b *Builder) stats(x *graph.Value, at, mean, rest, variance Pointer, v view) []Command {
	return b.sharedStats(x, oneWave, at, mean, rest, variance, v)
}

// sharedStats is stats with the sums shared so.
func (b *Builder) sharedStats(x *graph.Value, h sharing, at, mean, rest, variance Pointer, v view) []Command {
	dt := x.Dtype
	t := b.summing(packed(dt, v, images{"SX": x}), few, h)
	partial, counters := b.joining(t, 3, dt)
	return []Command{t.launch("stats.cu", "stats", dt, mean, rest, variance, partial, counters, at, v.count())}
}

func batchVariance(b *Builder, s *graph.Step) ([]Command, error) {
	v, dt := channelsOf(s.In[0].Shape, s.Instr.(*op.BatchVariance).Axis), s.Out[0].Dtype
	t := b.summing(packed(dt, v, images{"SX": s.In[0]}), few, oneWave)
	partial := b.Scratch(t.parts() * v.Channels * int64(dt.Size()))
	rest := view{1, t.parts(), v.Channels, 1}
	return append([]Command{t.launch("stats.cu", "variance_parts", dt, partial, In(0), In(1))},
		b.reduce(sums, dt, Out(0), partial, rest, 1, float64(v.count()))...), nil
}

// batchNorm takes x, gamma, beta, mean, variance and the residual if one is added.
func (b *Builder) batchNorm(s *graph.Step, f *graph.FusedBatchNorm) []Command {
	return []Command{b.normalise(s, f, In(3), In(4), 5)}
}

// normalise launches a batch norm of operand 0 with gamma and beta, which follow; the residual, if one is added, is operand add.
func (b *Builder) normalise(s *graph.Step, f *graph.FusedBatchNorm, mean, variance Pointer, add int) Command {
	dt, name := s.Out[0].Dtype, "batch_norm"
	args, of := []any{Out(0), In(0), In(1), In(2), mean, variance}, images{"SX": s.In[0], "SY": s.Out[0]}
	if f.Add {
		name, args, of["SZ"] = name+"_add", append(args, In(add)), s.In[add]
	}
	if f.ReLU {
		name += "_relu"
	}
	p := packed(dt, channelsOf(s.In[0].Shape, f.Axis), of)
	return b.eachChannel("channel.cu", name, dt, p, append(args, number(dt, f.Epsilon))...)
}

// batchNormSums takes x, mean, variance, dy and y if a ReLU followed. Result 0 is dgamma.
func (b *Builder) batchNormSums(s *graph.Step, dbeta Pointer, axis int, epsilon float64, relu bool) []Command {
	v, of := channelsOf(s.In[0].Shape, axis), images{"SX": s.In[0], "SDY": s.In[3]}
	if relu {
		of["SY"] = s.In[4]
		return b.normGradients(s, v, of, "norm_sums_relu", Out(0), dbeta, In(2), epsilon, In(0), In(1), In(3), In(4))
	}
	return b.normGradients(s, v, of, "norm_sums", Out(0), dbeta, In(2), epsilon, In(0), In(1), In(3))
}

func batchNormReLUSums(b *Builder, s *graph.Step) ([]Command, error) {
	o := s.Instr.(*graph.BatchNormReLUSums)
	return b.normGradients(s, channelsOf(s.In[0].Shape, o.Axis), images{"SX": s.In[0], "SDY": s.In[5]}, "norm_sums_again", Out(0), Out(1), In(4),
		o.Epsilon, In(0), In(1), In(2), In(3), In(5)), nil
}

func batchNormJoinSums(b *Builder, s *graph.Step) ([]Command, error) {
	o := s.Instr.(*graph.BatchNormJoinSums)
	of := images{"SX": s.In[0], "SDY": s.In[3], "SZ": s.In[4], "SY": s.In[5], "SDX": s.Out[2]}
	return b.normGradients(s, channelsOf(s.In[0].Shape, o.Axis), of, "norm_sums_join", Out(0), Out(1), In(2), o.Epsilon,
		Out(2), In(0), In(1), In(3), In(4), In(5)), nil
}

// normGradients is a step that computes what normSums does.
func (b *Builder) normGradients(s *graph.Step, v view, of images, name string, dgamma, dbeta, variance Pointer, epsilon float64, in ...any) []Command {
	return b.eachSharing(b.sharings(packed(s.Out[0].Dtype, v, of), of, fewOfTwo, normSharings), func(h sharing) []Command {
		return b.sharedNormSums(s, v, of, h, name, dgamma, dbeta, variance, epsilon, in...)
	})
}

// normSums computes dgamma and dbeta with one of the kernels of norm_sums.cu, whose operands are in.
func (b *Builder) normSums(s *graph.Step, v view, of images, name string, dgamma, dbeta, variance Pointer, epsilon float64, in ...any) []Command {
	return b.sharedNormSums(s, v, of, oneWave, name, dgamma, dbeta, variance, epsilon, in...)
}

// sharedNormSums is normSums with the sums shared so.
func (b *Builder) sharedNormSums(s *graph.Step, v view, of images, h sharing, name string, dgamma, dbeta, variance Pointer, epsilon float64, in ...any) []Command {
	dt := s.Out[0].Dtype
	t := b.summing(packed(dt, v, of), fewOfTwo, h)
	partial, counters := b.joining(t, 2, dt)
	return []Command{t.launch("norm_sums.cu", name, dt, append([]any{dgamma, dbeta, partial, counters, variance, number(dt, epsilon)}, in...)...)}
}

// batchNormGradInput takes x, gamma, mean, variance, dy, dgamma, dbeta, and y or beta if a ReLU masks dy: mask ends the kernel's name.
func (b *Builder) batchNormGradInput(s *graph.Step, o *op.BatchNormGradInput, mask string) []Command {
	dt, v, of := s.Out[0].Dtype, channelsOf(s.In[0].Shape, o.Axis), images{"SX": s.In[0], "SDY": s.In[4], "SDX": s.Out[0]}
	args := []any{Out(0), In(0), In(1), In(2), In(3), In(4), In(5), In(6)}
	if mask != "" {
		args = append(args, In(7))
	}
	if mask == "_relu" {
		of["SY"] = s.In[7]
	}
	return []Command{b.gradInput(dt, v, of, mask, o.Epsilon, args)}
}

// gradInput launches the gradient of a batch norm's input, of images; mask ends the kernel's name.
func (b *Builder) gradInput(dt tensor.Dtype, v view, of images, mask string, epsilon float64, args []any) Command {
	return b.eachChannel("channel_grad.cu", "batch_norm_grad"+mask, dt, packed(dt, v, of), append(args, number(dt, epsilon), number(dt, float64(v.count())))...)
}

// groupNorm has the groups of all samples for channels: their elements lie together.
func groupNorm(b *Builder, s *graph.Step) ([]Command, error) {
	o, dt := s.Instr.(*ir.GroupNorm), s.Out[0].Dtype
	v := rowsOf(s.In[0].Shape[0]*o.Groups, s.In[0].Len())
	mean, rest, variance := b.perChannel(dt, v), b.perChannel(dt, v), b.perChannel(dt, v)
	p := packed(dt, v, images{"SX": s.In[0], "SY": s.Out[0]})
	return append(b.stats(s.In[0], In(0), mean, rest, variance, v),
		b.eachChannel("channel.cu", "group_norm", dt, p, Out(0), In(0), mean, rest, variance, number(dt, o.Epsilon))), nil
}

func groupNormGrad(b *Builder, s *graph.Step) ([]Command, error) {
	o, dt := s.Instr.(*ir.GroupNormGrad), s.Out[0].Dtype
	v := rowsOf(s.In[0].Shape[0]*o.Groups, s.In[0].Len())
	mean, rest, variance := b.perChannel(dt, v), b.perChannel(dt, v), b.perChannel(dt, v)
	dgamma, dbeta := b.perChannel(dt, v), b.perChannel(dt, v)
	of := images{"SX": s.In[0], "SDY": s.In[1]}
	commands := b.stats(s.In[0], In(0), mean, rest, variance, v)
	commands = append(commands, b.normSums(s, v, of, "group_sums", dgamma, dbeta, variance, o.Epsilon, In(0), mean, rest, In(1))...)
	of["SDX"] = s.Out[0]
	return append(commands, b.eachChannel("channel_grad.cu", "group_norm_grad", dt, packed(dt, v, of), Out(0), In(0), mean, rest, variance, In(1), dgamma, dbeta,
		number(dt, o.Epsilon), number(dt, float64(v.count())))), nil
}
