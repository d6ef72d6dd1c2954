package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Results may take the memory of the inputs that the kernels' comments name.
func TestInPlace(t *testing.T) { bothTypes(t, testInPlace[float32], testInPlace[float64]) }

func testInPlace[T Float](t *testing.T) {
	const rows, c, lr = 400, 70, 0.1
	n := rows * c
	ch := Channels{Outer: rows, C: c, Inner: 1}
	wide := Channels{Outer: 4, C: c, Inner: rows / 4}
	x := func(seed uint64) []T { return normal[T](seed, n).Data.([]T) }
	v := positive[T](9, c).Data.([]T)
	withEnv(t, func(t *testing.T, e Env[T]) {
		must := func(err error) { require.NoError(t, err) }
		// same runs f on separate memory and then with the result in the memory of input alias.
		check := func(name string, alias int, ins int, f func(y []T, in [][]T)) {
			t.Helper()
			fresh := func() (in [][]T) {
				for i := range ins {
					in = append(in, x(uint64(i+1)))
				}
				return in
			}
			want := make([]T, n)
			f(want, fresh())
			in := fresh()
			f(in[alias], in)
			require.True(t, sameBits(want, in[alias]), "%s in the memory of input %d, %d workers, %v", name, alias, e.Pool.Threads(), ops[T]().Level())
		}
		rl, err := NewReLU[T](e.Pool, n)
		must(err)
		check("ReLU", 0, 1, func(y []T, in [][]T) { rl.Run(y, in[0]) })
		sc, err := NewScale[T](e.Pool, n, 3)
		must(err)
		check("Scale", 0, 1, func(y []T, in [][]T) { sc.Run(y, in[0]) })
		dr, err := NewDropout[T](e.Pool, n, 0.5, 1, 2)
		must(err)
		check("Dropout", 0, 1, func(y []T, in [][]T) { dr.Run(y, in[0], 3) })
		sm, err := NewSoftmax[T](e.Pool, rows, c, false)
		must(err)
		check("Softmax", 0, 1, func(y []T, in [][]T) { sm.Run(y, in[0]) })
		ba, err := NewBiasAdd[T](e.Pool, ch)
		must(err)
		check("BiasAdd", 0, 1, func(y []T, in [][]T) { ba.Run(y, in[0], v) })
		for name, build := range map[string]func() (*Binary[T], error){
			"Add": func() (*Binary[T], error) { return NewAdd[T](e.Pool, n) }, "Mul": func() (*Binary[T], error) { return NewMul[T](e.Pool, n) },
			"ReLUGrad": func() (*Binary[T], error) { return NewReLUGrad[T](e.Pool, n) },
		} {
			k, err := build()
			must(err)
			for alias := range 2 {
				check(name, alias, 2, func(y []T, in [][]T) { k.Run(y, in[0], in[1]) })
			}
		}
		as, err := NewAddScaled[T](e.Pool, n, -1)
		must(err)
		check("AddScaled", 0, 2, func(y []T, in [][]T) { as.Run(y, in[0], in[1], lr) })
		cb, err := NewCombine[T](e.Pool, n, 0.5, 2) // powers of two: fusing an addition changes no bit
		must(err)
		check("Combine", 0, 2, func(y []T, in [][]T) { cb.Run(y, in[0], in[1]) })
		check("Combine", 1, 2, func(y []T, in [][]T) { cb.Run(y, in[0], in[1]) })
		for _, place := range []Channels{ch, wide} {
			bn, err := NewBatchNorm[T](e.Pool, place, 1e-3, true)
			must(err)
			bn.SetScratch(make([]T, bn.Workspace()))
			for alias := range 2 {
				check("BatchNorm", alias, 2, func(y []T, in [][]T) { bn.Run(y, in[0], v, v, v, v, in[1]) })
			}
			bn.Bound(0.5)
			for alias := range 2 {
				check("BatchNormBound", alias, 2, func(y []T, in [][]T) { bn.Run(y, in[0], v, v, v, v, in[1]) })
			}
			bg, err := NewBatchNormGradInput[T](e.Pool, place, 1e-3)
			must(err)
			bg.SetScratch(make([]T, bg.Workspace()))
			for alias := range 3 {
				check("BatchNormGradInput", alias, 3, func(y []T, in [][]T) { bg.Run(y, in[0], v, v, v, in[1], v, v, in[2]) })
			}
			for alias := range 2 {
				check("BatchNormReLUGradInput", alias, 2, func(y []T, in [][]T) { bg.RunReLU(y, in[0], v, v, v, v, in[1], v, v) })
				check("BatchNormReLUGradInputBound", alias, 2, func(y []T, in [][]T) { bg.RunBound(y, in[0], v, v, v, v, in[1], v, v, 0.5) })
			}
			bs, err := NewBatchNormSums[T](e.Pool, place, 1e-3)
			must(err)
			bs.SetScratch(make([]T, bs.Workspace()))
			gamma, beta := make([]T, place.C), make([]T, place.C)
			for alias := 1; alias < 4; alias++ {
				check("BatchNormJoinSums", alias, 4, func(dy []T, in [][]T) { bs.RunJoin(gamma, beta, dy, in[0], v, v, in[1], in[2], in[3]) })
			}
		}
		square := func(in []T) []T {
			s := append([]T(nil), in...)
			for i, v := range s {
				s[i] = v * v
			}
			return s
		}
		for _, o := range updateOptions {
			mu, err := NewMomentumUpdate[T](e.Pool, n, 0.9, true, o)
			must(err)
			mu.SetScratch(make([]T, mu.Workspace()))
			check("MomentumUpdate", 0, 3, func(w []T, in [][]T) {
				mu.Begin(w, in[1], in[0], in[1], lr, 1)
				mu.Apply(in[2])
			})
			check("MomentumUpdate", 1, 3, func(v []T, in [][]T) {
				mu.Begin(in[0], v, in[0], in[1], lr, 1)
				mu.Apply(in[2])
			})
			au, err := NewAdamUpdate[T](e.Pool, n, 0.9, 0.99, 1e-7, o)
			must(err)
			au.SetScratch(make([]T, au.Workspace()))
			check("AdamUpdate", 0, 4, func(w []T, in [][]T) {
				s := square(in[2])
				au.Begin(w, in[1], s, in[0], in[1], s, lr, 2, 1)
				au.Apply(in[3])
			})
		}
	})
}
