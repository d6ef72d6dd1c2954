package nn

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func TestSetTrainable(t *testing.T) {
	m := tinyCNN(t, ChannelsLast)
	total, trainable, fixed := m.CountParams()
	require.NoError(t, m.SetTrainable(false))
	_, now, frozen := m.CountParams()
	require.Equal(t, []int{0, total}, []int{now, frozen})
	for _, l := range m.Layers() {
		require.True(t, l.Frozen)
	}
	require.NoError(t, m.SetTrainable(true, "*"))
	_, now, frozen = m.CountParams()
	require.Equal(t, []int{trainable, fixed}, []int{now, frozen}, "running averages stay fixed")

	require.NoError(t, m.SetTrainable(false))
	last := m.Layers()[len(m.Layers())-1].Name
	for _, l := range m.Layers() {
		if l.Class == "Dense" {
			last = l.Name
		}
	}
	require.NoError(t, m.SetTrainable(true, last))
	for _, w := range m.Weights() {
		require.Equal(t, w.Name == last+"/kernel" || w.Name == last+"/bias", w.Trainable, w.Name)
	}
	c, err := m.Clone(tensor.Float64)
	require.NoError(t, err)
	require.NoError(t, c.SetTrainable(true))
	_, now, _ = c.CountParams()
	require.Equal(t, trainable, now, "a clone knows what can be trained")

	var wrong *Error
	require.ErrorAs(t, m.SetTrainable(true, "*", "dens"), &wrong)
	require.Contains(t, wrong.Error(), "dens")
	require.ErrorAs(t, m.SetTrainable(true, "["), &wrong)
	_, now, _ = m.CountParams()
	require.Less(t, now, trainable, "nothing was changed")
}

// TestFrozenBatchNormalization: in training, a frozen one gives what it gives in inference, and its averages stay.
func TestFrozenBatchNormalization(t *testing.T) {
	b := NewBuilder("m")
	in := b.Input(Shape{3, 3, 2})
	m, err := b.Model(in, b.Add(BatchNormalization{Name: "bn"}, in))
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float64))
	free, err := m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 2, Training: true})
	require.NoError(t, err)
	require.Len(t, free.Updates, 2)
	require.NoError(t, m.SetTrainable(false, "bn"))
	net, err := m.Build(gorgonia.NewGraph(), BuildConfig{Batch: 2, Training: true})
	require.NoError(t, err)
	require.Empty(t, net.Updates)
	require.Empty(t, net.Trainable())
}
