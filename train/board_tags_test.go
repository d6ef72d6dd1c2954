package train

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/data"
)

// TestTensorBoardForgets what a killed run told of batches and of epochs that come again, also of layers that are called as the tags of
// batches begin.
func TestTensorBoardForgets(t *testing.T) {
	split, err := data.Sample()
	require.NoError(t, err)
	loader, err := data.NewLoader(split.Test, data.LoaderConfig{Batch: 100})
	require.NoError(t, err)
	tr := &Trainer{loader: loader, state: State{Epoch: 2, Batch: 3}}
	require.Equal(t, 10, loader.Batches())
	for _, told := range []struct {
		tag  string
		last int64
	}{{"batch_loss", 23}, {"epoch_loss", 1}, {"conv2d/kernel/histogram", 1}, {"batch_normalization/gamma/histogram", 1}, {"batch_normalization_1/moving_mean/histogram", 1}} {
		require.True(t, tr.onBoard(told.tag, told.last), told.tag)
		require.False(t, tr.onBoard(told.tag, told.last+1), told.tag)
	}
}
