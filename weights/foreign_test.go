package weights_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/weights"
)

func TestFilesOfOthersAreNoDamagedCheckpoints(t *testing.T) {
	for name, c := range map[string]struct{ content, says string }{
		"m.h5":      {"\x89HDF\r\n\x1a\n and more than eight bytes", "an HDF5 file"},
		"m.keras":   {"PK\x03\x04 and more than eight bytes", "a zip archive"},
		"m.pth":     {"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j", "a pickle"},
		"m.onnx":    {"\x08\x08\x12\x07pytorch and more", "an ONNX model"},
		"m.weights": {"\x08\x08\x12\x07pytorch and more", "damaged"},
		"short":     {"PK", "damaged"},
	} {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(c.content), 0o600))
		_, err := weights.LoadCheckpoint(path)
		var wrong *weights.CorruptError
		require.ErrorAs(t, err, &wrong, name)
		require.Contains(t, err.Error(), c.says, name)
		if c.says != "damaged" {
			require.Contains(t, wrong.Remedy, "stheno convert", name)
		}
	}
}
