package kernel

import (
	"math"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

func init() {
	register(map[string]Prepare{"FusedMaxPool2DGrad": prepareMaskedPool}, tensor.Float32)
	registerNarrow(map[string]narrowing{"FusedMaxPool2DGrad": {in: operands(0, 1, 2), out: operands(0), gains: true}})
}

const (
	// poolSumThreads is SUM_THREADS of pool_walk_relu.cu, of windows that do not overlap, and of others: one block of them has a multiprocessor.
	poolSumThreads, poolSumThreadsOver = 640, 512
	// poolSumWidth is the most packs of channels that such a block works on side by side: a line of the cache, and so few channels that the last
	// block soon puts their parts together.
	poolSumWidth = 8
)

// JoinsPoolGrad implements graph.PoolGradJoiner: it takes the steps as one where pool_walk.cu computes the gradient of the pooling, which then
// masks without reading more.
func JoinsPoolGrad(s *graph.Step) bool {
	f := s.Instr.(*graph.FusedMaxPool2DGrad)
	g, err := f.Grad.Geometry(s.In[0].Shape)
	return err == nil && f.Grad.Format == shape.NHWC && walkable(s.In[0], g) && countable(g)
}

// prepareMaskedPool is the gradient of a max pooling, masked by a ReLU, and the sums of its channels. The mask is found from what the pooling's
// gradient reads. The sums are a sweep of their own over the smaller gradient, or gathered on the way: the first is followed without a
// measurement, as whether the pooling's gradient is as fast with sums is not known.
func prepareMaskedPool(b *Builder, s *graph.Step) ([]Command, error) {
	f := s.Instr.(*graph.FusedMaxPool2DGrad)
	g, err := f.Grad.Geometry(s.In[0].Shape)
	if err != nil {
		return nil, err
	}
	if !countable(g) { // only the host counts so far
		return nil, nil
	}
	x, y, dy := s.In[0], s.In[1], s.In[2]
	if g.Format != shape.NHWC || !walkable(x, g) {
		return b.maskAndUnpool(s, g, f.Bias), nil
	}
	d := storage{}.as("SX", x).as("SY", y).as("SDY", dy).as("SDX", s.Out[0])
	walk := b.walking(x, g)
	walk.file, walk.name = "pool_walk_relu.cu", "max_pool_grad_relu"
	masked := b.poolOver(s, walk, g, d, []any{In(0), In(2)})
	if !f.Bias {
		return masked, nil
	}
	v, of := channelsOf(y.Shape, 3), images{"SY": y, "SDY": dy}
	apart := func(h sharing) func() []Command {
		return func() []Command {
			return append(b.sharedBiasSums(s, v, of, h, "bias_grad_masked", Out(1), In(1), In(2)), masked...)
		}
	}
	ways := []alternative{{"sums apart", apart(oneWave)}, {"sums on the way", func() []Command { return b.walkAndSum(s, walk, g, d) }}}
	for _, h := range b.biasSharings(s, v, of)[1:] {
		ways = append(ways, alternative{"sums apart, " + h.String(), apart(h)})
	}
	return b.choice(ways...), nil
}

// maskAndUnpool is what the steps do one after the other. What is masked lies in working memory.
func (b *Builder) maskAndUnpool(s *graph.Step, g op.PoolGeometry, bias bool) []Command {
	x, y, dy := s.In[0], s.In[1], s.In[2]
	masked := b.Scratch(int64(dy.StoredBytes()))
	var list []Command
	if bias {
		_, _, channel := g.Format.Axes()
		of := images{"SY": y, "SDY": dy, "SDX": dy}
		list = b.biasSums(s, channelsOf(y.Shape, channel), of, "bias_grad_relu", Out(1), masked, In(1), In(2))
	} else {
		d := storage{}.as("SX", y).as("SZ", dy).as("SY", dy)
		list = []Command{b.packed("elementwise.cu", "relu_grad", x.Dtype, d, dy.Len(), packOf(dy.Len(), y, dy), masked, In(1), In(2))}
	}
	d := storage{}.as("SX", x).as("SDY", dy).as("SDX", s.Out[0])
	return append(list, b.maxPoolGrad(s, g, d, In(0), masked)...)
}

// walkAndSum launches a block for each multiprocessor, which sums what it spreads: blocks along x are those of channels, blocks along y are
// parts of the runs.
func (b *Builder) walkAndSum(s *graph.Step, k pooling, g op.PoolGeometry, d storage) []Command {
	p := placesOf(s, k, g, d)
	if p.threads/int64(p.packs) > math.MaxInt32/2 {
		return nil
	}
	threads := int64(poolSumThreads)
	if g.H.Kernel > g.H.Stride || g.W.Kernel > g.W.Stride {
		threads = poolSumThreadsOver
	}
	runs, packs := p.threads/int64(p.packs), int64(p.packs)
	width := ceilDiv(packs, ceilDiv(packs, poolSumWidth))
	tiles := ceilDiv(packs, width)
	parts := min(int64(max(b.Multiprocessors, 1))/tiles, runs/(threads/width), mostParts)
	size := ceilDiv(runs, max(parts, 1))
	t := summing{packing: packing{view: view{1, runs, packs, 1}, vec: int64(g.C) / packs},
		grid: Dim3{X: int(tiles), Y: int(ceilDiv(runs, size))}, block: Dim3{X: int(threads)}, size: int32(size), width: int32(width)}
	partial, counters := b.joining(t, 1, s.Out[0].Dtype)
	return []Command{&Launch{Source: File(k.file, s.Out[0].Dtype, p.defines...), Name: "max_pool_grad_relu_bias", Grid: t.grid, Block: t.block,
		Args: []any{Out(1), partial, counters, Out(0), In(0), In(2), p.arg, t.arg(), t.size, t.width}}}
}
