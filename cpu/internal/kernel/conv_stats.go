package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Conv2DStats is a convolution and the mean and variance of its result's channels. Where the result is too large to stay in the
// cache, they are gathered while it is written, if the convolution is a matrix product with rows of channels or sums over taps.
type Conv2DStats[T Float] struct {
	conv    *Conv2D[T]
	stats   *BatchStats[T]
	watched bool
}

// watchedLen is the length of results from which statistics are gathered on the way: below it a sweep finds them in the cache, and
// blocks of the product need not have the watcher's height. Tests set it.
var watchedLen = 1 << 20

// NewConv2DStats prepares a convolution with the statistics of its channels.
func NewConv2DStats[T Float](e Env[T], g op.ConvGeometry, o ConvOptions) (*Conv2DStats[T], error) {
	c := Channels{Outer: g.N * g.H.Out * g.W.Out, C: g.F, Inner: 1}
	if g.Format == shape.NCHW {
		c = Channels{Outer: g.N, C: g.F, Inner: g.H.Out * g.W.Out}
	}
	var watch gemm.Watcher[T]
	var watching *BatchStats[T]
	if g.Format != shape.NCHW && c.check() == nil && c.Len() >= watchedLen {
		size := e.Gemm.WatchedRows()
		if isNarrow(g) || isDepthwise(g) {
			size = watchedPixels(g)
		}
		if size <= sumRun {
			watching = newWatchedStats[T](e.Pool, c, size)
			watch = watching
		}
	}
	conv, watched, err := newConv2D(e, g, o, watch)
	if err != nil {
		return nil, err
	}
	if watched {
		return &Conv2DStats[T]{conv, watching, true}, nil
	}
	stats, err := NewBatchStats[T](e.Pool, c)
	return &Conv2DStats[T]{conv, stats, false}, err
}

// Run computes y as [Conv2D.Run] does, and mean and variance, a number for each filter; either may be nil when it is not wanted.
func (k *Conv2DStats[T]) Run(mean, variance, y, x, w, bias []T) {
	if !k.watched {
		k.conv.Run(y, x, w, bias, nil)
		k.stats.Run(mean, variance, y)
		return
	}
	k.stats.begin(y)
	k.conv.Run(y, x, w, bias, nil)
	k.stats.finish(mean, variance)
}

// Workspace returns the number of elements that SetScratch wants.
func (k *Conv2DStats[T]) Workspace() int { return k.conv.Workspace() + k.stats.Workspace() }

// SetScratch hands the kernel its working memory, as [Scratch.SetScratch].
func (k *Conv2DStats[T]) SetScratch(mem []T) {
	k.conv.SetScratch(mem)
	k.stats.SetScratch(mem[k.conv.Workspace():])
}

// Way is how the convolution is computed.
func (k *Conv2DStats[T]) Way() string {
	if k.watched {
		return k.conv.Way() + ", statistics on the way"
	}
	return k.conv.Way()
}
