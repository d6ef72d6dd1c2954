package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// residualStep is a convolution with bias, residual and ReLU.
func residualStep(t *testing.T, dt tensor.Dtype, x, w tensor.Shape, a op.ConvAttrs) *graph.Step {
	g, err := a.Geometry(x, w)
	require.NoError(t, err)
	return stepOf(&graph.FusedConv2D{Conv: &op.Conv2D{ConvAttrs: a}, Bias: true, Add: true, ReLU: true}, valueOf(dt, g.Output()...),
		valueOf(dt, x...), valueOf(dt, w...), valueOf(dt, g.F), valueOf(dt, g.Output()...))
}

// Which ways there are to convolve and add a residual, by precision and by what is bfloat16 in memory.
func TestConvolutionsWithResidual(t *testing.T) {
	const whole = "cuDNN with residual"
	for _, c := range convCases {
		for _, dt := range floatTypes {
			for _, p := range []Precision{FP32, TF32, BF16} {
				for _, narrow := range []bool{false, true} {
					if narrow && (p != BF16 || dt != tensor.Float32) {
						continue
					}
					s := residualStep(t, dt, c.x, c.w, c.a)
					if narrow {
						s = narrowed(s)
					}
					last := c.a.Format == shape.NHWC
					for i, v := range append(s.In, s.Out...) {
						require.Equal(t, narrow && last && i != 1 && i != 2, v.Narrow, "%s: operand %d", c.name, i)
					}
					list := commandsOf(t, builderFor(p), s)
					names := namesOf(list)
					if len(names) > 0 && names[0] == "few channels" || len(names) > 1 && names[1] == "few channels" {
						continue // see TestFewChannels
					}
					switch fused := dt == tensor.Float32 && last && (p != BF16 || narrow); {
					case dt == tensor.Float64 && c.name != "pointwise":
						require.Equal(t, []string{apart, "cuDNN"}, names, c.name)
					case !fused && c.name == "pointwise" && dt == tensor.Float32:
						require.Equal(t, []string{"product", "cuDNN"}, names)
					case !fused && p == FP32 && c.name != "pointwise":
						require.Equal(t, []string{apart, "cuDNN"}, names, c.name)
					case !fused:
						require.Empty(t, names, c.name)
						require.Equal(t, "add_relu", list[len(list)-1].(*Launch).Name)
					case c.name == "pointwise" && p == FP32:
						require.Equal(t, []string{"product", "cuDNN", whole}, names)
					case c.name == "pointwise":
						require.Equal(t, []string{whole, "product", "cuDNN"}, names)
					case p == FP32:
						require.Equal(t, []string{apart, "cuDNN", whole}, names, c.name)
					case c.a.Groups > 1:
						require.Equal(t, []string{"cuDNN", whole}, names, c.name)
					default:
						require.Equal(t, []string{whole, "cuDNN"}, names, c.name)
					}
				}
			}
		}
	}
}

// All of a convolution with a residual is one call of cuDNN where images, residual and result are as cuDNN reads and writes them.
func TestOneCallWithResidual(t *testing.T) {
	s := narrowed(residualStep(t, tensor.Float32, tensor.Shape{8, 28, 28, 64}, tensor.Shape{1, 1, 64, 256}, op.ConvAttrs{}))
	b := builderFor(BF16)
	ways := commandsOf(t, b, s)[0].(*Choice).Ways
	list := ways[0].List
	call := list[len(list)-1].(*Convolution)
	require.Equal(t, []any{In(3), In(2), true, Out(0)}, []any{*call.Residual, *call.Bias, call.ReLU, call.Y})
	for _, c := range list[:len(list)-1] {
		require.Contains(t, c.(*Launch).Name, "pack", "only the filter is laid out anew")
	}
	product := ways[1].List
	require.Len(t, product, 2)
	for _, c := range product[0].(*Either).Try {
		if g, ok := c.(*Gemm); ok {
			require.False(t, g.RoundedC, "what is added up is not rounded before")
		}
	}
	require.Equal(t, "add_relu", product[1].(*Launch).Name)
	require.True(t, hasDefine(product[1].(*Launch).Source, "SZ bf16") && hasDefine(product[1].(*Launch).Source, "SY bf16") && !hasDefine(product[1].(*Launch).Source, "SX bf16"))

	// A residual of float32 is not rounded to be added.
	wide := copyOf(s)
	wide.In[3] = valueOf(tensor.Float32, wide.In[3].Shape...)
	require.Equal(t, []string{"product", "cuDNN"}, namesOf(commandsOf(t, builderFor(BF16), wide)))
}

func TestUncountableResidualsAreAddedOnTheHost(t *testing.T) {
	a := op.ConvAttrs{Dilations: [2]int{1 << 24, 1}, Padding: shape.Padding{Mode: shape.Same}}
	commands, err := Commands(builderFor(FP32), residualStep(t, tensor.Float32, tensor.Shape{1, 4, 4, 1}, tensor.Shape{50, 1, 1, 1}, a))
	require.NoError(t, err)
	require.Nil(t, commands)
}
