package onnx

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
)

// What a description describes computes the same as the graph, once it has the weights; the weights are not in it.
func TestDescribe(t *testing.T) {
	for _, folder := range goldenFolders(t) {
		if filepath.Base(folder) == "attention" { // of sequences, and no nn.Model
			continue
		}
		for _, images := range []bool{false, true} {
			t.Run(filepath.Base(folder), func(t *testing.T) {
				g, err := Read(filepath.Join(folder, "model.onnx"))
				require.NoError(t, err)
				c := ModelConfig{Images: images, Dtype: tensor.Float32}
				m, err := g.Model(c)
				require.NoError(t, err)
				description, err := g.Describe(c)
				require.NoError(t, err)
				again, err := Described(description, c)
				require.NoError(t, err)
				require.Equal(t, m.InputShape(), again.InputShape())
				require.NoError(t, again.Allocate(tensor.Float32))
				want := m.Weights()
				for i, w := range again.Weights() {
					require.Equal(t, want[i].Name, w.Name)
					require.NoError(t, w.Set(want[i].Value))
				}
				x, y := pb(t, filepath.Join(folder, "input.pb")), pb(t, filepath.Join(folder, "output.pb"))
				if images && g.channelsFirst(&g.Inputs[0]) {
					require.Equal(t, nn.Shape{x.Shape()[2], x.Shape()[3], x.Shape()[1]}, m.InputShape())
					require.NoError(t, x.T(0, 2, 3, 1))
					require.NoError(t, x.Transpose())
				}
				net, err := again.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: x.Shape()[0]})
				require.NoError(t, err)
				require.NoError(t, gorgonia.Let(net.Input, x))
				near(t, floats(y), run(t, net.Output), 1e-5)

				for i := 0; i < len(description); i += 1 + len(description)/50 { // cut anywhere
					_, err := Described(description[:i], c)
					require.Error(t, err)
				}
			})
		}
	}
}

func TestDescribedRefuses(t *testing.T) {
	_, err := Described(make([]byte, maxDescription+1), ModelConfig{})
	require.ErrorContains(t, err, "at most 16777216 bytes")
	g, err := Read("testdata/golden/shapes_17/model.onnx")
	require.NoError(t, err)
	_, err = g.Model(ModelConfig{Size: nn.Shape{9, 9, 3}})
	require.ErrorContains(t, err, "does not fit images of (None, 9, 9, 3)")
	description, err := g.Describe(ModelConfig{})
	require.NoError(t, err)
	d, err := Decode(description)
	require.NoError(t, err)
	_, err = d.Model(ModelConfig{}) // its weights are not there
	require.Error(t, err)
}

// Which axis is the channels' is said by what the graph does first, else by the sizes.
func TestChannelsFirst(t *testing.T) {
	for _, format := range []nn.DataFormat{nn.ChannelsFirst, nn.ChannelsLast} {
		m, err := small(format)
		require.NoError(t, err)
		randomize(t, m)
		var file bytes.Buffer
		require.NoError(t, Encode(&file, m, WriteConfig{}))
		g, err := Decode(file.Bytes())
		require.NoError(t, err)
		require.False(t, g.channelsFirst(&g.Inputs[0]), "both begin with a transposition")
	}
	g := &Graph{}
	for _, sizes := range [][4]int{{1, 3, 8, 8}, {1, 1, 28, 28}, {1, 5, 8, 8}, {1, 3, 3, 3}, {-1, -1, -1, -1}} {
		v := Value{Dims: []Dim{{Size: sizes[0]}, {Size: sizes[1]}, {Size: sizes[2]}, {Size: sizes[3]}}}
		require.True(t, g.channelsFirst(&v), sizes)
	}
	require.False(t, g.channelsFirst(&Value{Dims: []Dim{{Size: 1}, {Size: 28}, {Size: 28}, {Size: 1}}}))
}
