package train

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// TestSGDIsPyTorchs: at a constant rate, the weight decay of SGD is that of torch.optim.SGD, whose buffer holds gradients without the
// rate: d ← g + λw, b ← m·b + d, w ← w − lr·(d + m·b), or w − lr·b without Nesterov's look-ahead. Recipes that were published for PyTorch
// rely on it. What NoDecay matches has a λ of 0, as in a group of parameters of its own.
func TestSGDIsPyTorchs(t *testing.T) {
	const lr, m, decay = 0.1, 0.9, 0.05
	e, err := cpu.New(cpu.Config{Threads: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	for _, nesterov := range []bool{false, true} {
		opt := Base{Optimizer: SGD{Momentum: m, Nesterov: nesterov, WeightDecay: decay}, NoDecay: regexp.MustCompile("bias|gamma|beta")}
		values, want, buffers, slots := make([]*tensor.Dense, len(goldenShapes)), make([][]float32, len(goldenShapes)), make([][]float64, len(goldenShapes)), Slots{}
		for i, w := range goldenShapes {
			values[i] = tensor.New(tensor.WithShape(w.Shape...), tensor.Of(tensor.Float32))
			slots["momentum/"+w.Name] = tensor.New(tensor.WithShape(w.Shape...), tensor.Of(tensor.Float32))
			numtest.FillUniform("w0/"+w.Name, 7, 1, values[i].Data().([]float32))
			want[i], buffers[i] = slices.Clone(values[i].Data().([]float32)), make([]float64, w.Shape.TotalSize())
		}
		s := compileGolden(t, e, opt, values, slots, false)
		for step := 1; step <= 5; step++ {
			for i, w := range goldenShapes {
				numtest.FillUniform(fmt.Sprintf("g/%d/%s", step, w.Name), 7, 1, s.grads[i])
				rate := decay
				if w.Name == "dense/bias" {
					rate = 0
				}
				for j, g := range s.grads[i] {
					d := float64(g) + rate*float64(want[i][j])
					b := m*buffers[i][j] + d
					by := b
					if nesterov {
						by = d + m*b
					}
					buffers[i][j], want[i][j] = b, float32(float64(want[i][j])-lr*by)
				}
			}
			s.scalars.Set(lr, step)
			require.NoError(t, s.machine.RunAll())
			for i, w := range goldenShapes {
				numtest.AssertClose(t, want[i], values[i].Data().([]float32), optimizerTol(opt), fmt.Sprintf("%s after step %d", w.Name, step))
			}
		}
	}
}
