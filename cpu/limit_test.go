package cpu_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// TestPlansLargerThanTheMemory: the arena of a 2²¹×2²¹ product has 16 TiB.
func TestPlansLargerThanTheMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the size of the memory is read on Linux only")
	}
	g := gorgonia.NewGraph()
	const n = 1 << 21
	a := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(n, 1), gorgonia.WithName("a"))
	b := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(1, n), gorgonia.WithName("b"))
	y, err := op.Apply(&op.MatMul{}, a, b)
	require.NoError(t, err)
	s, err := op.Apply(&op.Sum{}, y)
	require.NoError(t, err)
	e, err := cpu.New(cpu.Config{Threads: 1})
	require.NoError(t, err)
	defer e.Close()
	_, err = graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(s))
	var me *cpu.MemoryError
	require.ErrorAs(t, err, &me)
	require.Equal(t, 4*n*n, me.Wanted)
	require.Contains(t, err.Error(), "(2097152, 2097152) with 16384.0 GiB; use a smaller batch")
}
