package cublaslt

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// compute does what cuBLASLt is asked to do.
func compute(p problem, a, b, bias []float64) []float64 {
	at := func(m matrix, x []float64, i, j int) float64 {
		if m.trans {
			i, j = j, i
		}
		if i >= m.rows || j >= m.cols {
			panic("outside of the matrix")
		}
		return x[i+j*m.ld]
	}
	inner := p.a.cols
	if p.a.trans {
		inner = p.a.rows
	}
	d := make([]float64, p.d.rows*p.d.cols)
	for i := range p.d.rows {
		for j := range p.d.cols {
			var s float64
			for k := range inner {
				s += at(p.a, a, i, k) * at(p.b, b, k, j)
			}
			if p.epilogue&epilogueBias != 0 {
				s += bias[i]
			}
			d[i+j*p.d.ld] = s
		}
	}
	return d
}

func TestPoseTurnsRowsIntoColumns(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = r.NormFloat64()
		}
		return x
	}
	const m, n, k = 3, 4, 5
	a, b, bias := random(m*k), random(k*n), random(n)
	for i := range 8 {
		g := &kernel.Gemm{Dtype: tensor.Float64, M: m, N: n, K: k, TransA: i&1 != 0, TransB: i&2 != 0}
		if i&4 != 0 {
			g.Bias = &kernel.Pointer{}
		}
		want := make([]float64, m*n)
		for i := range m {
			for j := range n {
				var s float64
				for l := range k {
					x, y := a[i*k+l], b[l*n+j]
					if g.TransA {
						x = a[l*m+i]
					}
					if g.TransB {
						y = b[j*k+l]
					}
					s += x * y
				}
				if g.Bias != nil {
					s += bias[j]
				}
				want[i*n+j] = s
			}
		}
		p, err := pose(g)
		require.NoError(t, err)
		require.InDeltaSlice(t, want, compute(p, b, a, bias), 1e-12, "%+v", *g)
	}
}

func TestPoseChoosesTypesAndAlignment(t *testing.T) {
	g := &kernel.Gemm{Dtype: tensor.Float32, M: 3, N: 4, K: 5}
	for precision, want := range map[kernel.Precision]int{kernel.FP32: 68, kernel.TF32: 77, kernel.BF16: 75} {
		g.Precision = precision
		p, err := pose(g)
		require.NoError(t, err)
		require.Equal(t, want, p.compute)
		require.Equal(t, epilogueDefault, p.epilogue)
		require.Equal(t, 64, p.a.alignment)
	}
	g.A, g.Batch, g.StrideA, g.StrideB, g.StrideC = kernel.In(0).At(512+16), 2, 15, 20, 64
	p, err := pose(g)
	require.NoError(t, err)
	require.Equal(t, []int{16, 4, 64}, []int{p.a.alignment, p.b.alignment, p.d.alignment}, "a stride of 15 floats is a multiple of 4 bytes")

	_, err = pose(&kernel.Gemm{Dtype: tensor.Int, M: 1, N: 1, K: 1})
	require.ErrorIs(t, err, ErrUnsupported)
	_, err = pose(&kernel.Gemm{Dtype: tensor.Float32, M: 1, N: 1})
	require.ErrorIs(t, err, ErrUnsupported)
}
