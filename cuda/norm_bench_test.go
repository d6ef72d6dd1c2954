//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// BenchmarkNorms times the steps of batch norms on images of float32 and of bfloat16, twenty of them in one CUDA graph, and says how
// many bytes of images a second they read and write, and what part that is of what a copy of the largest images does: -benchtime 10x.
func BenchmarkNorms(b *testing.B) {
	const steps = 20
	shapes := [][]int{{256, 56, 56, 64}, {256, 56, 56, 256}, {256, 14, 14, 1024}, {64, 7, 7, 2048}, {512, 8, 8, 64}, {256, 4, 4, 128},
		{256, 2, 2, 256}, {256, 2, 2, 1024}}
	if testing.Short() {
		shapes = [][]int{{2, 3, 3, 16}}
	}
	e := open(b, cuda.Config{Precision: "bf16"})
	grad := &op.BatchNormGradInput{Axis: 3}
	copies := 0.0
	for _, narrow := range []bool{false, true} {
		for _, dims := range shapes {
			x := func() *graph.Value {
				return &graph.Value{Shape: dims, Dtype: tensor.Float32, Where: graph.Arena, Narrow: narrow}
			}
			p, q, r, y := x(), x(), x(), x()
			v := &graph.Value{Shape: dims[3:], Where: graph.External, Input: true}
			made := func() *graph.Value { return &graph.Value{Shape: dims[3:], Where: graph.Arena} }
			m, n := made(), made()
			vs := func(list ...*graph.Value) []*graph.Value { return list }
			for _, c := range []struct {
				name    string
				instr   graph.Instr
				in, out []*graph.Value
			}{
				{"Copy", &graph.Copy{}, vs(p), vs(y)},
				{"BatchStats", &graph.BatchStats{Axis: 3}, vs(p), vs(m, n)},
				{"BatchNorm+relu", &graph.FusedBatchNorm{Axis: 3, ReLU: true}, vs(p, v, v, v, v), vs(y)},
				{"BatchNorm+add+relu", &graph.FusedBatchNorm{Axis: 3, ReLU: true, Add: true}, vs(p, v, v, v, v, q), vs(y)},
				{"BatchNormSums", &graph.BatchNormSums{Axis: 3}, vs(p, v, v, q), vs(m, n)},
				{"ReLUGrad+BatchNormSums", &graph.BatchNormSums{Axis: 3, ReLU: true}, vs(p, v, v, q, r), vs(m, n)},
				{"BatchNormReLUSums", &graph.BatchNormReLUSums{Axis: 3}, vs(p, v, v, v, v, q), vs(m, n)},
				{"Add+ReLUGrad+BatchNormSums", &graph.BatchNormJoinSums{Axis: 3}, vs(p, v, v, q, r, x()), vs(m, n, y)},
				{"BatchNormGradInput", grad, vs(p, v, v, v, q, v, v), vs(y)},
				{"ReLUGrad+BatchNormGradInput", &graph.FusedBatchNormGradInput{Grad: grad}, vs(p, v, v, v, q, v, v, r), vs(y)},
				{"BatchNormReLUGradInput", &graph.BatchNormReLUGradInput{Grad: grad}, vs(p, v, v, v, q, v, v, v), vs(y)},
			} {
				if narrow && c.name == "Copy" {
					continue
				}
				name := "float32"
				if narrow {
					name = "bfloat16"
				}
				b.Run(fmt.Sprintf("%s/%v/%s", c.name, tensor.Shape(dims), name), func(b *testing.B) {
					bytes := 0
					for _, o := range append(c.in, c.out...) {
						if len(o.Shape) == 4 {
							bytes += o.StoredBytes()
						}
					}
					perStep := repeat(b, e, c.instr, c.in, c.out, steps)
					rate := float64(bytes) / perStep.Seconds()
					if c.name == "Copy" {
						copies = max(copies, rate)
					}
					b.ReportMetric(float64(perStep.Nanoseconds())/1e3, "µs/step")
					b.ReportMetric(rate/1e9, "GB/s")
					b.ReportMetric(100*rate/max(copies, 1), "%copy")
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}

// BenchmarkSmallNorms times batch norms and their backward passes as the two steps that they are made of and as the one step in their place,
// twenty in one CUDA graph, and says how many kernels that one is: 2 where the engine keeps to two. -benchtime 10x.
func BenchmarkSmallNorms(b *testing.B) {
	const times = 20
	shapes := [][]int{{64, 1, 1, 512}, {64, 1, 1, 2048}, {64, 2, 2, 256}, {64, 2, 2, 1024}, {64, 4, 4, 128}, {64, 4, 4, 512}, {64, 8, 8, 64},
		{64, 8, 8, 256}, {256, 2, 2, 256}, {256, 2, 2, 1024}, {128, 4, 4, 128}, {128, 4, 4, 512}, {256, 4, 4, 128}, {256, 4, 4, 512}, {1024, 1, 1, 2048}}
	if testing.Short() {
		shapes = [][]int{{2, 3, 3, 16}}
	}
	e := open(b, cuda.Config{Precision: "bf16"})
	grad := &op.BatchNormGradInput{Axis: 3}
	for _, narrow := range []bool{false, true} {
		for _, dims := range shapes {
			image := func() *graph.Value {
				return &graph.Value{Shape: dims, Dtype: tensor.Float32, Where: graph.Arena, Narrow: narrow}
			}
			made := func() *graph.Value { return &graph.Value{Shape: dims[3:], Where: graph.Arena} }
			x, y, z, dy, dz, dx, sum := image(), image(), image(), image(), image(), image(), image()
			v := &graph.Value{Shape: dims[3:], Where: graph.External, Input: true}
			mean, variance, dgamma, dbeta := made(), made(), made(), made()
			step := func(instr graph.Instr, in []*graph.Value, out ...*graph.Value) *graph.Step {
				return &graph.Step{Instr: instr, In: in, Out: out}
			}
			in := func(list ...*graph.Value) []*graph.Value { return list }
			for _, c := range []struct {
				name string
				two  []*graph.Step
				one  *graph.Step
			}{
				{"BatchNorm+relu", []*graph.Step{step(&graph.BatchStats{Axis: 3}, in(x), mean, variance),
					step(&graph.FusedBatchNorm{Axis: 3, ReLU: true}, in(x, v, v, mean, variance), y)},
					step(&graph.BatchNormForward{Axis: 3, ReLU: true}, in(x, v, v), y, mean, variance)},
				{"BatchNorm+add+relu", []*graph.Step{step(&graph.BatchStats{Axis: 3}, in(x), mean, variance),
					step(&graph.FusedBatchNorm{Axis: 3, ReLU: true, Add: true}, in(x, v, v, mean, variance, z), y)},
					step(&graph.BatchNormForward{Axis: 3, ReLU: true, Add: true}, in(x, v, v, z), y, mean, variance)},
				{"backward", []*graph.Step{step(&graph.BatchNormSums{Axis: 3}, in(x, v, v, dy), dgamma, dbeta),
					step(grad, in(x, v, v, v, dy, dgamma, dbeta), dx)},
					step(&graph.BatchNormBackward{Axis: 3}, in(x, v, v, v, dy), dx, dgamma, dbeta)},
				{"ReLU+backward", []*graph.Step{step(&graph.BatchNormReLUSums{Axis: 3}, in(x, v, v, v, v, dy), dgamma, dbeta),
					step(&graph.BatchNormReLUGradInput{Grad: grad}, in(x, v, v, v, dy, dgamma, dbeta, v), dx)},
					step(&graph.BatchNormBackward{Axis: 3, Mask: graph.NormReLUAgain}, in(x, v, v, v, dy, v), dx, dgamma, dbeta)},
				{"Add+ReLUGrad+backward", []*graph.Step{step(&graph.BatchNormJoinSums{Axis: 3}, in(x, v, v, dy, dz, y), dgamma, dbeta, sum),
					step(grad, in(x, v, v, v, sum, dgamma, dbeta), dx)},
					step(&graph.BatchNormBackward{Axis: 3, Mask: graph.NormJoin}, in(x, v, v, v, dy, dz, y), dx, dgamma, dbeta, sum)},
			} {
				name := "float32"
				if narrow {
					name = "bfloat16"
				}
				b.Run(fmt.Sprintf("%s/%v/%s", c.name, tensor.Shape(dims), name), func(b *testing.B) {
					apart, _ := repeatSteps(b, e, c.two, times)
					joined, kernel := repeatSteps(b, e, []*graph.Step{c.one}, times)
					b.ReportMetric(float64(apart.Nanoseconds())/1e3, "µs/two")
					b.ReportMetric(float64(joined.Nanoseconds())/1e3, "µs/one")
					b.ReportMetric(float64(1+strings.Count(kernel, " + ")), "kernels")
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}

// repeat runs a program of so many steps of one kind, whose memory holds anything, and returns how long one takes.
func repeat(b *testing.B, e graph.Engine, instr graph.Instr, in, out []*graph.Value, steps int) time.Duration {
	each, _ := repeatSteps(b, e, []*graph.Step{{Instr: instr, In: in, Out: out}}, steps)
	return each
}

// repeatSteps runs a program that has steps so many times one behind the other, and returns how long they take once, and the kernel of the
// first.
func repeatSteps(b *testing.B, e graph.Engine, list []*graph.Step, times int) (each time.Duration, kernel string) {
	p := &graph.Plan{}
	known := map[*graph.Value]bool{}
	add := func(v *graph.Value) {
		if known[v] {
			return
		}
		known[v] = true
		v.ID, v.Name, v.Dtype = len(p.Values), fmt.Sprint("v", len(p.Values)), tensor.Float32
		p.Values = append(p.Values, v)
		if v.Where == graph.Arena {
			v.Offset = p.ArenaBytes
			p.ArenaBytes += (v.StoredBytes() + 255) / 256 * 256
		}
	}
	for _, s := range list {
		for _, v := range append(slices.Clone(s.In), s.Out...) {
			v.Dtype = tensor.Float32
			add(v)
		}
	}
	for range times {
		for _, s := range list {
			p.Steps = append(p.Steps, &graph.Step{Instr: s.Instr, In: s.In, Out: s.Out})
		}
	}
	// What is waited for.
	last, end := &graph.Value{Shape: tensor.Shape{1}, Where: graph.External, Input: true}, &graph.Value{Shape: tensor.Shape{1}, Where: graph.External, Output: true}
	add(last)
	add(end)
	p.Outputs = []*graph.Value{end}
	p.Steps = append(p.Steps, &graph.Step{Instr: &op.BiasAdd{}, In: []*graph.Value{last, last}, Out: []*graph.Value{end}})
	prog, err := e.Build(p)
	require.NoError(b, err)
	defer func() { require.NoError(b, prog.Close()) }()
	var wait func()
	for _, v := range p.Values {
		if v.Where != graph.External {
			continue
		}
		a, err := op.NewArray(tensor.Float32, v.Shape)
		require.NoError(b, err)
		buffer, err := e.Wrap(a)
		require.NoError(b, err)
		require.NoError(b, buffer.Upload(a))
		require.NoError(b, prog.Bind(v, buffer))
		wait = func() { require.NoError(b, buffer.Download(a)) } // of the last, which is the result
	}
	for range 3 { // the second run makes a graph
		require.NoError(b, prog.Run())
	}
	wait()
	begin := time.Now()
	for range b.N {
		require.NoError(b, prog.Run())
	}
	wait()
	return time.Since(begin) / time.Duration(b.N*times), prog.(graph.KernelTeller).Kernels()[0]
}
