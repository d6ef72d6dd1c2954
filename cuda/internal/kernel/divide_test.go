package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDivideBy(t *testing.T) {
	for _, d := range []int{1, 2, 3, 5, 6, 7, 9, 10, 12, 49, 63, 64, 65, 641, 1000, 3136, 65535, 65536, 65537, 1<<30 - 1, 1 << 30, 1<<30 + 1, 1<<31 - 1, 1 << 31, 1 << 40} {
		v := divideBy(d)
		quotient := func(n uint32) uint64 { return uint64(n) * uint64(v.Mul) >> v.Down }
		for _, n := range []int{0, 1, d - 1, d, d + 1, 2*d - 1, 2 * d, 1000*d - 1, 1000 * d, 1<<31 - 1, (1<<31-1)/d*d - 1, (1<<31 - 1) / d * d} {
			if n >= 0 && n < 1<<31 {
				require.Equal(t, uint64(n/d), quotient(uint32(n)), "%d/%d", n, d)
			}
		}
	}
}
