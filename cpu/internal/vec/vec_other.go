//go:build !amd64 || purego

package vec

import "github.com/stheno-ml/stheno/cpu/internal/cpuid"

func opsFor(cpuid.Level) *Ops { return &generic }
