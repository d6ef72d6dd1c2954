package cpu

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// In inference nothing but the first axis separates the images of a batch. Where a net's images are large, as in the first half of most nets, a
// batch of them is in no cache when the next step reads it. Such a stretch of steps is therefore run image by image, all of it for one before the
// next: what one step writes the next finds in the cache. Each worker has images of its own, so that workers wait for each other at the
// end of the stretch instead of in every step. Where weights outweigh images, at the end of most nets, the whole batch goes through each step.
//
// What is computed does not depend on the number of workers: steps for one image are the same whether one worker runs them or all do, as
// those for images that are too few for all workers.

// stretch is steps [from, to) of a plan that are run for slice after slice of a batch.
type stretch struct {
	from, to int
	images   int // slices: the first axis of what is sliced
	sliced   map[*graph.Value]bool
}

// sliceFrom is how many bytes of an image steps must read and write, beyond those of weights, to be run image by image: less stays in the
// caches anyway, in batches of a usual size, and is too little work for the steps' beginnings and ends. Tests set it; below 0 the longest
// stretch there is counts.
var sliceFrom = 8 << 20

// findStretch returns the stretch that saves most memory traffic, nil if there is none worth it. It begins where steps begin that can be sliced,
// and ends where the images of all its steps outweigh the weights most.
func findStretch(p *graph.Plan) *stretch {
	if len(p.Assigns) > 0 {
		return nil
	}
	var best *stretch
	most := 0
	for from := 0; from < len(p.Steps); {
		s, gain := stretchFrom(p, from)
		if s == nil {
			from++
			continue
		}
		if gain > most {
			best, most = s, gain
		}
		from = s.to + 1
	}
	if best == nil || sliceFrom >= 0 && most < sliceFrom*best.images {
		return nil
	}
	// The steps behind the best end were looked at as well: what they slice is nobody's any more.
	best.sliced = map[*graph.Value]bool{}
	for _, s := range p.Steps[best.from:best.to] {
		in, _ := slicesOf(s, best.images)
		for i, v := range s.In {
			if in[i] {
				best.sliced[v] = true
			}
		}
		for _, v := range s.Out {
			best.sliced[v] = true
		}
	}
	return best
}

// stretchFrom is the stretch that begins with a step, and by how many bytes its images outweigh its weights, which are read for each of them.
func stretchFrom(p *graph.Plan, from int) (*stretch, int) {
	first := p.Steps[from]
	if first.Once || len(first.In) == 0 || len(first.In[0].Shape) < 2 {
		return nil, 0
	}
	n := first.In[0].Shape[0]
	if n < 2 {
		return nil, 0
	}
	whole, sliced := map[*graph.Value]bool{}, map[*graph.Value]bool{} // memory, by its owner
	gain, most, end := 0, 0, from
	for i := from; i < len(p.Steps); i++ {
		s := p.Steps[i]
		in, ok := slicesOf(s, n)
		if !ok {
			break
		}
		for j, v := range s.In {
			if in[j] {
				sliced[v.Root()] = true
				gain += v.Bytes()
			} else {
				whole[v.Root()] = true
				gain -= n * v.Bytes()
			}
		}
		for _, v := range s.Out {
			sliced[v.Root()] = true
			gain += v.Bytes()
		}
		for _, v := range slices.Concat(s.In, s.Out) { // nothing is both, be it to one step
			r := v.Root()
			ok = ok && !(whole[r] && sliced[r])
		}
		if !ok {
			break
		}
		if sliceFrom < 0 {
			gain = i + 1 - from
		}
		if gain > most {
			most, end = gain, i+1
		}
	}
	if end == from {
		return nil, 0
	}
	return &stretch{from: from, to: end, images: n}, most
}

// slicesOf says which operands of a step are images, if what it makes of n images it makes of each by itself.
func slicesOf(s *graph.Step, n int) (in []bool, ok bool) {
	if s.Once || len(s.In) == 0 || kernels[s.Instr.Kind()].of(s.Out[0].Dtype) == nil {
		return nil, false
	}
	batch := func(v *graph.Value) bool {
		return len(v.Shape) > 1 && v.Shape[0] == n && v.Dtype == tensor.Float32 && v.Root().Len() == v.Len()
	}
	for _, v := range s.Out {
		if !batch(v) {
			return nil, false
		}
	}
	in = make([]bool, len(s.In))
	in[0] = true
	switch o := s.Instr.(type) {
	case *op.Conv2D, *op.MaxPool2D, *op.AvgPool2D, *op.GlobalAvgPool2D, *op.ReLU, *op.Scale, *op.LayerNorm:
	case *graph.FusedConv2D:
		if o.Stats {
			return nil, false
		}
		in[len(in)-1] = o.Add
	case *op.BatchNormInference:
		if o.Axis == 0 {
			return nil, false
		}
	case *graph.FusedBatchNorm:
		if o.Axis == 0 {
			return nil, false
		}
		if o.Add {
			in[len(in)-1] = true
		}
	case *op.BiasAdd:
		if o.Axis == 0 {
			return nil, false
		}
	case *op.ChannelAffine:
		if o.Axis == 0 {
			return nil, false
		}
	case *ir.Concat:
		if o.Axis == 0 {
			return nil, false
		}
		for i := range in {
			in[i] = true
		}
	case *op.Permute:
		if o.Axes[0] != 0 {
			return nil, false
		}
	case *op.Add, *op.Mul:
		in[1] = true
	case *ir.Unary, *ir.Binary, *ir.Loop:
		for i, v := range s.In {
			in[i] = batch(v)
			if !in[i] && v.Len() != 1 && v.Shape[0] != 1 { // what is stretched along the first axis is the same for all
				return nil, false
			}
		}
	default:
		return nil, false
	}
	for i, v := range s.In {
		if in[i] && !batch(v) {
			return nil, false
		}
	}
	return in, slices.Contains(in, true)
}
