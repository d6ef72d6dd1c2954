package data

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// realRoot is the folder with real data for tests: STHENO_TEST_DATA, or shared/data beside the project.
func realRoot(t *testing.T) string {
	t.Helper()
	root := os.Getenv("STHENO_TEST_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "data")
	}
	if _, err := os.Stat(root); err != nil {
		t.Skip("no real data here: set STHENO_TEST_DATA to a folder with it")
	}
	return root
}

// unpackXZ writes one part of the folder, decompressed, to path; it skips the test where that cannot be done.
func unpackXZ(t *testing.T, path string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if _, err := os.Stat(p); err != nil {
			t.Skipf("no %s here", filepath.Base(p))
		}
	}
	xz, err := exec.LookPath("xz")
	if err != nil {
		t.Skip("xz is not installed, which unpacks the real data")
	}
	out, err := os.Create(path)
	require.NoError(t, err)
	defer out.Close()
	cmd := exec.Command(xz, append([]string{"-dc"}, parts...)...)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	require.NoError(t, cmd.Run())
}

func TestRealCIFAR100Test(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacking takes seconds")
	}
	from := filepath.Join(realRoot(t), "cifar-100")
	dir := t.TempDir()
	unpackXZ(t, filepath.Join(dir, "test.bin"), filepath.Join(from, "test.bin.xz"))
	s, err := Open(bg, "cifar100", Options{Dir: dir, CacheDir: dir, Offline: true, TestOnly: true})
	require.NoError(t, err)
	require.NoError(t, s.Verify())
	d := Describe(s.Test)
	for class, n := range d.PerClass {
		require.Equal(t, 100, n, "%s", d.Classes[class])
	}
	coarse, err := s.Test.Coarse()
	require.NoError(t, err)
	for class, n := range Describe(coarse).PerClass {
		require.Equal(t, 500, n, "%s", coarse.Classes[class])
	}
	// Every class lies in one superclass, as the authors' table has it.
	of := map[int32]int32{}
	for i, fine := range s.Test.Labels {
		if c, ok := of[fine]; ok {
			require.Equal(t, c, s.Test.CoarseLabels[i])
		}
		of[fine] = s.Test.CoarseLabels[i]
	}
	for fine, super := range map[string]string{"apple": "fruit_and_vegetables", "whale": "aquatic_mammals", "worm": "non-insect_invertebrates", "tractor": "vehicles_2"} {
		for i, name := range s.Test.Classes {
			if name == fine {
				require.Equal(t, super, s.Test.CoarseClasses[of[int32(i)]])
			}
		}
	}
}

// The complete set takes some ten seconds to unpack and is asked for by name.
func TestRealCIFAR100(t *testing.T) {
	if os.Getenv("STHENO_TEST_DATA") == "" || testing.Short() {
		t.Skip("set STHENO_TEST_DATA to check the complete CIFAR-100")
	}
	root := realRoot(t)
	dir := root
	if p, _ := findSet("cifar100").locate(root, false); p == nil {
		from := filepath.Join(root, "cifar-100")
		dir = t.TempDir()
		unpackXZ(t, filepath.Join(dir, "test.bin"), filepath.Join(from, "test.bin.xz"))
		unpackXZ(t, filepath.Join(dir, "train.bin"), filepath.Join(from, "train-1.bin.xz"), filepath.Join(from, "train-2.bin.xz"), filepath.Join(from, "train-3.bin.xz"))
	}
	s, err := Open(bg, "cifar100", Options{Dir: dir, CacheDir: dir, Offline: true})
	require.NoError(t, err)
	require.NoError(t, s.Verify())
	d := Describe(s.Train)
	require.Equal(t, 50000, d.Images)
	for class, n := range d.PerClass {
		require.Equal(t, 500, n, "%s", d.Classes[class])
	}
	// The figures everyone standardises CIFAR-100 with.
	require.InDeltaSlice(t, []float64{0.5071, 0.4865, 0.4409}, d.Mean, 5e-5)
	require.InDeltaSlice(t, []float64{0.2673, 0.2564, 0.2762}, d.Std, 5e-5)
}
