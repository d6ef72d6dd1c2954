//go:build !amd64 || purego

package gemm

import "github.com/stheno-ml/stheno/cpu/internal/cpuid"

// levelFor returns the plain Go kernels: this build has no others.
func levelFor(cpuid.Level) *level { return &generic }

func nativeBF16() *kernels[float32] { return &genericBF16 }
