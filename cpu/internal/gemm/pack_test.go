package gemm

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPacking holds the packing of each level against its plain Go twin.
func TestPacking(t *testing.T) {
	forLevels(t, func(t *testing.T, g *Gemm) {
		rng := rand.New(rand.NewPCG(5, 0))
		for range 300 {
			rows, cols := 1+rng.IntN(40), 1+rng.IntN(g.k.nr)
			lds, ldd := cols+rng.IntN(9), cols+rng.IntN(9)
			src, checkSrc := matrix(t, rng, rows, cols, lds)
			want, _ := matrix(t, rng, rows, cols, ldd)
			got, checkGot := matrix(t, rng, rows, cols, ldd)
			copyRowsGo(want, ldd, src, lds, rows, cols)
			g.k.copied(got, ldd, src, lds, rows, cols)
			checkSrc()
			checkGot()
			for r := range rows {
				require.Equal(t, want[r*ldd:r*ldd+cols], got[r*ldd:r*ldd+cols])
			}

			ldd = rows + rng.IntN(9)
			want, _ = matrix(t, rng, cols, rows, ldd)
			got, checkGot = matrix(t, rng, cols, rows, ldd)
			transposeGo(want, ldd, src, lds, rows, cols)
			g.k.transposed(got, ldd, src, lds, rows, cols)
			checkSrc()
			checkGot()
			for c := range cols {
				require.Equal(t, want[c*ldd:c*ldd+rows], got[c*ldd:c*ldd+rows])
				for r := range rows {
					require.Equal(t, src[r*lds+c], got[c*ldd+r])
				}
			}
		}
	})
}
