//go:build gpu && cgo && linux

package kernel

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// TestFewChannelsStayInRegisters looks at the machine code of convolutions of few channels, whose sums take most of the registers that there
// are. Places that are the same for every patch may wait in memory: they are read once for each.
func TestFewChannelsStayInRegisters(t *testing.T) {
	t.Parallel()
	l := realNVRTC(t)
	const most = 96
	for _, c := range stems {
		steps := convSteps(t, tensor.Float32, c.x, c.w, c.a)
		for _, pass := range []string{"relu", "filter"} {
			s := steps[pass]
			for _, p := range []Precision{TF32, BF16} {
				narrow := p == BF16
				s.In[1].Narrow, s.Out[0].Narrow = narrow && pass == "filter", narrow && pass != "filter"
				launch := fewLaunches(t, builderFor(p), s)[0]
				for _, arch := range []string{"sm_80", "sm_90"} {
					found := attributes(t, l, launch.Source, arch)
					bytes, ok := found[frameSize][launch.Name]
					require.True(t, ok)
					t.Logf("%s of %s in %v for %s: %d registers, %d bytes on the stack, %d bytes of shared memory", pass, c.name, p, arch,
						found[registers][launch.Name], bytes, launch.Shared)
					assert.LessOrEqual(t, bytes, most, "%s of %s in %v for %s", pass, c.name, p, arch)
				}
			}
		}
	}
}
