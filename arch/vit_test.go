package arch

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
)

// A small vision transformer has torchvision's results and gradients.
func TestViTAgreesWithTorchvision(t *testing.T) {
	for _, c := range numtest.LoadGolden(t, "testdata/golden/vit.json").Cases {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			for _, format := range []nn.DataFormat{nn.ChannelsLast, nn.ChannelsFirst} {
				t.Run(c.Name+" "+dt.String()+" "+format.String(), func(t *testing.T) {
					c := c.For(t)
					m := model(t, ViT{Input: nn.Shape{8, 8, 3}, Classes: 5, Patch: 4, Hidden: 6, Depth: 2, Heads: 3, MLP: 10, DataFormat: format})
					require.NoError(t, m.Allocate(dt))
					for _, w := range m.Weights() {
						require.NoError(t, w.Set(filled(dt, w.Shape, func(x []float32) {
							numtest.FillUniform(w.Name, 1, 0.5, x)
							for i := range x {
								if strings.HasSuffix(w.Name, "/gamma") {
									x[i]++
								}
							}
						})))
					}
					labels := c.Tensor("labels")
					batch := labels.Shape[0]
					g := gorgonia.NewGraph()
					net, err := m.Build(g, nn.BuildConfig{Batch: batch, Training: true, Dtype: dt})
					require.NoError(t, err)
					require.NoError(t, gorgonia.Let(net.Input, filled(dt, tensor.Shape{batch, 8, 8, 3}, func(x []float32) { numtest.FillUnit("x", 1, x) })))
					y := gorgonia.NewVector(g, tensor.Int, gorgonia.WithShape(batch), gorgonia.WithName("y"), gorgonia.WithValue(labels.Dense(tensor.Int)))
					loss, err := nn.SparseCategoricalCrossentropy(net.Output, y)
					require.NoError(t, err)
					grads, err := gorgonia.Grad(loss, net.Trainable()...)
					require.NoError(t, err)
					vm := gorgonia.NewTapeMachine(g)
					defer vm.Close()
					require.NoError(t, vm.RunAll())
					numtest.AssertClose(t, c.Tensor("logits"), net.Logits.Value(), numtest.GoldenTol(dt, numtest.Reduction), "logits")
					numtest.AssertClose(t, c.Tensor("loss").Data, []float64{scalarOf(loss)}, numtest.GoldenTol(dt, numtest.Reduction), "loss")
					if batch == 1 {
						return
					}
					for i, w := range m.Weights() {
						if strings.HasSuffix(w.Name, "/key/bias") { // it is 0, and of the golden file rounding alone
							continue
						}
						numtest.AssertClose(t, c.Tensor("d"+w.Name), grads[i].Value(), numtest.GoldenTol(dt, numtest.Gradient), "d"+w.Name)
					}
				})
			}
		}
	}
}

// filled is a tensor of what fill writes.
func filled(dt tensor.Dtype, s tensor.Shape, fill func([]float32)) *tensor.Dense {
	x := make([]float32, s.TotalSize())
	fill(x)
	if dt == tensor.Float32 {
		return tensor.New(tensor.WithShape(s...), tensor.WithBacking(x))
	}
	wide := make([]float64, len(x))
	for i, v := range x {
		wide[i] = float64(v)
	}
	return tensor.New(tensor.WithShape(s...), tensor.WithBacking(wide))
}

func scalarOf(n *gorgonia.Node) float64 {
	if v, ok := n.Value().Data().(float32); ok {
		return float64(v)
	}
	return n.Value().Data().(float64)
}

func TestViTErrors(t *testing.T) {
	for _, c := range []struct {
		a    ViT
		want string
	}{
		{ViT{Patch: 7}, "squares of 7×7, which do not fill 32×32"},
		{ViT{Heads: 7}, "has 7 Heads, which do not divide Hidden, 768"},
		{ViT{Hidden: -1}, "Hidden must be at least 1, is -1"},
		{ViT{Patch: -1}, "Patch must be at least 1"},
		{ViT{Depth: -1}, "Depth must be at least 1"},
		{ViT{Dropout: 1}, "Rate must be at least 0 and less than 1"},
		{ViT{AttentionDropout: -1}, "Dropout must be at least 0"},
		{ViT{Input: nn.Shape{32, 32}}, ""},
		{ViT{Classes: -1}, "Units must be at least 1"},
	} {
		_, err := c.a.Model()
		require.ErrorContains(t, err, c.want)
		var e *nn.Error
		require.ErrorAs(t, err, &e)
	}
}
