package convert

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// smallViT is that of scripts/golden/make_vit.py.
func smallViT(t *testing.T) *nn.Model {
	m, err := arch.ViT{Input: nn.Shape{8, 8, 3}, Classes: 5, Patch: 4, Hidden: 6, Depth: 2, Heads: 3, MLP: 10}.Model()
	require.NoError(t, err)
	return m
}

// torchvisionsValues checks that a model has the values that make_vit.py gave to its weights.
func torchvisionsValues(t *testing.T, m *nn.Model) {
	t.Helper()
	for _, w := range m.Weights() {
		want := make([]float32, w.Shape.TotalSize())
		numtest.FillUniform(w.Name, 1, 0.5, want)
		for i := range want {
			if strings.HasSuffix(w.Name, "/gamma") {
				want[i]++
			}
		}
		require.Equal(t, want, w.Value.Data(), w.Name)
	}
}

// A vision transformer of torchvision, or of timm, gives all weights of ours.
func TestVisionTransformers(t *testing.T) {
	timm := strings.NewReplacer("encoder.layers.encoder_layer_", "blocks.", "ln_1", "norm1", "ln_2", "norm2", "self_attention.in_proj_", "attn.qkv.", "self_attention.out_proj", "attn.proj",
		"mlp.0", "mlp.fc1", "mlp.3", "mlp.fc2", "conv_proj", "patch_embed.proj", "class_token", "cls_token", "encoder.pos_embedding", "pos_embed", "encoder.ln", "norm", "heads.head", "head")
	old := strings.NewReplacer("mlp.0", "mlp.linear_1", "mlp.3", "mlp.linear_2")
	for name, rename := range map[string]*strings.Replacer{"torchvision": strings.NewReplacer(), "timm": timm, "torchvision 0.13": old} {
		t.Run(name, func(t *testing.T) {
			src, err := readTorch(goldenFile("vit.pth"))
			require.NoError(t, err)
			for i := range src.Tensors {
				src.Tensors[i].Name = rename.Replace(src.Tensors[i].Name)
			}
			slices.Reverse(src.Tensors)
			path := filepath.Join(t.TempDir(), "vit.safetensors")
			require.NoError(t, weights.WriteSafetensors(path, &weights.File{Tensors: src.Tensors}))
			m := smallViT(t)
			require.NoError(t, Load(path, m, Options{}))
			torchvisionsValues(t, m)
		})
	}
	m := smallViT(t)
	require.NoError(t, Load(goldenFile("vit.pth"), m, Options{}))
	torchvisionsValues(t, m)

	// What is written for PyTorch has its modules of attention, and comes back.
	path := filepath.Join(t.TempDir(), "m.safetensors")
	require.NoError(t, SaveTorch(path, m))
	f, err := weights.ReadSafetensors(path)
	require.NoError(t, err)
	theirs, err := readTorch(goldenFile("vit.pth"))
	require.NoError(t, err)
	for _, leaf := range []string{"in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"} {
		want := slices.IndexFunc(theirs.Tensors, func(x weights.Tensor) bool { return x.Name == "encoder.layers.encoder_layer_1.self_attention."+leaf })
		got := f.Lookup("encoder_layer_1_self_attention." + leaf)
		require.NotNil(t, got, leaf)
		require.Equal(t, theirs.Tensors[want].Shape, got.Shape, leaf)
		require.Equal(t, theirs.Tensors[want].Data, got.Data, leaf)
	}
	again := smallViT(t)
	require.NoError(t, Load(path, again, Options{}))
	torchvisionsValues(t, again)
}

// Projections of several sizes are written one by one; what cannot be cut into three is told.
func TestAttentionOfSeveralSizes(t *testing.T) {
	b := nn.NewBuilder("m")
	in := b.Input(nn.Shape{4, 6})
	m, err := b.Model(in, b.Add(nn.MultiHeadAttention{Heads: 2, KeyDim: 3, ValueDim: 5, Name: "attention"}, in, in))
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float64))
	path := filepath.Join(t.TempDir(), "m.safetensors")
	require.NoError(t, SaveTorch(path, m))
	f, err := weights.ReadSafetensors(path)
	require.NoError(t, err)
	var names []string
	for _, x := range f.Tensors {
		names = append(names, x.Name)
	}
	slices.Sort(names)
	require.Equal(t, []string{"attention.key.bias", "attention.key.weight", "attention.out_proj.bias", "attention.out_proj.weight", "attention.query.bias",
		"attention.query.weight", "attention.value.bias", "attention.value.weight"}, names)

	require.NoError(t, weights.WriteSafetensors(path, &weights.File{Tensors: []weights.Tensor{
		{Name: "attention.in_proj_weight", Shape: []int{4, 6}, Data: make([]float32, 24)}, {Name: "attention.out_proj.weight", Shape: []int{6, 6}, Data: make([]float32, 36)}}}))
	err = Load(path, m, Options{})
	require.ErrorContains(t, err, "in_proj_weight")
}

// attentionModel is one layer of attention, with weights.
func attentionModel(t *testing.T) *nn.Model {
	b := nn.NewBuilder("m")
	in := b.Input(nn.Shape{4, 6})
	m, err := b.Model(in, b.Add(nn.PositionEmbedding{Name: "position"}, b.Add(nn.MultiHeadAttention{Heads: 2, KeyDim: 3, Name: "attention"}, in, in)))
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	return m
}

// values are those of all weights.
func values(m *nn.Model) map[string]any {
	out := map[string]any{}
	for _, w := range m.Weights() {
		out[w.Name] = w.Value.Data()
	}
	return out
}

// A dense layer that is called as the projections of attention are is one layer, and so is its matrix.
func TestDenseLayersCalledLikeAttention(t *testing.T) {
	b := nn.NewBuilder("m")
	in := b.Input(nn.Shape{6})
	m, err := b.Model(in, b.Add(nn.Dense{Units: 6, Name: "attn_proj"}, b.Add(nn.Dense{Units: 18, Name: "attn_qkv"}, in)))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "m.safetensors")
	require.NoError(t, weights.WriteSafetensors(path, &weights.File{Tensors: []weights.Tensor{
		{Name: "attn.qkv.weight", Shape: []int{18, 6}, Data: make([]float32, 18*6)}, {Name: "attn.qkv.bias", Shape: []int{18}, Data: make([]float32, 18)},
		{Name: "attn.proj.weight", Shape: []int{6, 18}, Data: make([]float32, 6*18)}, {Name: "attn.proj.bias", Shape: []int{6}, Data: make([]float32, 6)}}}))
	require.NoError(t, Load(path, m, Options{}))
}

// What SaveTorch wrote comes back by a Map of each layer to itself, as its comment says.
func TestMapsOfAttention(t *testing.T) {
	m := attentionModel(t)
	path := filepath.Join(t.TempDir(), "m.safetensors")
	require.NoError(t, SaveTorch(path, m))
	again := attentionModel(t)
	require.NoError(t, again.Initialize(2, tensor.Float32))
	require.NotEqual(t, values(m), values(again))
	require.NoError(t, Load(path, again, Options{Map: map[string]string{"attention": "attention", "position": "position"}}))
	require.Equal(t, values(m), values(again))

	f, err := weights.ReadSafetensors(path)
	require.NoError(t, err)
	f.Lookup("position.weight").Name = "pos" // a parameter of its own
	require.NoError(t, weights.WriteSafetensors(path, f))
	require.NoError(t, again.Initialize(2, tensor.Float32))
	require.NoError(t, Load(path, again, Options{Map: map[string]string{"attention": "attention", "position": "pos"}}))
	require.Equal(t, values(m), values(again))
}

// Projections of one size that are called otherwise are not taken for queries, keys and values by their order, which is anyone's.
func TestOrderOfProjections(t *testing.T) {
	file := func(names ...string) *Source {
		s := &Source{Path: "m.pt", Format: "PyTorch", Layout: TorchLayout}
		for i, n := range names {
			for leaf, shape := range map[string][]int{"weight": {6, 6}, "bias": {6}} {
				data := make([]float32, elements(shape))
				for j := range data {
					data[j] = float32(i)
				}
				s.Tensors = append(s.Tensors, weights.Tensor{Name: n + "." + leaf, Shape: shape, Data: data})
			}
		}
		return s
	}
	b := nn.NewBuilder("m")
	in := b.Input(nn.Shape{4, 6})
	m, err := b.Model(in, b.Add(nn.MultiHeadAttention{Heads: 2, KeyDim: 3, Name: "attention"}, in, in))
	require.NoError(t, err)

	clip := file("self_attn.k_proj", "self_attn.v_proj", "self_attn.q_proj", "self_attn.out_proj") // as in CLIP
	_, err = Match(m, clip, Options{})
	var wrong *MismatchError
	require.ErrorAs(t, err, &wrong)
	require.Contains(t, wrong.Remedy, "queries, keys and values")
	p, err := Match(m, clip, Options{Map: map[string]string{"attention/query/kernel": "self_attn.q_proj.weight", "attention/query/bias": "self_attn.q_proj.bias",
		"attention/key/kernel": "self_attn.k_proj.weight", "attention/key/bias": "self_attn.k_proj.bias",
		"attention/value/kernel": "self_attn.v_proj.weight", "attention/value/bias": "self_attn.v_proj.bias",
		"attention/attention_output/kernel": "self_attn.out_proj.weight", "attention/attention_output/bias": "self_attn.out_proj.bias"}})
	require.NoError(t, err)
	_, err = p.Apply()
	require.NoError(t, err)
	require.Equal(t, []float32{2, 2, 2, 2, 2, 2}, values(m)["attention/query/bias"])
	_, err = Match(m, clip, Options{Rule: RuleOrder})
	require.NoError(t, err)

	p, err = Match(m, file("self.query", "self.key", "self.value", "dense"), Options{})
	require.NoError(t, err)
	require.Equal(t, RuleOrder, p.Rule)
	_, err = Match(m, file("self.key", "self.query", "self.value", "dense"), Options{})
	require.ErrorAs(t, err, &wrong)
}
