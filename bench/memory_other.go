//go:build !linux

package bench

// resetPeak is false: only Linux forgets a peak.
func resetPeak() bool { return false }
