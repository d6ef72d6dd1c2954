package torch

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// realFile is a file of the folder with real data for tests: STHENO_TEST_DATA, or shared/data beside the project.
func realFile(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("STHENO_TEST_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	path := filepath.Join(root, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no %s here: set STHENO_TEST_DATA to a folder with it", name)
	}
	return path
}

// A checkpoint of 2018, of another person's training: the legacy form, storages on a GPU.
func TestRealLegacyFile(t *testing.T) {
	f, err := Read(realFile(t, "weights/cifar10_resnet20-12fca82f.th"))
	require.NoError(t, err)
	require.Len(t, f.Tensors, 97)
	require.InDelta(t, 91.78, f.Values["best_prec1"], 0.01)
	require.Equal(t, "state_dict.module.conv1.weight", f.Tensors[0].Name)
	require.Equal(t, []int{16, 3, 3, 3}, f.Tensors[0].Shape)
	params := 0
	for _, x := range Strip(f.Tensors, "state_dict.module.") {
		require.Equal(t, "F32", x.DType)
		if n := filepath.Ext(x.Name); n == ".weight" || n == ".bias" {
			params += len(x.Data.([]float32))
		}
	}
	require.Equal(t, 269_722, params)
}
