//go:build !amd64 || purego

package kernel

// fastRuns is the longest run that copyRuns hands to assembly: there is none in this build.
var fastRuns = 0

// copyRuns copies count runs of n elements, ld apart in dst and step apart in src.
func copyRuns(dst []float32, ld int, src []float32, step, count, n int) {
	copyRunsGo(dst, ld, src, step, count, n)
}
