package cpu_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

func TestConformance(t *testing.T) {
	for _, threads := range []int{1, 2, 3} {
		t.Run(fmt.Sprintf("%d threads", threads), func(t *testing.T) {
			enginetest.Run(t, func(t *testing.T) graph.Engine {
				e, err := cpu.New(cpu.Config{Threads: threads})
				require.NoError(t, err)
				return e
			}, tensor.Float32, tensor.Float64)
		})
	}
}
