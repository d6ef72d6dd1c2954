package convert_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/convert"
	"github.com/stheno-ml/stheno/weights/onnx"
)

// TestNothingToWrite: a nil in the place of what is to be written or filled is an error, and no file comes to be.
func TestNothingToWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	_, err := convert.Match(nil, &convert.Source{}, convert.Options{})
	require.ErrorContains(t, err, "the model is nil")
	_, err = convert.Match(&nn.Model{}, nil, convert.Options{})
	require.ErrorContains(t, err, "the source is nil")
	require.ErrorContains(t, convert.Save(path, nil), "the model is nil")
	require.ErrorContains(t, convert.Load(path, nil, convert.Options{}), "the model is nil")
	require.ErrorIs(t, onnx.Write(path, nil, onnx.WriteConfig{}), nn.ErrNilTensor)
	require.ErrorContains(t, weights.SaveCheckpoint(path, nil), "it is nil")
	require.ErrorContains(t, weights.WriteSafetensors(path, nil), "it is nil")
	require.NoFileExists(t, path)
}
