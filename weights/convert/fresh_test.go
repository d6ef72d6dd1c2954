package convert_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/convert"
)

// TestFresh: a classifier for other classes stays without values, whatever the file calls its own or where it has none; nothing else may differ.
func TestFresh(t *testing.T) {
	net := func(classes int) *nn.Model {
		b := nn.NewBuilder("net")
		in := b.Input(nn.Shape{8, 8, 3})
		x := b.Add(nn.Conv2D{Filters: 4, Kernel: nn.K(3), Name: "conv"}, in)
		x = b.Add(nn.Dense{Units: 6, Name: "hidden"}, b.Add(nn.GlobalAveragePooling2D{}, x))
		m, err := b.Model(in, b.Add(nn.Dense{Units: classes, Name: "last"}, x))
		require.NoError(t, err)
		return m
	}
	old := net(5)
	require.NoError(t, old.Initialize(1, tensor.Float32))
	path := filepath.Join(t.TempDir(), "m.safetensors")
	fresh := convert.Options{Fresh: []string{"last/kernel", "last/bias"}}
	for _, c := range []struct {
		name   string
		change func([]weights.Tensor) []weights.Tensor
		aside  int
		wrong  string
	}{
		{"as it is", func(ts []weights.Tensor) []weights.Tensor { return ts }, 2, ""},
		{"none", func(ts []weights.Tensor) []weights.Tensor { return ts[:4] }, 0, ""},
		{"another name", func(ts []weights.Tensor) []weights.Tensor {
			ts[4].Name, ts[5].Name = "top.fc_final.weight", "top.fc_final.bias"
			return ts
		}, 2, ""},
		{"half of it", func(ts []weights.Tensor) []weights.Tensor { return ts[:5] }, 1, ""},
		{"too much", func(ts []weights.Tensor) []weights.Tensor {
			return append(ts, weights.Tensor{Name: "aux.weight", Shape: []int{1}, Data: []float32{1}})
		}, 0, "unexpected  aux.weight"},
		{"too little", func(ts []weights.Tensor) []weights.Tensor { return ts[2:] }, 0, "missing     conv/kernel"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.NoError(t, convert.SaveTorch(path, old))
			f, err := weights.ReadSafetensors(path)
			require.NoError(t, err)
			byName := map[string]weights.Tensor{}
			for _, x := range f.Tensors {
				byName[x.Name] = x
			}
			var ts []weights.Tensor
			for _, name := range []string{"conv.weight", "conv.bias", "hidden.weight", "hidden.bias", "last.weight", "last.bias"} {
				ts = append(ts, byName[name])
			}
			require.NoError(t, weights.WriteSafetensors(path, &weights.File{Tensors: c.change(ts)}))
			src, err := convert.Open(path)
			require.NoError(t, err)
			m := net(7)
			p, err := convert.Match(m, src, fresh)
			if c.wrong != "" {
				require.ErrorContains(t, err, c.wrong)
				return
			}
			require.NoError(t, err)
			_, err = convert.Match(net(7), src, convert.Options{})
			require.Error(t, err, "only where it is asked for")
			require.Len(t, p.Fresh, 2)
			require.Len(t, p.Pairs, 4)
			require.Len(t, p.Ignored, c.aside)
			_, err = p.Apply()
			require.NoError(t, err)
			for i, w := range m.Weights() {
				if i >= 4 {
					require.Nil(t, w.Value, w.Name)
				} else {
					require.Equal(t, old.Weights()[i].Value.Data(), w.Value.Data(), w.Name)
				}
			}
		})
	}
	// What fits is taken.
	require.NoError(t, convert.SaveTorch(path, old))
	m := net(5)
	require.NoError(t, convert.Load(path, m, fresh))
	require.Equal(t, old.Weights()[4].Value.Data(), m.Weights()[4].Value.Data())
}

// TestFreshAttention: of a layer with weights in parts, too, all are new if one is.
func TestFreshAttention(t *testing.T) {
	b := nn.NewBuilder("net")
	in := b.Input(nn.Shape{3, 4})
	m, err := b.Model(in, b.Add(nn.MultiHeadAttention{Heads: 2, KeyDim: 2, Name: "mha"}, b.Add(nn.Dense{Units: 4, Name: "first"}, in), in))
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	fresh, err := m.WeightsOf("mha")
	require.NoError(t, err)
	o := convert.Options{Layout: convert.KerasLayout}
	for _, w := range fresh {
		o.Fresh = append(o.Fresh, w.Name)
	}
	var f weights.File
	for _, w := range m.Weights() {
		if w.Name != "mha/query/kernel" {
			f.Tensors = append(f.Tensors, weights.Tensor{Name: w.Name, Shape: w.Shape, Data: w.Value.Data()})
		}
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	require.NoError(t, weights.WriteSafetensors(path, &f))
	src, err := convert.Open(path)
	require.NoError(t, err)
	p, err := convert.Match(m, src, o)
	require.NoError(t, err)
	require.Equal(t, fresh, p.Fresh)
	require.Len(t, p.Pairs, 2)
}
