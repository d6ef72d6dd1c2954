//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// chain is convolutions one behind the other. The first has few channels, two are products, one has strides, and the last groups. The
// gradients of all filters are asked for, or ReLUs: a result near 0 that rounding makes positive changes gradients by much.
func chain(channels int, gradients bool) enginetest.Case {
	return enginetest.Case{Name: fmt.Sprint("chain of convolutions, channels ", channels), Build: func(b *enginetest.B) {
		same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
		strided := op.ConvAttrs{Strides: [2]int{2, 2}}
		grouped := same
		grouped.Groups = 2
		y := b.Input("x", 2, 9, 8, 3)
		var filters []*gorgonia.Node
		for i, l := range []struct {
			a    op.ConvAttrs
			dims []int
			relu bool
		}{
			{same, []int{3, 3, 3, channels}, true}, {op.ConvAttrs{}, []int{1, 1, channels, 2 * channels}, true},
			{op.ConvAttrs{}, []int{1, 1, 2 * channels, channels}, false}, {strided, []int{1, 1, channels, channels}, false},
			{same, []int{3, 3, channels, channels}, true}, {grouped, []int{3, 3, channels / 2, channels}, false},
		} {
			w := b.Input(fmt.Sprint("w", i), l.dims...)
			y = b.Apply(&op.Conv2D{ConvAttrs: l.a}, y, w)
			if l.relu && !gradients {
				y = b.Apply(&op.ReLU{}, b.Apply(&op.BiasAdd{Axis: 3}, y, b.Input(fmt.Sprint("b", i), channelsOf(l.dims))))
			}
			filters = append(filters, w)
		}
		b.Want("y", numtest.Reduction, y)
		if gradients {
			b.Grads(y, filters...)
		}
	}}
}

func channelsOf(filter []int) int { return filter[len(filter)-1] }

// Images between convolutions are kept as bfloat16, and results stay as near as that precision is; also without the libraries.
func TestImagesAreKeptAsBFloat16(t *testing.T) {
	for name, libs := range without {
		e := open(t, cuda.Config{Without: libs, Precision: "bf16"})
		for i := range 4 {
			channels, gradients := []int{6, 16}[i%2], i >= 2
			c := chain(channels, gradients)
			b := enginetest.NewB(t, tensor.Float32)
			c.Build(b)
			p, err := graph.PlanFor(b.G, b.Options(e)...)
			require.NoError(t, err)
			narrow := 0
			for _, v := range p.Values {
				if v.Narrow {
					narrow++
					require.Len(t, v.Shape, 4)
					require.Equal(t, graph.Arena, v.Where)
				}
			}
			require.GreaterOrEqual(t, narrow, 4, "%s, %d channels", name, channels)
			c.RequireCloseTo(t, e, func(numtest.Kind) numtest.Tolerance { return numtest.Tolerance{Norm: 0.03} }, tensor.Float32)
		}
	}
}
