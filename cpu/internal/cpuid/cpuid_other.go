//go:build !amd64 || purego

package cpuid

func best() Level { return Generic }

func hasBF16() bool { return false }
