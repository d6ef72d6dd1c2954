package cpu_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
)

// apart is the engine without loops behind products and without bounds of ReLUs.
type apart struct{ *cpu.Engine }

func (a apart) Fuses(kind string, dt tensor.Dtype) bool {
	return (kind == "Loop" || !strings.HasSuffix(kind, "Loop")) && !strings.HasSuffix(kind, "Bound") && a.Engine.Fuses(kind, dt)
}

// In inference activations are part of the convolutions and products in front of them, by their names, and no steps of their own; the
// scores have the bits that they have with steps of their own, on any number of threads, in float32 and with bfloat16. Hard swish, which
// multiplies by 1/6 where its own step divides, is as near as that lets it be: a sixth is off by less than half a unit in the last place, and where a
// factor of bfloat16 is then rounded another way, that is 1/256 of it.
func TestActivationsAreEpilogues(t *testing.T) {
	numtest.Sequential(t)
	for _, c := range []struct {
		name  string
		size  int
		has   map[string]int
		lacks []string
	}{
		{"mobilenetv2", 32, map[string]int{"+bias+relu6(": 35}, []string{"Binary(min)", "ReLU("}},
		{"mobilenetv3-small", 64, map[string]int{"+bias+hardswish(": 19, "+bias+hardsigmoid(": 9}, []string{"max(r0", "Binary(max)"}},
		{"efficientnetb0", 64, map[string]int{"+bias+swish(": 49, "+bias+sigmoid(": 16}, []string{"Unary(sigmoid)", "= sigmoid"}},
		{"convnext-tiny", 32, map[string]int{"+bias+gelu(": 18}, []string{"erf"}},
		{"vit-ti4", 32, map[string]int{"+bias+gelu(": 12}, []string{"erf"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := arch.ByName(c.name, arch.Config{Input: nn.Shape{c.size, c.size, 3}})
			require.NoError(t, err)
			m, err := a.Model()
			require.NoError(t, err)
			require.NoError(t, m.Initialize(1, tensor.Float32))
			statistics(m)
			scores := func(e graph.Engine, plan bool) []float64 {
				machine, y := inference(t, e, m, c.size, 1, tensor.Float32)
				defer func() { require.NoError(t, machine.Close()) }()
				if text := machine.Plan().String(); plan {
					for name, n := range c.has {
						require.Equal(t, n, strings.Count(text, name), name)
					}
					for _, name := range c.lacks {
						require.Zero(t, strings.Count(text, name), name)
					}
				}
				require.NoError(t, machine.RunAll())
				v, err := machine.Value(y)
				require.NoError(t, err)
				return numbers(v)
			}
			equal := func(want, got []float64, near float64) {
				t.Helper()
				if c.name != "mobilenetv3-small" {
					require.Equal(t, want, got)
					return
				}
				for i := range want {
					require.InEpsilon(t, want[i], got[i], near)
				}
			}
			two := open(t, 2)
			want, got := scores(apart{two}, false), scores(two, true)
			equal(want, got, 1e-6)
			require.Equal(t, got, scores(open(t, 3), true))
			if c.name == "convnext-tiny" && testing.Short() || !cpuid.HasBF16() {
				return
			}
			rounded := openBF16(t, 2)
			equal(scores(apart{rounded}, false), scores(rounded, true), 2e-3)
		})
	}
}
