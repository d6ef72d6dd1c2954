//go:build gpu && cgo && linux

package cuda_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/sim"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// needSimulator skips a test that a real GPU cannot run.
func needSimulator(t testing.TB) {
	needGPU(t)
	if _, ok := sim.Live(); !ok {
		t.Skip("needs the simulated GPU of make gpu-test")
	}
}

const childEnv = "STHENO_TEST_CHILD"

// inChild runs the rest of a test in a process of its own, which it may spoil: it returns true there. In the parent it runs the child
// and returns false.
func inChild(t *testing.T, env ...string) bool {
	t.Helper()
	if os.Getenv(childEnv) != "" {
		time.AfterFunc(50*time.Second, func() { panic("the test hangs") }) // with all stacks
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+regexp.QuoteMeta(t.Name())+"$", "-test.v")
	cmd.Env = append(append(os.Environ(), childEnv+"=1"), env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: "+t.Name(), "%s", out)
	return false
}

// trainingStep compiles one step of a linear model, whose input is too large to go straight to its place.
func trainingStep(e graph.Engine) (*graph.Machine, error) {
	const n, in, out = 128, 256, 4
	g := gorgonia.NewGraph()
	matrix := func(name string, dims ...int) *gorgonia.Node {
		return gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(dims...), gorgonia.WithName(name),
			gorgonia.WithValue(tensor.New(tensor.WithShape(dims...), tensor.WithBacking(make([]float32, dims[0]*dims[1])))))
	}
	x, w := matrix("x", n, in), matrix("w", in, out)
	labels := gorgonia.NewVector(g, tensor.Int, gorgonia.WithShape(n), gorgonia.WithName("labels"), gorgonia.WithValue(tensor.New(tensor.WithBacking(make([]int, n)))))
	rate := gorgonia.NewScalar(g, tensor.Float32, gorgonia.WithName("rate"), gorgonia.WithValue(float32(0.1)))
	y, err := op.Apply(&op.MatMul{}, x, w)
	if err != nil {
		return nil, err
	}
	loss, err := op.Apply(&op.SoftmaxCrossEntropy{}, y, labels)
	if err != nil {
		return nil, err
	}
	cost, err := gorgonia.Mean(loss)
	if err != nil {
		return nil, err
	}
	grads, err := gorgonia.Grad(cost, w)
	if err != nil {
		return nil, err
	}
	next, err := op.Apply(&op.Descend{}, w, grads[0], rate)
	if err != nil {
		return nil, err
	}
	return graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(cost), graph.WithUpdates(op.Update{Target: w, New: next}))
}

// life is all that an engine does: it opens, trains for some steps, and closes.
func life() (err error) {
	e, err := cuda.New(cuda.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	m, err := trainingStep(e)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	for range 3 {
		if err := m.RunAll(); err != nil {
			return err
		}
	}
	return errors.Join(m.Sync(), m.Refresh())
}

// hold keeps the device's context alive, so that what an engine leaves behind is seen, and returns what is alive now.
func hold(t *testing.T) sim.Counts {
	d, err := driver.Open(0, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	c, _ := sim.Live()
	return c
}

func requireLive(t *testing.T, want sim.Counts, message string) {
	t.Helper()
	got, _ := sim.Live()
	require.Equal(t, want, got, message)
}

// Whichever allocation fails, the error is one of memory, nothing is left behind, and the next try works.
func TestAllocationsFail(t *testing.T) {
	needSimulator(t)
	if !inChild(t) {
		return
	}
	before := hold(t)
	err := life()
	require.NoError(t, err)
	requireLive(t, before, "without failures")
	failed := 0
	for ; failed < 300; failed++ {
		for _, more := range []string{"", "+"} {
			t.Setenv("STHENO_SIM_FAIL_ALLOC", fmt.Sprintf("%d%s", failed+1, more))
			err = life()
			t.Setenv("STHENO_SIM_FAIL_ALLOC", "")
			requireLive(t, before, fmt.Sprintf("allocation %d%s: %v", failed+1, more, err))
			if more == "" {
				require.NoError(t, err, "what the engine keeps is given back, and it asks again")
			}
		}
		if err == nil {
			break // there are no more
		}
		require.ErrorContains(t, err, "out of device memory")
		require.ErrorContains(t, err, "use a smaller batch")
		require.NoError(t, life(), "after allocation %d", failed+1)
	}
	require.Greater(t, failed, 5)
}

// A machine whose run failed for want of memory computes the right numbers once there is some.
func TestRunsAfterAllocationsFailed(t *testing.T) {
	needSimulator(t)
	const n = 1 << 15 // too large to go straight to its place
	filled := func(v float32) *tensor.Dense {
		x := make([]float32, n)
		for i := range x {
			x[i] = v
		}
		return vector(x...)
	}
	failed := 0
	for at := 1; at < 20; at++ {
		e := open(t, cuda.Config{})
		w, x := filled(1), filled(2)
		m, sum := counter(t, e, w, x)
		other, doubled := reader(t, e, x)
		want, runs := float32(1), 0
		for i := range 6 {
			if i < 4 {
				t.Setenv("STHENO_SIM_FAIL_ALLOC", fmt.Sprintf("%d+", at))
			} else {
				t.Setenv("STHENO_SIM_FAIL_ALLOC", "")
			}
			for _, v := range []struct {
				m    *graph.Machine
				y    gorgonia.Value
				want float32
			}{{m, sum, want + 2}, {other, doubled, 4}} {
				if err := v.m.RunAll(); err != nil {
					require.Less(t, i, 4)
					require.ErrorContains(t, err, "out of device memory")
					failed++
					continue
				}
				runs++
				require.Equal(t, v.want, v.y.Data().([]float32)[n-1], "allocation %d, run %d", at, i)
				if v.m == m {
					want = v.want
				}
			}
		}
		require.GreaterOrEqual(t, runs, 4)
		require.NoError(t, errors.Join(m.Close(), other.Close()))
		require.Equal(t, want, w.Float32s()[n-1])
		require.NoError(t, e.Close())
	}
	require.Greater(t, failed, 5)
}

// A machine whose run failed since a call of the driver did computes the right numbers in the next.
func TestRunsAfterCallsFailed(t *testing.T) {
	needSimulator(t)
	e := open(t, cuda.Config{})
	failed := 0
	for _, call := range []string{"copy", "cuEventRecord", "cuEventSynchronize", "cuLaunchKernel", "cuStreamBeginCapture_v2", "cuGraphInstantiateWithFlags", "cuGraphLaunch"} {
		for at := 1; at <= 6; at++ {
			m, doubled := reader(t, e, vector(1, 2, 3))
			t.Setenv("STHENO_SIM_FAIL_CALL", fmt.Sprintf("%s:%d", call, at))
			for range 4 {
				if err := m.RunAll(); err != nil {
					require.ErrorContains(t, err, "CUDA_ERROR_UNKNOWN")
					failed++
					continue
				}
				require.Equal(t, []float32{2, 4, 6}, doubled.Data(), "%s, call %d", call, at)
				clear(doubled.Data().([]float32))
			}
			t.Setenv("STHENO_SIM_FAIL_CALL", "")
			require.NoError(t, m.RunAll())
			require.Equal(t, []float32{2, 4, 6}, doubled.Data(), "%s, call %d", call, at)
			require.NoError(t, m.Close())
		}
	}
	require.Greater(t, failed, 10)
}

// Whichever call of the driver fails, it is an error, nothing is left behind but what could not be freed, and the next try works.
func TestCallsFail(t *testing.T) {
	needSimulator(t)
	if !inChild(t) {
		return
	}
	before := hold(t)
	t.Setenv("STHENO_SIM_FAIL_CALL", "1000000")
	require.NoError(t, life())
	calls := sim.Calls()
	freeing := regexp.MustCompile("Destroy|Free|Unload|Release|EndCapture|Synchronize")
	unfreed := 0
	stride := 1
	if testing.Short() {
		stride = 7
	}
	for n := 1; n <= calls; n += stride {
		t.Setenv("STHENO_SIM_FAIL_CALL", fmt.Sprint(n))
		err := life()
		t.Setenv("STHENO_SIM_FAIL_CALL", "")
		what := fmt.Sprintf("call %d of %d, %s: %v", n, calls, sim.Message(), err)
		if freeing.MatchString(sim.Message()) {
			if now, _ := sim.Live(); now != before { // it is told, and stays
				require.True(t, err != nil || strings.HasPrefix(sim.Message(), "cuGraphDestroy"), what) // then it goes on without a graph
				before = now
				unfreed++
			}
			continue
		}
		requireLive(t, before, what)
	}
	require.NoError(t, life())
	t.Logf("%d calls failed; %d left what they should have freed", (calls+stride-1)/stride, unfreed)
}

// A driver without a GPU is not taken for a machine without a driver.
func TestDriverWithoutGPU(t *testing.T) {
	if os.Getenv(childEnv) == "" {
		needSimulator(t)
	}
	if !inChild(t, "STHENO_SIM_DEVICES=0") {
		return
	}
	_, err := cuda.Devices()
	require.ErrorContains(t, err, "CUDA_ERROR_NO_DEVICE")
	require.ErrorContains(t, err, "nvidia-smi")
	require.NotContains(t, err.Error(), "cannot be loaded")
	_, err = cuda.New(cuda.Config{})
	require.ErrorContains(t, err, "CUDA_ERROR_NO_DEVICE")
}
