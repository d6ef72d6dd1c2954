package cpuid

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// HasBF16 says whether this machine and this build multiply bfloat16 by the instructions of AVX512-BF16.
func HasBF16() bool { return hasBF16() }

// BF16 says how kernels multiply bfloat16 unless they are told otherwise: by the instructions of AVX512-BF16, or, where EnvVar
// asks for plain Go, in plain Go, which is hundreds of times slower and exists to check results. Without the instructions it is an error
// that says what to do.
func BF16() (native bool, err error) {
	asked := os.Getenv(EnvVar)
	l, err := Parse(asked)
	switch {
	case asked == "" || strings.EqualFold(asked, withBF16):
	case err != nil:
		return false, fmt.Errorf("environment variable %s: %w", EnvVar, err)
	case l == Generic:
		return false, nil
	default:
		return false, fmt.Errorf("environment variable %s=%s leaves AVX512-BF16 out; unset it", EnvVar, asked)
	}
	if !HasBF16() {
		return false, errors.New("this CPU, or this build, has no AVX512-BF16")
	}
	return true, nil
}
