package nvrtc

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArchFor(t *testing.T) {
	supported := []int{50, 70, 80, 86, 90, 100, 120}
	for _, c := range []struct {
		major, minor int
		option       string
		cubin        bool
	}{
		{9, 0, "--gpu-architecture=sm_90", true},
		{12, 0, "--gpu-architecture=sm_120", true},
		{8, 9, "--gpu-architecture=compute_86", false},
		{13, 0, "--gpu-architecture=compute_120", false},
		{3, 5, "", false},
	} {
		option, cubin := ArchFor(c.major, c.minor, supported)
		require.Equal(t, c.option, option)
		require.Equal(t, c.cubin, cubin)
	}
}
