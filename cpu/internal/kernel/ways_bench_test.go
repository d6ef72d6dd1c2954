package kernel

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// netConvs are the convolutions with a choice of VGG-16 and ResNet-50.
func netConvs() (list []convCase) {
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	add := func(batches []int, shapes ...[3]int) {
		for _, n := range batches {
			for _, s := range shapes {
				list = append(list, convCase{n, s[0], s[0], s[1], 3, 3, s[2], same, ""})
			}
		}
	}
	add([]int{1, 32, 64}, [3]int{32, 3, 64}, [3]int{32, 64, 64}, [3]int{16, 64, 128}, [3]int{16, 128, 128}, [3]int{8, 128, 256}, [3]int{8, 256, 256},
		[3]int{4, 256, 512}, [3]int{4, 512, 512}, [3]int{2, 512, 512})
	add([]int{1, 32, 64}, [3]int{8, 64, 64}, [3]int{4, 128, 128}, [3]int{2, 256, 256}, [3]int{1, 512, 512})
	add([]int{1, 16}, [3]int{56, 64, 64}, [3]int{28, 128, 128}, [3]int{14, 256, 256}, [3]int{7, 512, 512})
	valid, strided := op.ConvAttrs{}, same // SimpleCNN, and what goes by rows
	strided.Strides = [2]int{2, 2}
	for _, n := range []int{1, 16, 64} {
		list = append(list, convCase{n, 32, 32, 3, 3, 3, 16, valid, ""}, convCase{n, 15, 15, 16, 3, 3, 32, valid, ""}, convCase{n, 16, 16, 128, 3, 3, 128, strided, ""},
			convCase{n, 8, 8, 256, 3, 3, 256, strided, ""}, convCase{min(n, 16), 56, 56, 128, 3, 3, 128, strided, ""}, convCase{min(n, 16), 28, 28, 256, 3, 3, 256, strided, ""},
			convCase{min(n, 16), 224, 224, 3, 7, 7, 64, strided, ""})
	}
	return list
}

// BenchmarkWays times all ways to compute the convolutions of the nets next to what the model expects. It says where the model
// chooses a way that takes a tenth more than the best.
func BenchmarkWays(b *testing.B) {
	e := benchEnv[float32](b)
	defer func() { forcedWay = "" }()
	for _, c := range netConvs() {
		g := c.geometry(b)
		x, w := convInput[float32](c, 1).Data.([]float32), convFilter[float32](c, 2).Data.([]float32)
		y := normal[float32](3, g.Output()...).Data.([]float32)
		for _, q := range []Conv{{Pass: Forward}, {Pass: Forward, Frozen: true}, {Pass: BackwardInput}, {Pass: BackwardFilter}} {
			q.Geometry, q.Level, q.Rounds = g, e.Gemm.Level(), e.Gemm.Rounds()
			name := fmt.Sprintf("%d÷%dx%dx%d@%d,N%d/%v", c.kh, g.H.Stride, c.c, c.f, c.h, c.n, q.Pass)
			if q.Frozen {
				name += "-frozen"
			}
			ways := q.Ways()
			if len(ways) < 2 {
				continue
			}
			for _, way := range ways {
				b.Run(name+"/"+way.Name, func(b *testing.B) {
					forcedWay = way.Name
					s := cold(b, e, passOf(b, e, q, x, w, y))
					b.ReportMetric(s*1e6, "µs")
					b.ReportMetric(way.Seconds*1e6, "model-µs")
				})
			}
		}
	}
}

// passOf prepares a convolution.
func passOf(b *testing.B, e Env[float32], q Conv, x, w, y []float32) func() {
	if q.Pass != Forward || !q.Frozen {
		return convPass(b, e, q.Geometry, map[Pass]string{Forward: "fwd", BackwardInput: "data", BackwardFilter: "filter"}[q.Pass], x, w, y)
	}
	k, err := NewConv2D[float32](e, q.Geometry, ConvOptions{Frozen: true})
	if err != nil {
		b.Fatal(err)
	}
	k.SetScratch(make([]float32, k.Workspace()))
	k.SetKept(make([]float32, k.KeptLen()))
	k.Pack(w)
	out := make([]float32, len(y))
	return func() { k.Run(out, x, nil, nil, nil) }
}

// cold is measure with the caches as they are in a net: filled with other layers' weights. The workers are awake.
func cold(b *testing.B, e Env[float32], f func()) float64 {
	others := make([]float32, 16<<20)
	wipe := newPhase(e.Pool, 64, func(_, part int) {
		n := len(others) / 64
		for i := part * n; i < (part+1)*n; i += 16 {
			others[i]++
		}
	})
	f()
	var times []time.Duration
	for b.Loop() {
		wipe.run()
		t := time.Now()
		f()
		times = append(times, time.Since(t))
	}
	slices.Sort(times)
	b.ReportMetric(0, "ns/op")
	return times[len(times)/2].Seconds()
}
