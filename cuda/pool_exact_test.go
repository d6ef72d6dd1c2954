//go:build gpu && cgo && linux

package cuda_test

import (
	"testing"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// Poolings have the same bits however many elements of a window are asked for before the first is looked at.
func TestExactPools(t *testing.T) {
	t.Run("float32", func(t *testing.T) { enginetest.RequirePools(t, open(t, cuda.Config{}), false) })
	t.Run("bfloat16", func(t *testing.T) { enginetest.RequirePools(t, open(t, cuda.Config{Precision: "bf16"}), true) })
}
