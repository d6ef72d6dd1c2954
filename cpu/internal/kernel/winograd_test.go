package kernel

import (
	"fmt"
	"testing"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

func winogradCases() []convCase {
	same, valid := shape.Padding{Mode: shape.Same}, shape.Padding{}
	odd := shape.Padding{Mode: shape.Explicit, Top: 2, Bottom: 0, Left: 1, Right: 3}
	var cases []convCase
	for _, p := range []shape.Padding{same, valid, odd} {
		a := op.ConvAttrs{Padding: p}
		cases = append(cases, convCase{1, 5, 4, 1, 3, 3, 1, a, false}, convCase{2, 7, 6, 3, 3, 3, 5, a, false}, convCase{3, 4, 4, 40, 3, 3, 33, a, false},
			convCase{1, 9, 13, 17, 3, 3, 70, a, false}, convCase{5, 8, 8, 64, 3, 3, 48, a, false})
	}
	return append(cases, convCase{2, 4, 4, 300, 3, 3, 100, op.ConvAttrs{Padding: same}, false}, convCase{1, 1, 1, 8, 3, 3, 8, op.ConvAttrs{Padding: same}, false})
}

type winogradKernel struct {
	Scratch[float32]
	k *winogradConv
}

func TestWinograd(t *testing.T) {
	for _, c := range winogradCases() {
		for _, backward := range []bool{false, true} {
			t.Run(fmt.Sprint(c, backward), func(t *testing.T) {
				g := c.geometry(t)
				in := inputs[float32]{convInput[float32](c, 1), convFilter[float32](c, 2)}
				var o op.Op = &op.Conv2D{ConvAttrs: c.a}
				if backward {
					in[0] = normal[float32](1, g.Output()...)
					o = &op.Conv2DBackwardInput{ConvAttrs: c.a, InputShape: g.Input()}
				}
				against(t, o, numtest.Reduction, in, func(e Env[float32]) (prepared[float32], error) {
					k := &winogradKernel{}
					k.k = newWinograd(e, &k.Scratch, g, backward)
					return prepared[float32]{k, func(out [][]float32, in inputs[float32]) {
						k.k.run(&k.Scratch, out[0], in.f(0), in.f(1), nil, nil, false)
					}}, nil
				})
			})
		}
	}
}
