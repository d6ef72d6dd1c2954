package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProgramName(t *testing.T) {
	for arg, want := range map[string]string{"stheno": "stheno", "./bin/stheno-gpu": "./bin/stheno-gpu", "/a folder/stheno": "'/a folder/stheno'",
		"/tmp/go-build123/b001/exe/stheno": "stheno", "": "stheno"} {
		require.Equal(t, want, nameOf(arg), arg)
	}
	defer func(was string) { programName = was }(programName)
	programName = "bin/stheno-gpu"
	require.Contains(t, refused(t, []string{"train", "-q"}), "see bin/stheno-gpu train --help")
	require.Contains(t, ok(t, "train", "--help"), "bin/stheno-gpu train [flags]")
	require.Equal(t, "see bin/stheno-gpu devices --verbose", byName("see stheno devices --verbose"))
	programName = "/opt/stheno" // ends with the usual name
	require.Contains(t, refused(t, []string{"devices", "x"}), `error: /opt/stheno devices takes flags only, got "x"; see /opt/stheno devices --help`)
	require.Equal(t, "see /opt/stheno devices --verbose", byName("see stheno devices --verbose"))
	programName = "bin/stheno-gpu"
	require.Contains(t, ok(t, with(quick, "--out", t.TempDir()+"/run")...), "predict with: bin/stheno-gpu predict --run")
}

// What a GPU that is lost makes every later call say is said once.
func TestDistinctErrors(t *testing.T) {
	lost := func(call string) error {
		return fmt.Errorf("cuda: %s: CUDA_ERROR_ILLEGAL_ADDRESS; the GPU's context is lost", call)
	}
	first := fmt.Errorf("graph: step 2 of \"a\": %w\n    resume with: b", lost("cuLaunchKernel"))
	other := errors.New("the disk is full")
	require.Equal(t, []string{first.Error(), other.Error()},
		distinct(newRoot(), []error{first, lost("cuEventDestroy"), other, lost("cuStreamSynchronize"), other}))
}
