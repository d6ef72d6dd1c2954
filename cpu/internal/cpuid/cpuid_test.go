package cpuid

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNames(t *testing.T) {
	for _, l := range []Level{Generic, AVX2, AVX512} {
		got, err := Parse(l.String())
		require.NoError(t, err)
		require.Equal(t, l, got)
	}
	got, err := Parse("AVX2")
	require.NoError(t, err)
	require.Equal(t, AVX2, got)
	_, err = Parse("sse9")
	require.ErrorContains(t, err, `unknown level "sse9", want generic, avx2, avx512 or avx512bf16`)
	require.Equal(t, "Level(9)", Level(9).String())
}

func TestAvailableEndsWithBest(t *testing.T) {
	all := Available()
	require.Equal(t, Generic, all[0])
	require.Equal(t, Best(), all[len(all)-1])
}

func TestDefault(t *testing.T) {
	for value, want := range map[string]Level{"": Best(), "generic": Generic, "avx2": min(AVX2, Best()), "avx512": Best(), "avx512bf16": Best()} {
		t.Setenv(EnvVar, value)
		got, err := Default()
		require.NoError(t, err)
		require.Equal(t, want, got, "%s=%s", EnvVar, value)
	}
	t.Setenv(EnvVar, "turbo")
	got, err := Default()
	require.ErrorContains(t, err, EnvVar)
	require.Equal(t, Best(), got)
}
