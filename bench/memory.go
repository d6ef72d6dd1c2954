package bench

import (
	"runtime"
	"runtime/debug"
)

// startMemory gives back what earlier cases needed, and makes the system count the process's peak from now on. It is false where the
// system cannot do that.
func startMemory() bool {
	runtime.GC()
	debug.FreeOSMemory()
	return resetPeak()
}
