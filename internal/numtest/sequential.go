package numtest

import "testing"

// Sequential skips a test of what one goroutine does when the race detector watches.
func Sequential(t testing.TB) {
	t.Helper()
	if Race {
		t.Skip("one goroutine: nothing for the race detector")
	}
}
