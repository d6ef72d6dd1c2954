package enginetest

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

func loopFusions() []FusionCase {
	var all []FusionCase
	all = append(all, loopChains()...)
	all = append(all, loopNeighbours()...)
	return append(all, loopStretches()...)
}

// loopChains are the forms of a group alone.
func loopChains() []FusionCase {
	const pass = "loops"
	return []FusionCase{
		fusion(pass, "chain", func(b *B) {
			x := b.Must(gorgonia.Exp(b.Input("x", 5, 7)))
			b.out(b.Must(gorgonia.Tanh(b.Must(gorgonia.Add(x, b.Input("y", 5, 7))))))
		}, []string{"Loop(r2 = exp r0; r3 = r2 + r1; r4 = tanh r3; out r4)(%0, %1)"}, "Unary", "Add("),
		fusion(pass, "numbers", func(b *B) {
			x := b.Must(gorgonia.Mul(b.Positive("x", 9), b.number(2)))
			b.out(b.Must(gorgonia.Log(b.Must(gorgonia.Sub(b.number(4), x)))))
		}, []string{"Loop(r1 = r0 * 2; r2 = 4 - r1; r3 = log r2; out r3)(%0)"}),
		fusion(pass, "every function of one operand", func(b *B) {
			y := b.Positive("x", 3, 5)
			for _, f := range []func(*gorgonia.Node) (*gorgonia.Node, error){gorgonia.Abs, gorgonia.Square, gorgonia.Sqrt, gorgonia.Cube, gorgonia.Sigmoid,
				gorgonia.Exp, gorgonia.Log1p, gorgonia.Expm1, gorgonia.Log2, gorgonia.Tanh, gorgonia.Neg, gorgonia.Softplus, gorgonia.Sin, gorgonia.Cos,
				gorgonia.Inverse, gorgonia.InverseSqrt, gorgonia.Log, gorgonia.Sign} {
				y = b.Must(f(y))
			}
			b.out(y)
		}, []string{"Loop("}, "Unary("),
		fusion(pass, "every function of two operands", func(b *B) {
			x, y := b.Positive("x", 3, 5), b.Positive("y", 3, 5)
			z := b.Must(gorgonia.Pow(b.Must(gorgonia.HadamardDiv(b.Must(gorgonia.Sub(x, y)), y)), b.number(2)))
			for _, f := range []func(x, y *gorgonia.Node, same bool) (*gorgonia.Node, error){gorgonia.Gt, gorgonia.Gte, gorgonia.Lt, gorgonia.Lte, gorgonia.Eq,
				gorgonia.Ne} {
				z = b.Must(gorgonia.Add(z, b.Must(f(x, y, true))))
			}
			b.out(z)
		}, []string{"Loop("}, "Binary("),
		fusion(pass, "of package op", func(b *B) {
			y := b.Apply(&op.Scale{Factor: 0.5}, b.Apply(&op.ReLU{}, b.Input("x", 2, 3, 4)))
			y = b.Apply(&op.BiasAdd{Axis: 1}, b.Apply(&op.Mul{}, y, b.Input("z", 2, 3, 4)), b.Input("bias", 3))
			y = b.Apply(&op.ChannelAffine{Axis: -1, Scale: 2, Shift: []float64{1, 2, 3, 4}}, b.Apply(&op.ReLUGrad{}, y, b.Input("dy", 2, 3, 4)))
			b.out(b.Apply(&op.ChannelAffine{Axis: 0, Scale: 3}, y))
		}, []string{"Loop(", "max(r0, 0)", "reluGrad("}, "ReLU(", "BiasAdd", "Scale", "Affine"),
		fusion(pass, "scalars", func(b *B) {
			b.out(b.Must(gorgonia.Exp(b.Must(gorgonia.Square(b.Scalar("x", 0.5))))))
		}, []string{"Loop("}),
		fusion(pass, "long enough to be cut", func(b *B) {
			y := b.Positive("x", 4)
			for range 50 {
				y = b.Must(gorgonia.Sqrt(b.Must(gorgonia.Add(y, b.number(0.5)))))
			}
			b.out(y)
		}, []string{"Loop(", "r64 =", "r36 ="}, "r65 ="),
		fusion(pass, "one step", func(b *B) { b.out(b.Must(gorgonia.Exp(b.Input("x", 5)))) }, nil),
		fusion(pass, "gradients of an activation", func(b *B) {
			x, y := b.Input("x", 6, 5), b.Input("y", 6, 5)
			b.Grads(b.Must(gorgonia.HadamardProd(b.Must(gorgonia.Sigmoid(x)), b.Must(gorgonia.Tanh(y)))), x, y)
		}, []string{"Loop("}, "Unary(", "Binary("),
	}
}

// loopNeighbours are groups whose values others read, or that others stand between.
func loopNeighbours() []FusionCase {
	const pass = "loops"
	return []FusionCase{
		fusion(pass, "values that are wanted", func(b *B) {
			x := b.Input("x", 4, 4)
			y := b.out(b.Must(gorgonia.Tanh(x)))
			z := b.Must(gorgonia.Square(y))
			b.Update(b.Input("w", 4, 4), z)
			b.out(b.Must(gorgonia.Sub(z, x)))
		}, []string{"out r1, r2, r3)"}, "Unary"),
		fusion(pass, "a value that another operation reads", func(b *B) {
			y := b.Must(gorgonia.Sigmoid(b.Input("x", 4, 4)))
			b.out(b.Must(gorgonia.Neg(y)))
			b.out(b.Apply(&op.MatMul{}, y, b.Input("w", 4, 4)))
		}, []string{"out r1, r2)"}, "Unary"),
		fusion(pass, "a way out and back", func(b *B) {
			y := b.Must(gorgonia.Sigmoid(b.Must(gorgonia.Neg(b.Input("x", 4, 4)))))
			z := b.Must(gorgonia.Exp(b.Apply(&op.MatMul{}, y, b.Input("w", 4, 4))))
			b.out(b.Must(gorgonia.HadamardProd(b.Must(gorgonia.Square(z)), y)))
		}, []string{"Loop(r1 = neg r0; r2 = sigmoid r1; out r2)", "Loop(r2 = exp r0; r3 = square r2; r4 = r3 * r1; out r4)"}),
		fusion(pass, "a way out and back through another loop", func(b *B) {
			x := b.Input("x", 6)
			y := b.Must(gorgonia.Exp(x))
			z := b.Must(gorgonia.Mul(y, b.Must(gorgonia.Exp(b.Must(gorgonia.Neg(b.Apply(&op.Sum{}, y)))))))
			b.out(b.Must(gorgonia.Tanh(z)))
		}, []string{"Unary(exp)", "Loop(r1 = neg r0; r2 = exp r1; out r2)", "Loop(r2 = r0 * r1; r3 = tanh r2; out r3)"}),
		fusion(pass, "two ends of one matrix product", func(b *B) {
			x := b.Must(gorgonia.Tanh(b.Input("x", 4, 4)))
			y := b.Must(gorgonia.Exp(b.Apply(&op.MatMul{}, x, b.Input("w", 4, 4))))
			b.out(y)
			b.out(b.Must(gorgonia.Square(x)))
		}, []string{"Loop(r1 = tanh r0; r2 = square r1; out r1, r2)", "Unary(exp)"}),
		fusion(pass, "a reshape between", func(b *B) {
			y := b.Must(gorgonia.Exp(b.Input("x", 2, 6)))
			z := b.Must(gorgonia.Neg(b.Apply(&op.Reshape{From: y.Shape().Clone(), To: []int{12}}, y)))
			b.out(b.Must(gorgonia.HadamardProd(y, b.Apply(&op.Reshape{From: z.Shape().Clone(), To: []int{2, 6}}, z))))
		}, nil),
		fusion(pass, "an update in place", func(b *B) {
			w := b.Input("w", 5, 3)
			g := b.Must(gorgonia.Square(w))
			b.Update(w, b.Must(gorgonia.Sub(w, b.Must(gorgonia.Mul(g, b.number(0.125))))))
		}, []string{"Loop(r1 = square r0; r2 = r1 * 0.125; r3 = r0 - r2; out r3)(%0) f32(5, 3) =%0"}),
		fusion(pass, "two updates that exchange", func(b *B) {
			v, w := b.Input("v", 5, 3), b.Input("w", 5, 3)
			s := b.Must(gorgonia.Add(v, w))
			b.Update(w, b.Must(gorgonia.Sub(s, w)))
			b.Update(v, b.Must(gorgonia.Sub(s, v)))
		}, []string{"Loop("}),
		fusion(pass, "sixteen inputs and one", func(b *B) {
			y := b.Input("x", 3)
			for i := range 16 {
				y = b.Must(gorgonia.Add(y, b.Input(string(rune('a'+i)), 3)))
			}
			b.out(y)
		}, []string{"Loop(r16 =", "Add("}),
	}
}

// loopStretches are groups that read what was repeated for them.
func loopStretches() []FusionCase {
	const pass = "loops"
	// added is x + y, broadcast along axes of y.
	added := func(b *B, x, y *gorgonia.Node, axes ...byte) *gorgonia.Node {
		return b.Must(gorgonia.BroadcastAdd(x, y, nil, axes))
	}
	return []FusionCase{
		fusion(pass, "row", func(b *B) {
			b.out(b.Must(gorgonia.Sigmoid(added(b, b.Input("x", 5, 7), b.Input("row", 1, 7), 0))))
		}, []string{"Loop(r2 = r0 + r1; r3 = sigmoid r2; out r3)"}, "Repeat"),
		fusion(pass, "row alone", func(b *B) {
			b.out(added(b, b.Input("x", 5, 7), b.Input("row", 1, 7), 0))
		}, []string{"Loop(r2 = r0 + r1; out r2)"}, "Repeat"),
		fusion(pass, "column", func(b *B) {
			b.out(b.Must(gorgonia.Exp(added(b, b.Input("x", 5, 7), b.Input("column", 5, 1), 1))))
		}, []string{"Loop(r2 = r0 + r1; r3 = exp r2; out r3)"}, "Repeat"),
		fusion(pass, "channels", func(b *B) {
			b.out(b.Must(gorgonia.Tanh(added(b, b.Input("x", 3, 4, 2, 5), b.Input("bias", 1, 4, 1, 1), 0, 2, 3))))
		}, []string{"Loop(r2 = r0 + r1; r3 = tanh r2; out r3)"}, "Repeat"),
		fusion(pass, "scalars that are computed", func(b *B) {
			s := b.Must(gorgonia.Exp(b.Apply(&op.Sum{}, b.Input("z", 3))))
			x := b.Must(gorgonia.Neg(b.Input("x", 3, 2)))
			b.out(b.Must(gorgonia.Mul(x, s)))
		}, []string{"Loop(r2 = neg r0; r3 = r2 * r1; out r3)"}),
		fusion(pass, "everything stretched", func(b *B) {
			x := b.Must(gorgonia.BroadcastAdd(b.Input("row", 1, 4), b.Input("column", 3, 1), []byte{0}, []byte{1}))
			b.out(b.Must(gorgonia.Square(x)))
		}, []string{"Loop(r2 = r0 + r1; r3 = square r2; out r3)"}, "Repeat"),
		fusion(pass, "the repeated is wanted too", func(b *B) {
			_, y, err := gorgonia.Broadcast(b.Input("x", 5, 7), b.Input("row", 1, 7), gorgonia.NewBroadcastPattern(nil, []byte{0}))
			if err != nil {
				b.T.Fatal(err)
			}
			b.out(b.out(y))
			b.out(b.Must(gorgonia.Exp(b.Must(gorgonia.Neg(y)))))
		}, []string{"Loop(shape (5, 7); r1 = neg r0; r2 = exp r1; out r2)", "Repeat"}),
	}
}
