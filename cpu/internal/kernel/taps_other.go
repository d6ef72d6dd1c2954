//go:build !amd64 || purego

package kernel

import "github.com/stheno-ml/stheno/cpu/internal/cpuid"

// tapsFor returns nothing: this build has no assembly.
func tapsFor(cpuid.Level) (f32 tapLoops[float32], f64 tapLoops[float64]) { return f32, f64 }
