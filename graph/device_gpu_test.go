//go:build gpu && cgo && linux

package graph_test

import (
	"os"
	"testing"

	_ "github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
)

// TestMain runs the tests on the device that STHENO_TEST_DEVICE names, such as "cuda": Gorgonia's programs must compute there what
// they compute on the CPU.
func TestMain(m *testing.M) {
	if d := os.Getenv("STHENO_TEST_DEVICE"); d != "" {
		*graph.DefaultDevice = d
	}
	os.Exit(m.Run())
}
