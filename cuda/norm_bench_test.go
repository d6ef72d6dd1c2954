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

// repeat runs a program of so many steps of one kind, whose memory holds anything, and returns how long one takes.
func repeat(b *testing.B, e graph.Engine, instr graph.Instr, in, out []*graph.Value, steps int) time.Duration {
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
	for _, v := range append(in, out...) {
		v.Dtype = tensor.Float32
		add(v)
	}
	for range steps {
		p.Steps = append(p.Steps, &graph.Step{Instr: instr, In: in, Out: out})
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
	return time.Since(begin) / time.Duration(b.N*steps)
}
