package onnx

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// The folders of testdata/golden hold a model, an input, what ONNX Runtime computes and, for the networks of PyTorch, its gradients;
// scripts/onnx/golden.py makes them.
func goldenFolders(t *testing.T) []string {
	t.Helper()
	folders, err := filepath.Glob("testdata/golden/*")
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	return folders
}

func pb(t *testing.T, path string) *tensor.Dense {
	t.Helper()
	a, err := readPB(path)
	require.NoError(t, err)
	return dense(a, tensor.Float32)
}

func floats(d *tensor.Dense) []float32 { return d.Data().([]float32) }

func TestGoldenResults(t *testing.T) {
	for _, folder := range goldenFolders(t) {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			g, err := Read(filepath.Join(folder, "model.onnx"))
			require.NoError(t, err)
			x, want := pb(t, filepath.Join(folder, "input.pb")), pb(t, filepath.Join(folder, "output.pb"))
			net, err := g.Build(gorgonia.NewGraph(), BuildConfig{Batch: x.Shape()[0]})
			require.NoError(t, err)
			require.NoError(t, gorgonia.Let(net.Inputs[0], x))
			near(t, floats(want), run(t, net.Outputs[0]), 1e-5)

			m, err := g.Model(ModelConfig{})
			require.NoError(t, err)
			modelled, err := m.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: x.Shape()[0]})
			require.NoError(t, err)
			require.NoError(t, gorgonia.Let(modelled.Input, x))
			near(t, floats(want), run(t, modelled.Output), 1e-5)

			var again bytes.Buffer // and the model can be written
			require.NoError(t, Encode(&again, m, WriteConfig{}))
			g, err = Decode(again.Bytes())
			require.NoError(t, err)
			net, err = g.Build(gorgonia.NewGraph(), BuildConfig{Batch: x.Shape()[0]})
			require.NoError(t, err)
			require.NoError(t, gorgonia.Let(net.Inputs[0], x))
			near(t, floats(want), run(t, net.Outputs[0]), 1e-5)
		})
	}
}

// TestGoldenExport writes the nets of the golden files anew: the results must be ONNX Runtime's.
func TestGoldenExport(t *testing.T) {
	for name, make := range map[string]func() (*nn.Model, error){"small": func() (*nn.Model, error) { return small(nn.ChannelsLast) }, "wide": wide, "attention": attention} {
		m, err := make()
		require.NoError(t, err)
		randomize(t, m)
		x, want := pb(t, "testdata/golden/"+name+"/input.pb"), pb(t, "testdata/golden/"+name+"/output.pb")
		near(t, floats(want), predict(t, m, x), 1e-5)
	}
}

// TestGoldenGradients compares the gradients of Σ dy·y by every parameter with PyTorch's.
func TestGoldenGradients(t *testing.T) {
	for _, folder := range goldenFolders(t) {
		if _, err := os.Stat(filepath.Join(folder, "dy.pb")); err != nil {
			continue
		}
		t.Run(filepath.Base(folder), func(t *testing.T) {
			g, err := Read(filepath.Join(folder, "model.onnx"))
			require.NoError(t, err)
			x, dy := pb(t, filepath.Join(folder, "input.pb")), pb(t, filepath.Join(folder, "dy.pb"))
			to := gorgonia.NewGraph()
			net, err := g.Build(to, BuildConfig{Batch: x.Shape()[0]})
			require.NoError(t, err)
			require.NoError(t, gorgonia.Let(net.Inputs[0], x))
			upstream := gorgonia.NewTensor(to, tensor.Float32, 2, gorgonia.WithShape(dy.Shape()...), gorgonia.WithName("dy"), gorgonia.WithValue(dy))
			cost, err := op.Of(net.Outputs[0]).Mul(op.Of(upstream)).Sum().Node()
			require.NoError(t, err)
			grads, err := gorgonia.Grad(cost, net.Trainable()...)
			require.NoError(t, err)
			machine, err := graph.Compile(to, graph.WithOutputs(grads...))
			require.NoError(t, err)
			defer machine.Close()
			require.NoError(t, machine.RunAll())
			next, seen := 0, 0
			for _, p := range net.Params {
				if !p.Weight.Trainable {
					continue
				}
				got := grads[next]
				next++
				path := filepath.Join(folder, "d_"+p.Weight.Name+".pb")
				if _, err := os.Stat(path); err != nil {
					t.Errorf("%s is trained here, not in PyTorch", p.Weight.Name)
					continue
				}
				a, err := readPB(path)
				require.NoError(t, err)
				if len(a.shape) == 4 {
					a = transpose(a, []int{2, 3, 1, 0})
				}
				near(t, a.f32, got.Value().Data().([]float32), 1e-4)
				seen++
			}
			files, err := filepath.Glob(filepath.Join(folder, "d_*"))
			require.NoError(t, err)
			require.Equal(t, len(files), seen, "every parameter of PyTorch is trained: %s", strings.Join(files, " "))
		})
	}
}
