//go:build !race

package numtest

// Race says that the race detector watches, which makes everything many times as slow: a test leaves out then what has one goroutine, or the
// same goroutines once more. The same test without it leaves out nothing.
const Race = false
