package kernel

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

// epilogueApart says whether bias and ReLU are better left to a launch behind cuDNN's convolution than to its epilogue, where nothing is
// measured. Without tensor cores cuDNN's heuristics propose no engine with an epilogue at all, and its fallbacks for it are the slowest it
// has: with them VGG-16 trained at 8 TFLOP/s on an H200, which does 60 in float32. The launch costs reading and writing y.
func (b *Builder) epilogueApart(c convolution) bool {
	return c.pass == Forward && (c.bias != nil || c.relu) && !c.yNarrow && (c.dt == tensor.Float64 || b.Precision == FP32)
}

// convolutionThenEpilogue is cuDNN's convolution, and bias and ReLU in a launch. There is none where that takes very much working memory.
func (b *Builder) convolutionThenEpilogue(c convolution) []Command {
	after, start := b.epilogue(c), b.work
	c.epilogue = epilogue{}
	list := append(b.libraryConvolution(c), after)
	if b.work-start > mostScratch {
		return nil
	}
	return list
}

// epilogue is y ← y + bias, then ReLU, or one of them.
func (b *Builder) epilogue(c convolution) Command {
	y := &graph.Value{Dtype: c.dt, Shape: c.g.Output()}
	if c.bias == nil {
		return b.packed("elementwise.cu", "relu", c.dt, storage{}, y.Len(), packOf(y.Len(), y), c.y, c.y)
	}
	name := "bias_add"
	if c.relu {
		name = "bias_add_relu"
	}
	_, _, channel := c.g.Format.Axes()
	return b.eachChannel("channel.cu", name, c.dt, packed(c.dt, channelsOf(y.Shape, channel), images{"SX": y, "SY": y}), c.y, c.y, *c.bias)
}
