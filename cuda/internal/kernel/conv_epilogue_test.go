package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// apart is the way of a convolution whose bias and ReLU are a launch.
const apart = "cuDNN, then bias and ReLU"

// Without tensor cores bias and ReLU are a launch behind the convolution, as long as nothing else was measured to be faster; with them they
// are cuDNN's.
func TestEpilogueWithoutTensorCores(t *testing.T) {
	x, w := tensor.Shape{4, 16, 16, 8}, tensor.Shape{3, 3, 8, 64}
	for _, dt := range floatTypes {
		for _, p := range []Precision{FP32, TF32, BF16} {
			for pass, s := range convSteps(t, dt, x, w, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}) {
				list := commandsOf(t, builderFor(p), s)
				last := map[string]string{"bias": "bias_add", "bias+relu": "bias_add_relu", "relu": "relu"}[pass]
				if last == "" || dt == tensor.Float32 && p != FP32 {
					require.IsType(t, &Either{}, list[0], "%v %s", p, pass)
					continue
				}
				require.Equal(t, []string{apart, "cuDNN"}, namesOf(list), "%v %s", p, pass)
				ways := list[0].(*Choice).Ways
				for _, c := range ways[0].List {
					if call, ok := c.(*Convolution); ok {
						require.True(t, call.Bias == nil && !call.ReLU)
					}
				}
				launch := ways[0].List[len(ways[0].List)-1].(*Launch)
				require.Equal(t, last, launch.Name)
				require.Equal(t, []any{Out(0), Out(0)}, launch.Args[:2])
				if pass != "relu" {
					require.Equal(t, In(2), launch.Args[2])
				}
			}
		}
	}
}
