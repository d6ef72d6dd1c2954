//go:build amd64 && !purego

package cpuid

import "golang.org/x/sys/cpu"

func best() Level {
	x := &cpu.X86
	if !x.HasAVX2 || !x.HasFMA {
		return Generic
	}
	if x.HasAVX512F && x.HasAVX512VL && x.HasAVX512BW && x.HasAVX512DQ {
		return AVX512
	}
	return AVX2
}

func hasBF16() bool { return best() == AVX512 && cpu.X86.HasAVX512BF16 }
