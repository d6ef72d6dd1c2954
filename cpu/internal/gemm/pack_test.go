package gemm

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// TestPacking holds the packing of each level against its plain Go twin.
func TestPacking(t *testing.T) { bothTypes(t, testPacking[float32], testPacking[float64]) }

func testPacking[T vec.Float](t *testing.T) {
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		rng := rand.New(rand.NewPCG(5, 0))
		for range 300 {
			rows, cols := 1+rng.IntN(40), 1+rng.IntN(g.k.nr)
			lds, ldd := cols+rng.IntN(9), cols+rng.IntN(9)
			src, checkSrc := matrix[T](t, rng, rows, cols, lds)
			want, _ := matrix[T](t, rng, rows, cols, ldd)
			got, checkGot := matrix[T](t, rng, rows, cols, ldd)
			copyRowsGo(want, ldd, src, lds, rows, cols)
			g.k.copied(got, ldd, src, lds, rows, cols)
			checkSrc()
			checkGot()
			for r := range rows {
				require.Equal(t, want[r*ldd:r*ldd+cols], got[r*ldd:r*ldd+cols])
			}
		}
	})
}
