package gemm

import (
	"testing"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

// The worker with the most has not much more than its part of a product of few rows, of which panels alone leave up to a third more.
func TestGridsShareFewRowsEvenly(t *testing.T) {
	g := New[float32](cpuid.Best())
	mr, nr := g.k.mr, g.k.nr
	for _, s := range [][3]int{{196, 96, 576}, {196, 576, 96}, {196, 384, 64}, {49, 160, 960}, {49, 320, 960}, {49, 1280, 320}, {197, 384, 384}, {197, 1536, 384}, {784, 192, 32}, {3136, 144, 24}} {
		a := Args[float32]{M: s[0], N: s[1], K: s[2], B: Operand[float32]{Packed: true}}
		a.fillDefaults()
		for _, threads := range []int{2, 3, 4} {
			p := g.plan(threads, &a, nil)
			part := func(i int) float64 { // its rows times its panels
				i0, j0 := i%p.mParts*p.mp, i/p.mParts*p.np
				return float64((min(i0+p.mp, p.m) - i0) * ceil(min(j0+p.np, p.n)-j0, nr))
			}
			parts, most := p.mParts*p.nParts, 0.
			for w := range threads {
				share := 0.
				for i := w * parts / threads; i < (w+1)*parts/threads; i++ {
					share += part(i)
				}
				most = max(most, share)
			}
			mean := float64(p.m*ceil(p.n, nr)) / float64(threads)
			if most > 1.2*mean {
				t.Errorf("%v on %d threads: the busiest has %.0f of %.0f rows of panels in parts of %d×%d (tiles of %d×%d); want at most 1.2 times the mean %.0f",
					s, threads, most, mean*float64(threads), p.mp, p.np, mr, nr, mean)
			}
		}
	}
}

// A remembered grid is that of the same product, and of no other.
func TestGridsAreRememberedByProduct(t *testing.T) {
	g := New[float32](cpuid.Best())
	var memo grids
	for range 2 {
		for _, s := range [][3]int{{196, 96, 576}, {49, 160, 960}, {196, 96, 576}, {196, 128, 576}} {
			a := Args[float32]{M: s[0], N: s[1], K: s[2], B: Operand[float32]{Packed: true}}
			a.fillDefaults()
			for _, threads := range []int{2, 3} {
				p, want := g.plan(threads, &a, &memo), g.plan(threads, &a, nil)
				if p.mp != want.mp || p.np != want.np || p.mParts != want.mParts || p.nParts != want.nParts {
					t.Errorf("%v on %d threads: parts of %d×%d, without a memory %d×%d", s, threads, p.mp, p.np, want.mp, want.np)
				}
			}
		}
	}
}
