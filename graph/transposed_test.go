package graph_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// turner keeps gradients of filters filters first, which its updates by momentum read.
type turner struct {
	graph.Null
	inPlace bool // updates may write over the gradient
}

func (turner) Transposes(s *graph.Step) (in, out []bool) {
	switch s.Instr.Kind() {
	case "Conv2DBackwardFilter":
		return nil, []bool{true}
	case "MomentumUpdate":
		return []bool{false, false, true}, nil
	}
	return nil, nil
}

func (turner) Narrows(s *graph.Step) (in, out []bool, gains bool) {
	for _, v := range s.In {
		in = append(in, v.Transposed)
	}
	for _, v := range s.Out {
		out = append(out, v.Transposed)
	}
	return in, out, true
}

func (e turner) InPlace(i graph.Instr, _ tensor.Dtype, out, in int) bool {
	return i.Kind() == "MomentumUpdate" && (in == out || e.inPlace && in == 2)
}

// A gradient is kept with its last axis first where all that touch its memory can do so; what is in float32 may be narrow as well.
func TestTransposedValues(t *testing.T) {
	type layer struct{ w, v, g, lr *gorgonia.Node }
	momentum := func(b *enginetest.B, l layer, g *gorgonia.Node) *gorgonia.Node {
		v := b.Apply(&op.Momentum{Momentum: 0.9}, l.v, g, l.lr)
		w := b.Apply(&op.Add{}, l.w, v)
		b.Update(l.v, v)
		b.Update(l.w, w)
		return w
	}
	scale := func(b *enginetest.B, x *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.Scale{Factor: 2}, x) }
	as := func(b *enginetest.B, x *gorgonia.Node, dims ...int) *gorgonia.Node {
		return b.Apply(&op.Reshape{From: x.Shape(), To: dims}, x)
	}
	for _, c := range []struct {
		why     string
		dt      tensor.Dtype
		inPlace bool
		build   func(b *enginetest.B, l layer)
		want    bool
	}{
		{"the update alone reads it", tensor.Float32, false, func(b *enginetest.B, l layer) { momentum(b, l, l.g) }, true},
		{"of another type", tensor.Float64, false, func(b *enginetest.B, l layer) { momentum(b, l, l.g) }, false},
		{"asked for", tensor.Float32, false, func(b *enginetest.B, l layer) { momentum(b, l, b.Want("g", 0, l.g)) }, false},
		{"another step reads it, too", tensor.Float32, false, func(b *enginetest.B, l layer) {
			momentum(b, l, l.g)
			b.Want("g", 0, scale(b, l.g))
		}, false},
		{"another step reads it before the update", tensor.Float32, false, func(b *enginetest.B, l layer) { momentum(b, l, scale(b, l.g)) }, false},
		{"nobody but another step reads it", tensor.Float32, false, func(b *enginetest.B, l layer) { b.Want("g", 0, scale(b, l.g)) }, false},
		{"it becomes a variable", tensor.Float32, false, func(b *enginetest.B, l layer) { b.Update(l.v, l.g) }, false},
		{"a view of it is read", tensor.Float32, false, func(b *enginetest.B, l layer) {
			momentum(b, l, l.g)
			b.Want("g", 0, scale(b, as(b, l.g, 9, 12)))
		}, false},
		{"the update's result is wanted, and in memory of its own", tensor.Float32, false, func(b *enginetest.B, l layer) { b.Want("w", 0, momentum(b, l, l.g)) }, true},
		{"another result is written over it", tensor.Float32, true, func(b *enginetest.B, l layer) {
			w := momentum(b, l, l.g)
			b.Want("sum", 0, b.Apply(&op.MatMul{}, as(b, w, 9, 12), as(b, l.w, 12, 9)))
		}, false},
	} {
		for _, can := range []bool{true, false} {
			b := enginetest.NewB(t, c.dt)
			x, w := b.Input("x", 2, 5, 5, 3), b.Input("w", 3, 3, 3, 4)
			y := b.Apply(&op.Conv2D{}, x, w)
			grads, err := gorgonia.Grad(b.Apply(&op.Sum{}, b.Apply(&op.Mul{}, y, b.Input("r", y.Shape()...))), w)
			require.NoError(t, err)
			c.build(b, layer{w, b.Input("v", 3, 3, 3, 4), grads[0], b.Scalar("lr", 0.1)})
			var e graph.Engine = turner{inPlace: c.inPlace}
			if !can {
				e = graph.Null{}
			}
			p, err := graph.PlanFor(b.G, b.Options(e)...)
			require.NoError(t, err)
			found := 0
			for _, v := range p.Values {
				require.Equal(t, v.Transposed, v.Narrow, "%s: %s", c.why, p)
				if v.Transposed {
					require.Equal(t, tensor.Shape{3, 3, 3, 4}, v.Shape)
					require.Equal(t, 2*108, v.StoredBytes())
					require.Contains(t, p.String(), "bf16(3, 3, 3, 4) transposed @")
					found++
				}
			}
			require.Equal(t, c.want && can, found == 1, "%s: %s", c.why, p)
			require.Equal(t, found == 0, !strings.Contains(p.String(), "transposed"), c.why)
		}
	}
}
