//go:build gpu && cgo && linux

package cublaslt

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

func TestProductsEqualTheReference(t *testing.T) {
	if _, err := driver.Devices(); err != nil {
		t.Skip("needs a GPU, or the simulated one: ", err)
	}
	l := library(t)
	d, err := driver.Open(0, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	for i := range 8 {
		for _, batch := range []int{1, 3} {
			for _, precision := range []kernel.Precision{kernel.FP32, kernel.TF32, kernel.BF16} {
				g := &kernel.Gemm{Dtype: tensor.Float32, Precision: precision, M: 17, N: 12, K: 20, TransA: i&1 != 0, TransB: i&2 != 0,
					Batch: batch, StrideA: 17 * 20, StrideB: 20 * 12, StrideC: 17 * 12}
				if i&4 != 0 {
					g.Bias = &kernel.Pointer{}
				}
				t.Run(fmt.Sprintf("float32 %d %d %s", i, batch, precision), func(t *testing.T) {
					product[float32](t, d, l, g, map[kernel.Precision]float64{kernel.FP32: 1e-5, kernel.TF32: 1e-2, kernel.BF16: 5e-2}[precision])
				})
			}
			g := &kernel.Gemm{Dtype: tensor.Float64, M: 17, N: 12, K: 20, TransA: i&1 != 0, TransB: i&2 != 0, Batch: batch, StrideA: 17 * 20, StrideB: 20 * 12, StrideC: 17 * 12}
			t.Run(fmt.Sprintf("float64 %d %d", i, batch), func(t *testing.T) { product[float64](t, d, l, g, 1e-12) })
		}
	}
}

// product runs a product on the device and compares it with one whose sums are in float64.
func product[T float32 | float64](t *testing.T, d *driver.Device, l *Library, g *kernel.Gemm, tolerance float64) {
	r := rand.New(rand.NewPCG(1, 2))
	fresh := func(n int) []T {
		x := make([]T, n)
		for i := range x {
			x[i] = T(r.NormFloat64())
		}
		return x
	}
	a, b, c, bias := fresh(g.Batch*g.M*g.K), fresh(g.Batch*g.K*g.N), fresh(g.Batch*g.M*g.N), fresh(g.N)
	want := make([]float64, len(c))
	for z := range g.Batch {
		for i := range g.M {
			for j := range g.N {
				var s float64
				for k := range g.K {
					x, y := i*g.K+k, k*g.N+j
					if g.TransA {
						x = k*g.M + i
					}
					if g.TransB {
						y = j*g.K + k
					}
					s += float64(a[z*g.M*g.K+x]) * float64(b[z*g.K*g.N+y])
				}
				if g.Bias != nil {
					s += float64(bias[j])
				}
				want[(z*g.M+i)*g.N+j] = s
			}
		}
	}
	require.NoError(t, d.Do(func() error {
		stream, err := driver.NewStream()
		if err != nil {
			return err
		}
		defer stream.Close()
		h, err := l.New()
		if err != nil {
			return err
		}
		defer h.Close()
		m, err := h.Plan(g, 32<<20)
		if err != nil {
			return err
		}
		defer m.Close()
		var at [5]driver.Ptr
		for i, x := range [][]T{a, b, c, bias} {
			bytes := unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), len(x)*int(unsafe.Sizeof(x[0])))
			if at[i], err = d.Memory.Alloc(int64(len(bytes)), "a test"); err != nil {
				return err
			}
			if err := stream.ToDevice(at[i], bytes); err != nil {
				return err
			}
		}
		if at[4], err = d.Memory.Alloc(m.Workspace, "a test"); err != nil {
			return err
		}
		if err := m.Run(uintptr(stream.Handle()), uintptr(at[0]), uintptr(at[1]), uintptr(at[2]), uintptr(at[3]), uintptr(at[4])); err != nil {
			return err
		}
		if err := stream.ToHost(unsafe.Slice((*byte)(unsafe.Pointer(&c[0])), len(c)*int(unsafe.Sizeof(c[0]))), at[2]); err != nil {
			return err
		}
		return stream.Synchronize()
	}))
	for i := range want {
		require.InDelta(t, want[i], float64(c[i]), tolerance*10)
	}
}
