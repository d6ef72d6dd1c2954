// Package cpuid decides once which instruction set the CPU kernels use.
package cpuid

import (
	"fmt"
	"os"
	"strings"
)

// EnvVar names the environment variable that lowers the level: generic, avx2,
// avx512 (without AVX512-BF16) or avx512bf16. A level the machine lacks is ignored in favour of the best it has.
const EnvVar = "STHENO_CPU"

// Level is an instruction-set level of the kernels, ordered from slow to fast.
type Level uint8

const (
	Generic Level = iota // plain Go, on every machine
	AVX2                 // amd64 with AVX2 and FMA3
	AVX512               // amd64 with AVX-512 F, VL, BW and DQ
)

var names = [...]string{Generic: "generic", AVX2: "avx2", AVX512: "avx512"}

// String returns the level's name as EnvVar spells it.
func (l Level) String() string {
	if int(l) < len(names) {
		return names[l]
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

// withBF16 is AVX512 with AVX512-BF16, which is no level of its own: it changes products of bfloat16 and nothing else.
const withBF16 = "avx512bf16"

// Parse is the inverse of String; case does not matter. It takes avx512bf16 for AVX512, see BF16.
func Parse(s string) (Level, error) {
	if strings.EqualFold(s, withBF16) {
		return AVX512, nil
	}
	for l, name := range names {
		if strings.EqualFold(s, name) {
			return Level(l), nil
		}
	}
	return Generic, fmt.Errorf("cpuid: unknown level %q, want generic, avx2, avx512 or avx512bf16", s)
}

// Best returns the fastest level this machine and this build can run. A build
// with the purego tag, or for another architecture, has Generic only.
func Best() Level { return best() }

// Available lists the levels this machine can run, slowest first.
func Available() []Level {
	var all []Level
	for l := Generic; l <= Best(); l++ {
		all = append(all, l)
	}
	return all
}

// Default returns the level kernels use unless they are told otherwise: Best,
// or what EnvVar asks for where that is lower. An unknown value of EnvVar is
// reported as an error together with Best.
func Default() (Level, error) {
	v := os.Getenv(EnvVar)
	if v == "" {
		return Best(), nil
	}
	l, err := Parse(v)
	if err != nil {
		return Best(), fmt.Errorf("environment variable %s: %w", EnvVar, err)
	}
	return min(l, Best()), nil
}
