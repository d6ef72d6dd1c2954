//go:build !amd64 || purego

package vmath

import "github.com/stheno-ml/stheno/cpu/internal/cpuid"

func ops32(cpuid.Level) *Ops[float32] { return &generic32 }
func ops64(cpuid.Level) *Ops[float64] { return &generic64 }
