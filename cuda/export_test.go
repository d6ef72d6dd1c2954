//go:build gpu && cgo && linux

package cuda

import (
	"testing"
	"time"
)

// Patient lets a test measure for as long as it takes.
func Patient(t *testing.T) {
	old := patience
	patience = time.Hour
	t.Cleanup(func() { patience = old })
}
