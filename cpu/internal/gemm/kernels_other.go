//go:build !amd64 || purego

package gemm

import "github.com/stheno-ml/stheno/cpu/internal/cpuid"

// kernelsFor returns the plain Go kernels: this build has no others.
func kernelsFor(cpuid.Level) kernels { return generic }
