package kernel

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// benchEnv takes the number of workers from STHENO_BENCH_THREADS; the default is one per core.
func benchEnv[T Float](b *testing.B) Env[T] {
	threads, _ := strconv.Atoi(os.Getenv("STHENO_BENCH_THREADS"))
	p := pool.New(threads)
	b.Cleanup(p.Close)
	if g, ok := any(gemm.NewBF16(cpuid.HasBF16())).(*gemm.Gemm[T]); ok && os.Getenv("STHENO_BENCH_PRECISION") == "bf16" {
		return Env[T]{Pool: p, Gemm: g}
	}
	return Env[T]{Pool: p, Gemm: gemm.New[T](level)}
}

var benchConvs = []struct {
	name string
	c    convCase
}{
	{"3x3x64x64@32,N32", convCase{32, 32, 32, 64, 3, 3, 64, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}, ""}},
	{"3x3x256x256@8,N32", convCase{32, 8, 8, 256, 3, 3, 256, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}, ""}},
	{"3x3x512x512@2,N32", convCase{32, 2, 2, 512, 3, 3, 512, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}, ""}},
	{"3x3x512x512@4,N32", convCase{32, 4, 4, 512, 3, 3, 512, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}, ""}},
	{"3x3x512x512@1,N32", convCase{32, 1, 1, 512, 3, 3, 512, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}, ""}},
	{"1x1x256x64@56,N8", convCase{8, 56, 56, 256, 1, 1, 64, op.ConvAttrs{}, ""}},
	{"7x7s2x3x64@224,N8", convCase{8, 224, 224, 3, 7, 7, 64, op.ConvAttrs{Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Same}}, ""}},
	{"3x3x3x16@32,N64", convCase{64, 32, 32, 3, 3, 3, 16, op.ConvAttrs{}, ""}},
	{"3x3x16x32@15,N64", convCase{64, 15, 15, 16, 3, 3, 32, op.ConvAttrs{}, ""}},
	{"3x3s2x128x128@32,N8", convCase{8, 32, 32, 128, 3, 3, 128, op.ConvAttrs{Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Same}}, ""}},
}

// measure runs f b.N times in pieces and returns the median seconds of a run. With one worker it counts the CPU time of
// the thread, so that a busy machine does not matter.
func measure[T Float](b *testing.B, e Env[T], f func()) float64 {
	now := func() time.Duration { return time.Since(benchStart) }
	if e.Pool.Threads() == 1 {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		now = clock
	}
	f()
	var times []time.Duration
	for b.Loop() {
		t := now()
		f()
		times = append(times, now()-t)
	}
	slices.Sort(times)
	b.ReportMetric(0, "ns/op")
	return times[len(times)/2].Seconds()
}

var benchStart = time.Now()

// flops reports the speed of an operation of n floating-point operations.
func flops[T Float](b *testing.B, e Env[T], n int, f func()) {
	b.ReportMetric(float64(n)/measure(b, e, f)/1e9, "GFLOP/s")
}

// BenchmarkConv2D times the three passes of convolutions next to the plain matrix products of their sizes.
func BenchmarkConv2D(b *testing.B) {
	b.Run("float32", benchmarkConv2D[float32])
	b.Run("float64", benchmarkConv2D[float64])
}

func benchmarkConv2D[T Float](b *testing.B) {
	for _, s := range benchConvs {
		g := s.c.geometry(b)
		x, w := convInput[T](s.c, 1).Data.([]T), convFilter[T](s.c, 2).Data.([]T)
		y := normal[T](3, g.Output()...).Data.([]T)
		m, n, k := g.N*g.H.Out*g.W.Out, g.F, g.H.Kernel*g.W.Kernel*g.C
		work := 2 * m * n * k
		sizes := map[string][3]int{"fwd": {m, n, k}, "filter": {k, n, m},
			"data": {g.N * g.H.In * g.W.In / (g.H.Stride * g.W.Stride), g.C, g.H.Kernel * g.W.Kernel * g.F}}
		for _, pass := range []string{"fwd", "data", "filter"} {
			b.Run(s.name+"/"+pass, func(b *testing.B) {
				e := benchEnv[T](b)
				flops(b, e, work, convPass(b, e, g, pass, x, w, y))
			})
			b.Run(s.name+"/"+pass+"-gemm", func(b *testing.B) {
				e := benchEnv[T](b)
				flops(b, e, 2*sizes[pass][0]*sizes[pass][1]*sizes[pass][2], gemmPass(e, pass, sizes[pass]))
			})
		}
	}
}

func convPass[T Float](b *testing.B, e Env[T], g op.ConvGeometry, pass string, x, w, y []T) func() {
	switch pass {
	case "fwd":
		k, err := NewConv2D[T](e, g, ConvOptions{})
		require.NoError(b, err)
		k.SetScratch(make([]T, k.Workspace()))
		out := make([]T, len(y))
		return func() { k.Run(out, x, w, nil, nil) }
	case "data":
		k, err := NewConv2DBackwardInput[T](e, g)
		require.NoError(b, err)
		k.SetScratch(make([]T, k.Workspace()))
		out := make([]T, len(x))
		return func() { k.Run(out, y, w) }
	}
	k, err := NewConv2DBackwardFilter[T](e, g)
	require.NoError(b, err)
	k.SetScratch(make([]T, k.Workspace()))
	out := make([]T, len(w))
	return func() { k.Run(out, x, y) }
}

// gemmPass is the matrix product of a pass with its patch matrix lying in memory.
func gemmPass[T Float](e Env[T], pass string, s [3]int) func() {
	a := gemm.Args[T]{M: s[0], N: s[1], K: s[2]}
	a.A.Data, a.B.Data = make([]T, a.M*a.K), make([]T, a.K*a.N)
	a.A.Trans = pass == "filter"
	a.C = make([]T, a.M*a.N)
	ws := e.Gemm.NewWorkspace(e.Pool.Threads())
	return func() { e.Gemm.Run(e.Pool, ws, &a) }
}

// BenchmarkElementwise times kernels that are bound by memory, in bytes moved.
func BenchmarkElementwise(b *testing.B) {
	b.Run("float32", benchmarkElementwise[float32])
	b.Run("float64", benchmarkElementwise[float64])
}

func benchmarkElementwise[T Float](b *testing.B) {
	const rows, c = 32 * 32 * 32, 64
	n := rows * c
	x, y, z := make([]T, n), make([]T, n), make([]T, n)
	ch := Channels{rows, c, 1}
	v := positive[T](1, c).Data.([]T)
	e := benchEnv[T](b)
	must := func(err error) { require.NoError(b, err) }
	loop := func(name string, arrays int, s interface {
		Workspace() int
		SetScratch([]T)
	}, run func()) {
		b.Run(name, func(b *testing.B) {
			if s != nil {
				s.SetScratch(make([]T, s.Workspace()))
			}
			s := measure(b, e, run)
			b.ReportMetric(float64(int(unsafe.Sizeof(x[0]))*n*arrays)/s/1e9, "GB/s")
			b.ReportMetric(s*1e6, "µs/run")
		})
	}
	rl, err := NewReLU[T](e.Pool, n)
	must(err)
	loop("ReLU", 2, nil, func() { rl.Run(y, x) })
	ad, err := NewAdd[T](e.Pool, n)
	must(err)
	loop("Add", 3, nil, func() { ad.Run(y, x, z) })
	ba, err := NewBiasAdd[T](e.Pool, ch)
	must(err)
	loop("BiasAdd", 2, nil, func() { ba.Run(y, x, v) })
	st, err := NewBatchStats[T](e.Pool, ch)
	must(err)
	mean, variance := make([]T, c), make([]T, c)
	loop("BatchStats", 1, st, func() { st.Run(mean, variance, x) })
	bn, err := NewBatchNorm[T](e.Pool, ch, 1e-3, true)
	must(err)
	loop("BatchNorm+ReLU", 2, bn, func() { bn.Run(y, x, v, v, mean, v, nil) })
	loop("BatchNorm+Add+ReLU", 3, bn, func() { bn.Run(y, x, v, v, mean, v, z) })
	bs, err := NewBatchNormSums[T](e.Pool, ch, 1e-3)
	must(err)
	loop("BatchNormSums+mask", 3, bs, func() { bs.Run(mean, variance, x, v, v, z, y) })
	bg, err := NewBatchNormGradInput[T](e.Pool, ch, 1e-3)
	must(err)
	loop("BatchNormGradInput+mask", 4, bg, func() { bg.Run(z, x, v, v, v, z, v, v, y) })
	loop("BatchNormReLUSums", 2, bs, func() { bs.RunReLU(mean, variance, x, v, v, v, v, z) })
	loop("BatchNormReLUGradInput", 3, bg, func() { bg.RunReLU(z, x, v, v, v, v, z, v, v) })
	loop("BatchNormJoinSums", 5, bs, func() { bs.RunJoin(mean, variance, z, x, v, v, z, y, y) })
	mu, err := NewMomentumUpdate[T](e.Pool, n, 0.9, false, UpdateOptions{L2: 1e-4, Penalty: 1e-4})
	must(err)
	loop("MomentumUpdate", 5, nil, func() {
		mu.Begin(x, y, x, y, 0.1, 1)
		mu.Apply(z)
	})
	au, err := NewAdamUpdate[T](e.Pool, n, 0.9, 0.999, 1e-7, UpdateOptions{})
	must(err)
	w := make([]T, n)
	loop("AdamUpdate", 7, nil, func() {
		au.Begin(x, y, w, x, y, w, 0.1, 3, 0)
		au.Apply(z)
	})
	for _, c := range []int{16, 64} {
		g, err := op.PoolAttrs{}.Geometry([]int{64, 30, 30, c})
		must(err)
		px, py := normal[T](1, g.Input()...).Data.([]T), normal[T](1, g.Output()...).Data.([]T)
		dx := make([]T, len(px))
		n = len(px)
		mp, err := NewMaxPool2D[T](e.Pool, g)
		must(err)
		loop(fmt.Sprintf("MaxPool2D,C%d", c), 1, mp, func() { mp.Run(py, px) })
		mg, err := NewMaxPool2DGrad[T](e.Pool, g)
		must(err)
		loop(fmt.Sprintf("MaxPool2DGrad,C%d", c), 2, mg, func() { mg.Run(dx, px, py, py) })
	}
}

// BenchmarkPermute times transpositions, in bytes read and written, next to a copy.
func BenchmarkPermute(b *testing.B) {
	b.Run("float32", benchmarkPermute[float32])
	b.Run("float64", benchmarkPermute[float64])
}

func benchmarkPermute[T Float](b *testing.B) {
	e := benchEnv[T](b)
	for _, c := range []struct {
		name       string
		dims, axes []int
	}{
		{"copy", []int{32, 64, 32, 32}, []int{0, 1, 2, 3}},
		{"NCHW to NHWC", []int{32, 64, 32, 32}, []int{0, 2, 3, 1}},
		{"NHWC to NCHW", []int{32, 32, 32, 64}, []int{0, 3, 1, 2}},
		{"images to NHWC", []int{64, 3, 112, 112}, []int{0, 2, 3, 1}},
		{"images to NCHW", []int{64, 112, 112, 3}, []int{0, 3, 1, 2}},
		{"OIHW to HWIO", []int{512, 512, 3, 3}, []int{2, 3, 1, 0}},
		{"HWIO to OIHW", []int{3, 3, 512, 512}, []int{3, 2, 0, 1}},
		{"reversed", []int{24, 56, 48, 40}, []int{3, 2, 1, 0}},
	} {
		b.Run(c.name, func(b *testing.B) {
			k, err := NewPermute[T](e.Pool, c.dims, c.axes)
			require.NoError(b, err)
			n := op.Len(c.dims)
			x, y := make([]T, n), make([]T, n)
			s := measure(b, e, func() { k.Run(y, x) })
			b.ReportMetric(2*float64(int(unsafe.Sizeof(x[0]))*n)/s/1e9, "GB/s")
		})
	}
}
