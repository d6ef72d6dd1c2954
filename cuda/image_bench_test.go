//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// launches is how many steps a program of the benchmark has: one CUDA graph.
const launches = 10

// imageStep is a step whose memory traffic is measured. Integers, which are bound from outside, and unread operands do not count.
type imageStep struct {
	instr  graph.Instr
	in     []tensor.Shape
	out    tensor.Shape
	more   tensor.Shape // of a second result, if there is one
	ints   tensor.Shape // of a last operand of integers, if there is one
	bytes  bool         // the first operand is of bytes
	unread int          // an operand
	kept   bool         // all operands but the first are inputs, as weights are: what the program makes of them is no part of the step
}

func (c imageStep) String() string {
	return fmt.Sprintf("%s/%s", c.instr.Kind(), shape.Format(append(append([]tensor.Shape{}, c.in...), c.out)[0]))
}

// imageSteps are steps of ResNet-50, VGG-16, AlexNet and DenseNet at 224² and 32², and what they do at most: a copy.
func imageSteps() []imageStep {
	addMask := &ir.Loop{Inputs: 3, Results: []int{4}, Steps: []ir.LoopStep{ir.Apply2(ir.Add, ir.Register(0), ir.Register(1)),
		ir.Apply2(ir.ReLUGrad, ir.Register(2), ir.Register(3))}}
	excite := &ir.Loop{Inputs: 2, Results: []int{2}, Steps: []ir.LoopStep{ir.Apply2(ir.Mul, ir.Register(0), ir.Register(1))}}
	large, small := tensor.Shape{256, 56, 56, 64}, tensor.Shape{256, 8, 8, 256}
	all := []imageStep{{instr: &graph.Copy{}, in: []tensor.Shape{large}, out: large}}
	for _, x := range []tensor.Shape{large, small} {
		all = append(all,
			imageStep{instr: &op.ReLU{}, in: []tensor.Shape{x}, out: x},
			imageStep{instr: &op.Add{}, in: []tensor.Shape{x, x}, out: x},
			imageStep{instr: addMask, in: []tensor.Shape{x, x, x}, out: x},
			imageStep{instr: excite, in: []tensor.Shape{x, {x[0], 1, 1, x[3]}}, out: x},
			imageStep{instr: &op.Dropout{Rate: 0.5}, in: []tensor.Shape{x}, ints: tensor.Shape{}, out: x})
	}
	stem := op.PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Same}}
	for _, c := range []struct {
		x tensor.Shape
		a op.PoolAttrs
	}{{tensor.Shape{256, 112, 112, 64}, stem}, {tensor.Shape{256, 16, 16, 64}, stem}, {tensor.Shape{512, 32, 32, 64}, op.PoolAttrs{}}} {
		y, err := (&op.MaxPool2D{PoolAttrs: c.a}).Infer([]tensor.Shape{c.x})
		if err != nil {
			panic(err) // a mistake in the table
		}
		all = append(all,
			imageStep{instr: &op.MaxPool2D{PoolAttrs: c.a}, in: []tensor.Shape{c.x}, out: y},
			imageStep{instr: &op.MaxPool2DGrad{PoolAttrs: c.a}, in: []tensor.Shape{c.x, y, y}, out: c.x, unread: 1},
			imageStep{instr: &op.AvgPool2D{PoolAttrs: c.a}, in: []tensor.Shape{c.x}, out: y},
			imageStep{instr: &op.AvgPool2DGrad{PoolAttrs: c.a, InputShape: c.x}, in: []tensor.Shape{y}, out: c.x})
	}
	for _, x := range []tensor.Shape{{256, 7, 7, 2048}, {256, 1, 1, 2048}, {64, 112, 112, 32}} {
		y := tensor.Shape{x[0], x[3]}
		all = append(all,
			imageStep{instr: &op.GlobalAvgPool2D{}, in: []tensor.Shape{x}, out: y},
			imageStep{instr: &op.GlobalAvgPool2DGrad{InputShape: x}, in: []tensor.Shape{y}, out: x})
	}
	for _, x := range []tensor.Shape{{256, 112, 112, 64}, {512, 32, 32, 64}, {512, 16, 16, 256}, {512, 2, 2, 512}} {
		all = append(all,
			imageStep{instr: &op.BiasGrad{Axis: -1}, in: []tensor.Shape{x}, out: x[3:]},
			imageStep{instr: &graph.ReLUGradBias{Axis: 3}, in: []tensor.Shape{x, x}, out: x, more: x[3:]})
	}
	return append(all,
		imageStep{instr: &ir.Concat{Axis: 3}, in: []tensor.Shape{{256, 28, 28, 128}, {256, 28, 28, 32}}, out: tensor.Shape{256, 28, 28, 160}},
		imageStep{instr: &op.ZeroPad2D{Top: 1, Bottom: 1, Left: 1, Right: 1}, in: []tensor.Shape{{256, 56, 56, 64}}, out: tensor.Shape{256, 58, 58, 64}},
		imageStep{instr: &op.Augment{To: tensor.Float32, Padding: 4}, in: []tensor.Shape{{1024, 32, 32, 3}}, ints: tensor.Shape{1024, 3},
			out: tensor.Shape{1024, 32, 32, 3}, bytes: true})
}

// add appends a step to a plan, n times, with operands of its own in the arena, as bfloat16 if the engine says that they can be. It
// returns the bytes that a step reads and writes.
func (c imageStep) add(p *graph.Plan, e *cuda.Engine, narrow bool, n int) int {
	s := &graph.Step{Instr: c.instr}
	value := func(dt tensor.Dtype, dims tensor.Shape) *graph.Value {
		v := &graph.Value{ID: len(p.Values), Shape: dims, Dtype: dt}
		p.Values = append(p.Values, v)
		return v
	}
	for i, dims := range c.in {
		dt := tensor.Float32
		if c.bytes && i == 0 {
			dt = tensor.Uint8
		}
		s.In = append(s.In, value(dt, dims))
	}
	if c.ints != nil {
		v := value(tensor.Int, c.ints)
		v.Where, v.Input = graph.External, true
		s.In, p.Inputs = append(s.In, v), append(p.Inputs, v)
	}
	if c.kept {
		for _, v := range s.In[1:] {
			v.Where, v.Input = graph.External, true
			p.Inputs = append(p.Inputs, v)
		}
	}
	s.Out = append(s.Out, value(tensor.Float32, c.out))
	if c.more != nil {
		s.Out = append(s.Out, value(tensor.Float32, c.more))
	}
	can := func(list []bool, i int) bool { return narrow && i < len(list) && list[i] }
	in, out, _ := e.Narrows(s)
	at, bytes := 0, 0
	for i, v := range append(append([]*graph.Value{}, s.In...), s.Out...) {
		if i < len(s.In) {
			v.Narrow = can(in, i)
		} else {
			v.Narrow = can(out, i-len(s.In))
		}
		if v.Where == graph.External {
			if c.kept {
				bytes += v.Bytes()
			}
			continue
		}
		v.Offset = at
		at += (v.StoredBytes() + 255) / 256 * 256
		if c.unread == 0 || i != c.unread {
			bytes += v.StoredBytes()
		}
	}
	p.ArenaBytes = max(p.ArenaBytes, at)
	for range n {
		p.Steps = append(p.Steps, s)
	}
	return bytes
}

// BenchmarkImages measures the kernels that work on images without a library, each in a CUDA graph of 10 of them. Operands of
// (256, 56, 56, 64) do not fit into the GPU's cache, those of small images do. Run it with -benchtime 20x.
func BenchmarkImages(b *testing.B) {
	e := open(b, cuda.Config{Precision: "bf16"})
	every := &graph.Plan{} // compiled first: the engine uses all cores for the kernels of one plan
	for _, c := range imageSteps() {
		for _, narrow := range []bool{false, true} {
			c.add(every, e, narrow, 1)
		}
	}
	prog, err := e.Build(every)
	require.NoError(b, err)
	require.NoError(b, prog.Close())
	for _, c := range imageSteps() {
		for _, narrow := range []bool{false, true} {
			b.Run(fmt.Sprint(c, map[bool]string{false: "/f32", true: "/bf16"}[narrow]), func(b *testing.B) { c.measure(b, e, narrow) })
		}
	}
}

// measure measures the step and returns the kernels that it is made of.
func (c imageStep) measure(b *testing.B, e *cuda.Engine, narrow bool) (kernels string) {
	p := &graph.Plan{}
	bytes := c.add(p, e, narrow, launches)
	return measurePlan(b, e, p, bytes, launches, "launch")
}

// measurePlan measures a plan that does something so many times, which is called each and reads and writes so many bytes each time. It returns
// the kernels of the first step.
func measurePlan(b *testing.B, e *cuda.Engine, p *graph.Plan, bytes, times int, each string) (kernels string) {
	// A step whose result comes to the host, to wait for.
	last := imageStep{instr: &op.ReLU{}, in: []tensor.Shape{{1}}, out: tensor.Shape{1}}
	last.add(p, e, false, 1)
	y := p.Values[len(p.Values)-1]
	y.Where, y.Output, p.Outputs = graph.External, true, []*graph.Value{y}
	prog, err := e.Build(p)
	require.NoError(b, err)
	defer func() { require.NoError(b, prog.Close()) }()
	var wait func()
	for _, v := range append(p.Inputs, y) {
		a, err := op.NewArray(v.Dtype, v.Shape)
		require.NoError(b, err)
		if numbers, ok := a.Data.([]int); ok {
			numbers[0] = 1 // of an optimizer's step: there is none before it
		}
		buffer, err := e.Wrap(a)
		require.NoError(b, err)
		defer func() { require.NoError(b, buffer.Close()) }()
		require.NoError(b, buffer.Upload(a))
		require.NoError(b, prog.Bind(v, buffer))
		wait = func() { require.NoError(b, buffer.Download(a)) }
	}
	for range 3 { // the second makes a CUDA graph
		require.NoError(b, prog.Run())
	}
	wait()
	b.ResetTimer()
	start := time.Now()
	for range b.N {
		require.NoError(b, prog.Run())
	}
	wait()
	took := time.Since(start).Seconds() / float64(b.N*times)
	b.ReportMetric(took*1e6, "µs/"+each)
	b.ReportMetric(float64(bytes)/took/1e9, "GB/s")
	b.ReportMetric(0, "ns/op")
	return prog.(graph.KernelTeller).Kernels()[0]
}
