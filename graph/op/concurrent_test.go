package op_test

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// TestGraphsOfManyGoroutines: goroutines that differentiate graphs of their own do not meet, which the race detector tells, in a process that
// has not differentiated anything before.
func TestGraphsOfManyGoroutines(t *testing.T) {
	const alone = "STHENO_TEST_ALONE"
	if os.Getenv(alone) == "" {
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		c.Env = append(os.Environ(), alone+"=1")
		out, err := c.CombinedOutput()
		require.NoError(t, err, string(out))
		return
	}
	errs, start := make([]error, 64), make(chan struct{})
	var wait sync.WaitGroup
	for i := range errs {
		x := gorgonia.NewMatrix(gorgonia.NewGraph(), []tensor.Dtype{tensor.Float32, tensor.Float64}[i%2], gorgonia.WithName("x"), gorgonia.WithShape(2, 3))
		cost, err := op.Of(x).Mean().Node()
		require.NoError(t, err)
		wait.Go(func() {
			<-start
			_, errs[i] = gorgonia.Grad(cost, x)
		})
	}
	close(start)
	wait.Wait()
	require.NoError(t, errors.Join(errs...))
}
