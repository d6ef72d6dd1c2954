package cpu

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// BenchmarkTraffic has kernels that read and write arrays of 64 MiB, in the bytes that they must move, each array once, against the
// bandwidth of the memory.
func BenchmarkTraffic(b *testing.B) {
	p := pool.New(benchNumber(b, "STHENO_BENCH_THREADS", 2))
	defer p.Close()
	const n, c = 16 << 20, 64
	var x [6][]float32
	for i := range x {
		x[i] = numbers(b, n)
	}
	var all []figure
	add := func(name string, arrays float64, run func()) { all = append(all, figure{name, 4 * n * arrays, run}) }
	must := func(err error) { require.NoError(b, err) }
	give := func(k any) { // scratch, to those that want some
		if s, ok := k.(interface {
			Workspace() int
			SetScratch([]float32)
		}); ok {
			s.SetScratch(numbers(b, s.Workspace()))
		}
	}

	relu, err := kernel.NewReLU[float32](p, n)
	must(err)
	add("ReLU (1 in, 1 out)", 2, func() { relu.Run(x[1], x[0]) })
	sum, err := kernel.NewAdd[float32](p, n)
	must(err)
	add("sum (2, 1)", 3, func() { sum.Run(x[2], x[0], x[1]) })
	l := &ir.Loop{Inputs: 3, Results: []int{5}, Steps: []ir.LoopStep{ir.Apply2(ir.Mul, ir.Register(0), ir.Register(1)),
		ir.Apply2(ir.Add, ir.Register(3), ir.Register(2)), ir.Apply1(ir.Tanh, ir.Register(4))}}
	s := tensor.Shape{n}
	loop, err := kernel.NewLoop[float32](p, l, s, []tensor.Shape{s, s, s}, func(int, int) bool { return false })
	must(err)
	give(loop)
	add("elementwise loop tanh(a·b+c) (3, 1)", 4, func() { loop.Run([][]float32{x[3]}, [][]float32{x[0], x[1], x[2]}) })
	l2 := &ir.Loop{Inputs: 3, Results: []int{4}, Steps: l.Steps[:2]}
	loop2, err := kernel.NewLoop[float32](p, l2, s, []tensor.Shape{s, s, s}, func(int, int) bool { return false })
	must(err)
	give(loop2)
	add("elementwise loop a·b+c (3, 1)", 4, func() { loop2.Run([][]float32{x[3]}, [][]float32{x[0], x[1], x[2]}) })

	ch := kernel.Channels{Outer: n / c, C: c, Inner: 1}
	v, mean := make([]float32, c), make([]float32, c)
	for i := range v {
		v[i] = 1 + float32(i%3)
	}
	stats, err := kernel.NewBatchStats[float32](p, ch)
	must(err)
	give(stats)
	variance, dgamma, dbeta := make([]float32, c), make([]float32, c), make([]float32, c)
	add("batch statistics (1, 0)", 1, func() { stats.Run(mean, variance, x[0]) })
	norm, err := kernel.NewBatchNorm[float32](p, ch, 1e-3, true)
	must(err)
	give(norm)
	add("batch norm, ReLU (1, 1)", 2, func() { norm.Run(x[1], x[0], v, v, mean, v, nil) })
	add("batch norm, residual, ReLU (2, 1)", 3, func() { norm.Run(x[2], x[0], v, v, mean, v, x[1]) })
	sums, err := kernel.NewBatchNormSums[float32](p, ch, 1e-3)
	must(err)
	give(sums)
	add("batch norm's sums, backward (2, 0)", 2, func() { sums.Run(dgamma, dbeta, x[0], mean, v, x[1], nil) })
	add("batch norm's sums, ReLU, backward (2, 0)", 2, func() { sums.RunReLU(dgamma, dbeta, x[0], v, v, mean, v, x[1]) })
	grad, err := kernel.NewBatchNormGradInput[float32](p, ch, 1e-3)
	must(err)
	give(grad)
	add("batch norm's gradient (2, 1)", 3, func() { grad.Run(x[2], x[0], v, mean, v, x[1], v, v, nil) })

	for _, classes := range []int{100, 1000} {
		rows := n / classes
		k, err := kernel.NewSoftmaxCrossEntropy[float32](p, rows, classes)
		must(err)
		labels, loss, dloss := make([]int, rows), make([]float32, rows), make([]float32, rows)
		for i := range labels {
			labels[i] = i % classes
		}
		add("softmax cross-entropy and gradient, "+map[int]string{100: "100", 1000: "1,000"}[classes]+" classes (1, 1)", 2,
			func() { k.Run(loss, x[1], x[0], labels, dloss) })
	}
	sgd, err := kernel.NewMomentumUpdate[float32](p, n, 0.9, false, kernel.UpdateOptions{})
	must(err)
	add("SGD with momentum (3, 2)", 5, func() { sgd.Begin(x[3], x[4], x[3], x[4], 0.01, 1); sgd.Apply(x[0]) })
	adam, err := kernel.NewAdamUpdate[float32](p, n, 0.9, 0.999, 1e-7, kernel.UpdateOptions{})
	must(err)
	add("Adam (4, 3)", 7, func() { adam.Begin(x[3], x[4], x[5], x[3], x[4], x[5], 0.01, 3, 0); adam.Apply(x[0]) })

	g, err := op.PoolAttrs{}.Geometry([]int{64, 64, 64, c})
	must(err)
	most, err := kernel.NewMaxPool2D[float32](p, g)
	must(err)
	give(most)
	add("max pooling 2×2 (1, ¼)", 1.25, func() { most.Run(x[1], x[0]) })
	mostGrad, err := kernel.NewMaxPool2DGrad[float32](p, g)
	must(err)
	give(mostGrad)
	add("its gradient (1½, 1)", 2.5, func() { mostGrad.Run(x[3], x[0], x[1], x[1]) })
	mean2, err := kernel.NewAvgPool2D[float32](p, g)
	must(err)
	give(mean2)
	add("average pooling 2×2 (1, ¼)", 1.25, func() { mean2.Run(x[1], x[0]) })
	pixels, err := kernel.NewGlobalAvgPool2D[float32](p, g.Format, 64, 64*64, c)
	must(err)
	give(pixels)
	add("global average pooling (1, 0)", 1, func() { pixels.Run(x[1], x[0]) })
	turns(b, "GB/s", func() (float64, error) { return MeasureBandwidth(p.Threads()) }, all)
}
