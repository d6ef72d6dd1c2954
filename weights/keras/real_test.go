package keras_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/weights/keras"
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

// cifar10 unpacks the test images of CIFAR-10: raw pixels by rows, columns, channels, and labels.
func cifar10(t *testing.T) (pixels []float32, labels []byte) {
	t.Helper()
	path := realFile(t, "cifar-10/test_batch.bin.xz")
	xz, err := exec.LookPath("xz")
	if err != nil {
		t.Skip("xz is not installed, which unpacks the real data")
	}
	data, err := exec.Command(xz, "-dc", path).Output()
	require.NoError(t, err)
	const record, plane = 3073, 1024
	require.Zero(t, len(data)%record)
	for image := range len(data) / record {
		r := data[image*record : (image+1)*record]
		labels = append(labels, r[0])
		for p := range plane {
			pixels = append(pixels, float32(r[1+p]), float32(r[1+plane+p]), float32(r[1+2*plane+p]))
		}
	}
	return pixels, labels
}

// The reference network of MLPerf Tiny's image classification: a whole model that Keras 2.4 saved, and its published accuracy.
func TestRealResNet8(t *testing.T) {
	f, err := keras.Open(realFile(t, "weights/mlperf_tiny_cifar10_resnet8.h5"))
	require.NoError(t, err)
	require.Equal(t, "2.4.0", f.Version)
	m, err := f.Model()
	require.NoError(t, err)
	total, trainable, _ := m.CountParams()
	require.Equal(t, 78_666, total)
	require.Equal(t, 78_186, trainable)
	pixels, labels := cifar10(t)
	n := len(labels)
	if testing.Short() {
		n = 1000
	}
	correct := 0
	for i, p := range predict(t, m, pixels[:n*3072], 100) {
		if best(p) == int(labels[i]) {
			correct++
		}
	}
	t.Logf("%d of %d", correct, n)
	if n == 10_000 {
		require.InDelta(t, 0.872, float64(correct)/float64(n), 0.0005)
	} else {
		require.Greater(t, correct, 840)
	}
}
