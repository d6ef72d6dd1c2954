//go:build !amd64 || purego

package kernel

import "github.com/stheno-ml/stheno/cpu/internal/cpuid"

// runsFor returns nothing: this build has no assembly.
func runsFor(cpuid.Level) (f32 runLoops[float32], f64 runLoops[float64]) { return f32, f64 }
