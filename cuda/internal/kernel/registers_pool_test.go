//go:build gpu && cgo && linux

package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// TestPoolsStayInRegisters looks at the registers of poolings that ask for a window before they look at its first element: as many threads are to
// be on a multiprocessor that 64 kB or more are on their way, twice what hides the way to memory, and none uses memory in place of registers.
func TestPoolsStayInRegisters(t *testing.T) {
	t.Parallel()
	l := realNVRTC(t)
	for size, most := range map[int]int{2: 40, 3: 72} { // 48 warps and more of 64 bytes a thread, and 24 of 144
		for _, narrow := range []bool{false, true} {
			x, y := valueOf(tensor.Float32, 8, 32, 32, 64), valueOf(tensor.Float32, 8, 16, 16, 64)
			x.Narrow, y.Narrow = narrow, narrow
			a := op.PoolAttrs{Pool: [2]int{size, size}, Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Same}}
			launch := commandsOf(t, builderFor(BF16), stepOf(&op.MaxPool2D{PoolAttrs: a}, y, x))[0].(*Launch)
			for _, arch := range []string{"sm_80", "sm_90"} {
				found := attributes(t, l, launch.Source, arch)
				for _, kernel := range []string{"max_pool", "avg_pool"} {
					n, ok := found[registers][kernel]
					require.True(t, ok)
					require.LessOrEqual(t, n, most, "%s of %d for %s, narrow: %t", kernel, size, arch, narrow)
					require.Zero(t, found[frameSize][kernel], "%s of %d for %s", kernel, size, arch)
				}
			}
		}
	}
}
