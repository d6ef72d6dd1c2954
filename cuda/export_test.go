//go:build gpu && cgo && linux

package cuda

import (
	"flag"
	"os"
	"testing"
	"time"
)

// TestMain has every run of every test begin with NaN in the memory that programs use in turn: nothing in it may outlive a run.
func TestMain(m *testing.M) {
	flag.Parse()
	poisoned = flag.Lookup("test.bench").Value.String() == ""
	os.Exit(m.Run())
}

// Patient lets a test measure for as long as it takes.
func Patient(t *testing.T) {
	old := patience
	patience = time.Hour
	t.Cleanup(func() { patience = old })
}

// Force makes engines follow the ways of a name until the test ends, or what comes first.
func Force(t testing.TB, way string) {
	GatherAll(t)
	old := forced
	forced = way
	t.Cleanup(func() { forced = old })
}

// GatherAll lets small convolutions gather sums, too, and those of deterministic engines, until the test ends.
func GatherAll(t testing.TB) {
	bytes, order := gather, anyOrder
	gather, anyOrder = 0, true
	t.Cleanup(func() { gather, anyOrder = bytes, order })
}

// ShareAll offers several ways to share all sums that are of more than one part, until the test ends.
func ShareAll(t testing.TB) {
	old := shareBytes
	shareBytes = 1
	t.Cleanup(func() { shareBytes = old })
}

// KeepOrder takes back from GatherAll what concerns deterministic engines.
func KeepOrder(t *testing.T) {
	old := anyOrder
	anyOrder = false
	t.Cleanup(func() { anyOrder = old })
}

// FoldAll has batch norms of inference folded into filters however small the images are, until the test ends.
func FoldAll(t *testing.T) {
	old := foldAll
	foldAll = true
	t.Cleanup(func() { foldAll = old })
}

// PackLate lets a test have filters packed beside the first steps though they are small.
func PackLate(t *testing.T) {
	early, late := earlyBytes, lateBytes
	earlyBytes, lateBytes = 1<<12, 1
	t.Cleanup(func() { earlyBytes, lateBytes = early, late })
}
