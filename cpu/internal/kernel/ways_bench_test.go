package kernel

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

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
