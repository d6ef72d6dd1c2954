//go:build gpu && cgo && linux

package cuda_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// Many updates in one launch are, bit by bit, what each is in a launch of its own, as a profiled run makes them.
func TestMergedUpdatesAreTheSameBits(t *testing.T) {
	e := open(t, cuda.Config{})
	cases := 0
	for _, c := range enginetest.Cases() {
		if !strings.Contains(c.Name, "of many parameters") {
			continue
		}
		cases++
		for _, dt := range floatTypes {
			t.Run(c.Name+"/"+dt.String(), func(t *testing.T) {
				run := func(profiled bool) (values []any) {
					b := enginetest.NewB(t, dt)
					c.Build(b)
					m, err := graph.Compile(b.G, b.Options(e)...)
					require.NoError(t, err)
					if profiled {
						require.NoError(t, m.StartProfile())
					}
					for range 3 {
						require.NoError(t, m.RunAll())
					}
					require.NoError(t, m.Close())
					for _, n := range b.G.AllNodes() {
						if n.Op() == nil && n.Value() != nil {
							if d, ok := n.Value().(*tensor.Dense); ok {
								values = append(values, d.Data())
							}
						}
					}
					return values
				}
				single, merged := run(true), run(false)
				require.NotEmpty(t, merged)
				require.Equal(t, single, merged)
			})
		}
	}
	require.GreaterOrEqual(t, cases, 5)
}
