package cpu_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

var floatTypes = []tensor.Dtype{tensor.Float32, tensor.Float64}

// watched are floatTypes, and for the race detector one of them: the code that shares work is generic.
func watched() []tensor.Dtype {
	if numtest.Race {
		return floatTypes[:1]
	}
	return floatTypes
}

func TestOps(t *testing.T) { enginetest.RunOps(t, open(t, 2), watched()...) }

// The number of threads does not change a bit.
func TestThreadsDoNotChangeOps(t *testing.T) {
	one, others, types := open(t, 1), []*cpu.Engine{open(t, 3), open(t, 5)}, floatTypes
	if testing.Short() { // under the race detector
		others, types = others[:1], types[:1]
	}
	for _, dt := range types {
		for _, c := range enginetest.OpCases(dt) {
			want := c.Run(t, one, dt, nil)
			for _, e := range others {
				require.True(t, enginetest.SameBits(want, c.Run(t, e, dt, nil)), "%v %s: other bits with %d threads", dt, c.Name, e.Threads())
			}
		}
	}
}

// A run allocates nothing.
func TestOpsAllocateNothing(t *testing.T) {
	numtest.Sequential(t)
	e := open(t, 2)
	for _, dt := range floatTypes {
		for _, c := range enginetest.OpCases(dt) {
			prog := c.Bound(t, e, dt)
			require.Zero(t, testing.AllocsPerRun(2, func() {
				if err := prog.Run(); err != nil {
					t.Fatal(err)
				}
			}), "%v %s", dt, c.Name)
			require.NoError(t, prog.Close())
		}
	}
}
