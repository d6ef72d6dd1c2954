package gemm

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// Activations are what their plain form makes of the product without one, to the bit, in tiles of every size, however the product is computed;
// NaN stays NaN.
func TestActivations(t *testing.T) { bothTypes(t, testActivations[float32], testActivations[float64]) }

func testActivations[T vec.Float](t *testing.T) {
	acts := []Activation[T]{{Kind: ReLU}, {Kind: Bounded, Most: 1.5}, {Kind: Gated, Most: 6, Shift: 3, Factor: 1. / 6}, {Kind: Gated, Most: 2, Shift: -1, Factor: 0.75}}
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		rng := rand.New(rand.NewPCG(8, 5))
		shapes := [][3]int{{3, 5, 0}, {25, 37, 8}, {241, 64, 16}, {70, 70, 1200}, {9, 40, 5000}}
		for m := 1; m <= g.k.mr; m++ {
			shapes = append(shapes, [3]int{m, 1 + m*g.k.nr/g.k.mr, 5})
		}
		for i, s := range shapes {
			m, n, k := s[0], s[1], s[2]
			for form := range 3 {
				a, _, fineA := operand[T](t, rng, m, k, 0, form == 1, false)
				b, _, fineB := operand[T](t, rng, k, n, 0, form >= 1, false)
				if k > 0 {
					a.Data[0] = T(math.NaN())
				}
				args := Args[T]{M: m, N: n, K: k, A: a, B: b, Alpha: 0.25, Bias: random[T](rng, n)}
				if k > 0 && m > 4 { // rows of infinities of both signs, and of zeros, which stay below 0 without a bias
					set := func(r int, x T) {
						for c := range k {
							if at := c; form == 1 {
								a.Data[at*a.LD+r] = x
							} else {
								a.Data[r*a.LD+at] = x
							}
						}
					}
					set(1, T(math.Inf(1)))
					set(2, T(math.Inf(-1)))
					set(3, 0)
					if i%2 == 0 {
						args.Alpha, args.Bias = -0.25, nil
					}
				}
				for _, threads := range workers(1, 3) {
					p := pool.New(threads)
					without := args
					without.C = make([]T, m*n)
					g.Run(p, g.NewWorkspace(threads), &without)
					for _, act := range acts {
						with := args
						with.Act, with.C = act, make([]T, m*n)
						if with.ReLU = act.Kind == ReLU && i%2 == 0; with.ReLU { // as it is asked for without an Act
							with.Act = Activation[T]{}
						}
						g.Run(p, g.NewWorkspace(threads), &with)
						want := make([]T, m*n)
						for j, x := range without.C {
							want[j] = bent(x, act.Kind, act.Most, act.Shift, act.Factor)
						}
						for j, x := range with.C {
							if w := want[j]; (x != w || math.Signbit(float64(x)) != math.Signbit(float64(w))) && (x == x || w == w) {
								t.Fatalf("%v form %d, activation %v, %d threads: element %d of %v is %v; want %v", s, form, act, threads, j, without.C[j], x, w)
							}
						}
						require.Equal(t, k > 0, with.C[0] != with.C[0], "a NaN stays")
					}
					p.Close()
				}
				fineA()
				fineB()
			}
		}
	})
}
