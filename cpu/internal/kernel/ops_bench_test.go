package kernel

import (
	"fmt"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// The kernels of package ir, by the bytes they read and write.
func BenchmarkOps(b *testing.B) {
	b.Run("float32", benchmarkOps[float32])
	b.Run("float64", benchmarkOps[float64])
}

func benchmarkOps[T Float](b *testing.B) {
	e := benchEnv[T](b)
	p := e.Pool
	const n = 8 << 20
	x, y := make([]T, n), make([]T, n)
	for i := range x {
		x[i] = T(i%1000) - 500
	}
	run := func(name string, elements int, err error, f func()) {
		require.NoError(b, err)
		b.Run(name, func(b *testing.B) {
			b.ReportMetric(float64(elements*int(unsafe.Sizeof(x[0])))/measure(b, e, f)/1e9, "GB/s")
		})
	}
	for _, c := range []struct {
		name        string
		outer, n, i int
	}{{"all", 1, n, 1}, {"rows of 4", n / 4, 4, 1}, {"rows of 100", n / 100, 100, 1}, {"rows of 1M", 8, 1 << 20, 1}, {"columns of 3", 1, n / 3, 3},
		{"columns of 256", 1, n / 256, 256}, {"columns of 100k", 1, 80, 100000}, {"middle", 64, 256, 512}, {"short middle", n / 35, 5, 7}} {
		for _, max := range []bool{false, true} {
			k, err := NewReduce[T](p, []int{c.outer, c.n, c.i}, []bool{false, true, false}, max, false)
			run("Reduce "+c.name+map[bool]string{true: " max"}[max], c.outer*c.n*c.i, err, func() { k.Run(y, x) })
		}
	}
	k, err := NewReduce[T](p, []int{32, 64, 64 * 64}, []bool{true, false, true}, false, false)
	run("Reduce NCHW", n, err, func() { k.Run(y, x) })
	for _, c := range []struct {
		name               string
		rows, inner, times int
	}{{"bias", 1, 1000, n / 1000}, {"column", n / 1000, 1, 1000}, {"twice", n / 2, 1, 2}, {"small rows", n / 96, 3, 32}, {"scalar", 1, 1, n}} {
		k, err := NewRepeat[T](p, c.rows, c.inner, c.times)
		run("Repeat "+c.name, c.rows*c.inner*(c.times+1), err, func() { k.Run(y, x) })
	}
	for _, c := range []struct {
		name                         string
		outer, n, inner, count, step int
	}{{"head", 1, n, 1, n / 2, 1}, {"columns", n / 100, 100, 1, 50, 1}, {"one column", n / 100, 100, 1, 1, 1}, {"step", n / 100, 100, 1, 50, 2}, {"rows", 8, n / 800, 100, n / 1600, 2}} {
		k, err := NewSlice[T](p, c.outer, c.n, c.inner, c.count, c.step)
		run("Slice "+c.name, 2*c.outer*c.inner*c.count, err, func() { k.Run(y, x, 0) })
		g, err := NewSliceGrad[T](p, c.outer, c.n, c.inner, c.count, c.step)
		run("SliceGrad "+c.name, c.outer*c.inner*(c.n+c.count), err, func() { g.Run(y, x, 0) })
	}
	half := [][]T{x[:n/2], x[n/2:]}
	for _, width := range []int{1, 4, 64, n / 2} {
		k, err := NewConcat[T](p, n/2/width, []int{width, width})
		run("Concat", 2*n, err, func() { k.Run(y, half) })
	}
	indices := make([]int, 1<<16)
	for i := range indices {
		indices[i] = i * 7919 % (1 << 16)
	}
	for _, inner := range []int{1, 8, 128} {
		k, err := NewGather[T](p, 1, 1<<16, inner, 1<<16)
		run("Gather", 2*inner<<16, err, func() { k.Run(y, x, indices) })
		g, err := NewGatherGrad[T](p, 1, 1<<16, inner, 1<<16)
		run("GatherGrad", 2*inner<<16, err, func() { g.Run(y, x, indices) })
	}
	c, err := NewConvert[T, float32](p, n)
	from := make([]float32, n)
	run("Cast from float32", 2*n, err, func() { c.Run(y, from) })
	u, err := NewUpsample[T](p, 32*64*32, 32, 2)
	run("Upsample", 5*32*64*32*32, err, func() { u.Run(y, x) })
	ug, err := NewUpsampleGrad[T](p, 32*64*32, 32, 2)
	run("UpsampleGrad", 5*32*64*32*32, err, func() { ug.Run(y, x) })
	for _, kernel := range []int{1, 3} {
		o := &ir.Im2Col{Kernel: [2]int{kernel, kernel}, Pad: [2]int{kernel / 2, kernel / 2}}
		h, w, err := o.Spans(tensor.Shape{8, 32, 56, 56})
		require.NoError(b, err)
		k, err := NewIm2Col[T](p, 8, 32, h, w)
		run("Im2Col", 8*32*56*56*(1+kernel*kernel), err, func() { k.Run(y, x) })
		g, err := NewCol2Im[T](p, 8, 32, h, w)
		run("Col2Im", 8*32*56*56*(1+kernel*kernel), err, func() { g.Run(y, x) })
	}
	for _, size := range []int{1000, n / 2} {
		k, err := NewGroupNorm[T](p, n/size, size, 1e-5)
		run("GroupNorm", 2*n/size*size, err, func() { k.Run(y, x) })
		g, err := NewGroupNormGrad[T](p, n/size, size, 1e-5)
		run("GroupNormGrad", 3*n/size*size, err, func() { g.Run(y, x, x) })
	}
	for _, from := range []ir.Distribution{ir.Uniform, ir.Gaussian, ir.Binomial} {
		k, err := NewRandom[T](p, n/8, (&ir.Random{From: from, A: 10, B: 0.5}).Source())
		run("Random "+from.String(), n/8, err, func() { k.Run(y, 1) })
	}
}

// The products of an attention layer.
func BenchmarkBatchMatMul(b *testing.B) {
	e := benchEnv[float32](b)
	for _, g := range []op.Products{{Batch: 1024, M: 8, N: 8, K: 8}, {Batch: 96, M: 128, N: 128, K: 64}, {Batch: 4, M: 512, N: 512, K: 512}} {
		k, err := NewBatchMatMul(e, g, false, true)
		require.NoError(b, err)
		k.SetScratch(make([]float32, k.Workspace()))
		x, y, z := make([]float32, g.Batch*g.M*g.K), make([]float32, g.Batch*g.N*g.K), make([]float32, g.Batch*g.M*g.N)
		b.Run(fmt.Sprint(g), func(b *testing.B) {
			b.ReportMetric(float64(g.Batch*g.M*g.N*g.K)*2/measure(b, e, func() { k.Run(z, x, y) })/1e9, "GFLOP/s")
		})
	}
}
