package cpuid

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBF16(t *testing.T) {
	for _, value := range []string{"", "avx512bf16", "AVX512BF16"} {
		t.Setenv(EnvVar, value)
		native, err := BF16()
		require.Equal(t, HasBF16(), native)
		if !native {
			require.ErrorContains(t, err, "has no AVX512-BF16")
		}
	}
	t.Setenv(EnvVar, "generic")
	native, err := BF16()
	require.NoError(t, err)
	require.False(t, native)
	for _, value := range []string{"avx2", "avx512"} {
		t.Setenv(EnvVar, value)
		_, err := BF16()
		require.EqualError(t, err, "environment variable STHENO_CPU="+value+" leaves AVX512-BF16 out; unset it")
	}
	t.Setenv(EnvVar, "sse9")
	_, err = BF16()
	require.ErrorContains(t, err, "unknown level")
}
