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
func Force(t *testing.T, way string) {
	old := forced
	forced = way
	t.Cleanup(func() { forced = old })
}
