package kernel

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

// Batch norms of few rows, whose statistics and results, or sums and gradients, one launch makes: a block has all rows of a pack of channels
// in registers (norm_block.cuh). Those of other sizes are two launches, also where a step asks for both.

func init() {
	registerFloats(map[string]Prepare{"BatchNormForward": batchNormForward, "BatchNormBackward": batchNormBackward})
	registerNarrow(map[string]narrowing{
		"BatchNormForward": {in: operands(0, 3), out: operands(0), gains: true},
		"BatchNormBackward": {gains: true, out: operands(0, 3), in: func(s *graph.Step, i int) bool {
			return i == 0 || i >= 4 && i < 4+gradImages(s.Instr.(*graph.BatchNormBackward))
		}},
	})
}

const (
	// blockThreads is BLOCK of norm_block.cuh.
	blockThreads = 512
	// keptBytes of numbers, in up to mostKept rows, are what a thread can keep: half of the 128 registers that it has in a block of
	// blockThreads. The others hold sums and constants of its channels. What is bfloat16 in memory
	// takes half of that (Loaded of packs.cuh); whether twice as many rows were faster was not measured.
	keptBytes, mostKept = 256, 8
	// leastKept is the number of rows that a thread has before more threads share them.
	leastKept = 2
	// sector is the least that a multiprocessor moves from or to memory, however little of it a pack is.
	sector = 32
	// mostMoved is the most bytes, sectors counted, that a multiprocessor moves for a batch norm in one launch. It has the work of the blocks
	// of a launch to itself, where two launches share it among all: 400 kB take 4 to 6 µs of an H200, and two launches 8 µs or more, whatever
	// they do.
	mostMoved = 400_000
	// manyRows is from where on blocks have packs of half the size, if there are multiprocessors for twice as many.
	manyRows = 1024
)

// rowBlocks is how a batch norm is computed in one launch.
type rowBlocks struct {
	packing
	keep, block int64 // rows of a thread, threads of a block
}

// rowBlocks cuts a batch norm of images, of which the kernel reads and keeps so many. It reports false where the rows do not fit into a block, or one
// launch is the slower way.
func (b *Builder) rowBlocks(dt tensor.Dtype, v view, of images, kept int64) (rowBlocks, bool) {
	rows, multiprocessors := v.count(), int64(max(b.Multiprocessors, 1))
	if v.Inner != 1 || rows == 0 {
		return rowBlocks{}, false
	}
	r := rowBlocks{packing: packed(dt, v, of)}
	for size := int64(of.smallest(dt)); ; {
		r.keep = min(keptBytes/(kept*r.vec*int64(dt.Size())), mostKept)
		if rows <= r.keep*blockThreads && (rows < manyRows || r.vec <= 4) || r.vec*size <= widest/2 || 2*r.view.Channels > multiprocessors {
			break
		}
		r.packing = packedBy(r.vec/2, v, of)
	}
	r.block = min(ceilDiv(ceilDiv(rows, leastKept), 32)*32, blockThreads)
	moved := ceilDiv(r.view.Channels, multiprocessors) * rows * sector * int64(len(of))
	return r, rows <= r.keep*r.block && moved <= mostMoved
}

// launch launches a kernel of norm_forward.cu or norm_backward.cu.
func (r rowBlocks) launch(file, name string, dt tensor.Dtype, defines []string, args ...any) *Launch {
	defines = append(append(r.defines[:len(r.defines):len(r.defines)], fmt.Sprint("KEEP ", r.keep)), defines...)
	return &Launch{Source: File(file, dt, defines...), Name: name, Grid: Dim3{X: int(r.view.Channels)}, Block: Dim3{X: int(r.block)},
		Args: append(args, int32(r.view.count()), int32(r.view.Channels))}
}

// JoinsNorm implements graph.NormJoiner for a device with so many multiprocessors: it wants one step where that is one launch, if all images
// that may be narrow under a precision are.
func JoinsNorm(s *graph.Step, p Precision, multiprocessors int) bool {
	if p == BF16 {
		s = narrowest(s)
	}
	b, fits := &Builder{Multiprocessors: multiprocessors, Precision: p}, false
	switch f := s.Instr.(type) {
	case *graph.BatchNormForward:
		_, fits = b.forwardBlocks(s, f)
	case *graph.BatchNormBackward:
		_, fits = b.backwardBlocks(s, f)
	}
	return fits
}

// narrowest is a step with all values narrow that may be.
func narrowest(s *graph.Step) *graph.Step {
	in, out, _ := Narrows(s)
	all := func(values []*graph.Value, may []bool) []*graph.Value {
		narrow := make([]*graph.Value, len(values))
		for i, v := range values {
			narrow[i] = &graph.Value{Shape: v.Shape, Dtype: v.Dtype, Narrow: i < len(may) && may[i]}
		}
		return narrow
	}
	return &graph.Step{Instr: s.Instr, In: all(s.In, in), Out: all(s.Out, out)}
}

// InPlace says whether a result of a step may be written over an operand, although elements of the one depend on many of the other: kernels
// have read all of the operand then, or all but what they overwrite at the time.
func InPlace(instr graph.Instr, out, in int) bool {
	switch f := instr.(type) {
	case *graph.BatchNormForward:
		return out == 0 && in == 0
	case *graph.BatchNormBackward:
		return out == 0 && (in == 0 || in >= 4 && in < 4+gradImages(f))
	}
	return graph.RowByRow(instr, out, in) // a thread reads what it overwrites, and that after all else of the row was read
}

func (b *Builder) forwardBlocks(s *graph.Step, f *graph.BatchNormForward) (rowBlocks, bool) {
	of := images{"SX": s.In[0], "SY": s.Out[0]}
	if f.Add {
		of["SZ"] = s.In[3]
	}
	return b.rowBlocks(s.Out[0].Dtype, channelsOf(s.In[0].Shape, f.Axis), of, int64(len(of)-1))
}

// batchNormForward takes x, gamma, beta and the residual if one is added.
func batchNormForward(b *Builder, s *graph.Step) ([]Command, error) {
	f, dt := s.Instr.(*graph.BatchNormForward), s.Out[0].Dtype
	two := func() []Command {
		v := channelsOf(s.In[0].Shape, f.Axis)
		return append(b.stats(s.In[0], In(0), Out(1), b.perChannel(dt, v), Out(2), v), b.normalise(s, f.Norm(), Out(1), Out(2), 3))
	}
	r, fits := b.forwardBlocks(s, f)
	if !fits {
		return two(), nil
	}
	var defines []string
	z := In(0) // not read
	if f.Add {
		defines, z = append(defines, "ADD 1"), In(3)
	}
	if f.ReLU {
		defines = append(defines, "RELU 1")
	}
	return b.oneOrTwo(r.launch("norm_forward.cu", "batch_norm_forward", dt, defines, Out(0), Out(1), Out(2), In(0), In(1), In(2), z,
		number(dt, f.Epsilon)), two), nil
}

// oneOrTwo is one launch, and two where these were measured to be faster.
func (b *Builder) oneOrTwo(one *Launch, two func() []Command) []Command {
	return b.choice(alternative{"one launch", func() []Command { return []Command{one} }}, alternative{"two launches", two})
}

// gradImages is how many operands from number 4 on are as large as x.
func gradImages(f *graph.BatchNormBackward) int {
	return [...]int{graph.NormUnmasked: 1, graph.NormReLU: 2, graph.NormReLUAgain: 1, graph.NormJoin: 3}[f.Mask]
}

func (b *Builder) backwardBlocks(s *graph.Step, f *graph.BatchNormBackward) (rowBlocks, bool) {
	of := images{"SX": s.In[0], "SDY": s.In[4], "SDX": s.Out[0]}
	switch f.Mask {
	case graph.NormReLU:
		of["SY"] = s.In[5]
	case graph.NormJoin:
		of["SZ"], of["SY"], of["SDZ"] = s.In[5], s.In[6], s.Out[3]
	}
	return b.rowBlocks(s.Out[0].Dtype, channelsOf(s.In[0].Shape, f.Axis), of, int64(1+gradImages(f)))
}

// batchNormBackward takes x, gamma, mean, variance, dy and what the mask asks for.
func batchNormBackward(b *Builder, s *graph.Step) ([]Command, error) {
	f, dt := s.Instr.(*graph.BatchNormBackward), s.Out[0].Dtype
	two := func() []Command { return b.normBackwardInTwo(s, f) }
	r, fits := b.backwardBlocks(s, f)
	if !fits {
		return two(), nil
	}
	var defines []string
	dbeta, sum, beta, z, y := Out(2), Out(0), In(1), In(0), In(0) // of the last four, those that nothing says are not looked at
	if f.Mask != graph.NormUnmasked {
		defines = append(defines, fmt.Sprint("MASK ", int(f.Mask)))
	}
	switch f.Mask {
	case graph.NormReLU:
		y = In(5)
	case graph.NormReLUAgain:
		beta = In(5)
	case graph.NormJoin:
		z, y, sum = In(5), In(6), Out(3)
	}
	if f.Shifted {
		dbeta, defines = In(5), append(defines, "SHIFTED 1")
	}
	return b.oneOrTwo(r.launch("norm_backward.cu", "batch_norm_backward", dt, defines, Out(0), Out(1), dbeta, sum, In(0), In(1), beta, In(2), In(3),
		In(4), z, y, number(dt, f.Epsilon)), two), nil
}

// normBackwardInTwo is the sums, and the gradient of the input behind them.
func (b *Builder) normBackwardInTwo(s *graph.Step, f *graph.BatchNormBackward) []Command {
	v := channelsOf(s.In[0].Shape, f.Axis)
	x, gamma, mean, variance, dy, dgamma, dbeta := In(0), In(1), In(2), In(3), In(4), Out(1), Out(2)
	of := images{"SX": s.In[0], "SDY": s.In[4]}
	name, mask, in, more := "norm_sums", "", []any{x, mean, dy}, []any{}
	switch f.Mask {
	case graph.NormUnmasked:
		if f.Shifted {
			dbeta = b.perChannel(s.Out[0].Dtype, v) // the same but for rounding; what is given counts
		}
	case graph.NormReLU:
		name, mask, in, more = "norm_sums_relu", "_relu", append(in, In(5)), []any{In(5)}
		of["SY"] = s.In[5]
	case graph.NormReLUAgain:
		name, mask, in, more = "norm_sums_again", "_again", []any{x, gamma, In(5), mean, dy}, []any{In(5)}
	case graph.NormJoin:
		name, in, dy = "norm_sums_join", []any{Out(3), x, mean, dy, In(5), In(6)}, Out(3)
		of["SZ"], of["SY"], of["SDX"] = s.In[5], s.In[6], s.Out[3]
	}
	commands := b.normSums(s, v, of, name, dgamma, dbeta, variance, f.Epsilon, in...)
	of = images{"SX": s.In[0], "SDY": s.In[4], "SDX": s.Out[0]}
	switch {
	case f.Shifted:
		dbeta = In(5)
	case f.Mask == graph.NormReLU:
		of["SY"] = s.In[5]
	case f.Mask == graph.NormJoin:
		of["SDY"] = s.Out[3]
	}
	args := append([]any{Out(0), x, gamma, mean, variance, dy, dgamma, dbeta}, more...)
	return append(commands, b.gradInput(s.Out[0].Dtype, v, of, mask, f.Epsilon, args))
}
