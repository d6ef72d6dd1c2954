package numtest

import (
	"fmt"
	"hash"
	"math"
	"testing"

	"github.com/chewxy/hm"
	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// cube is x³ elementwise with a derivative times wrong: 1 is right.
type cube struct{ wrong float64 }

func (c cube) Arity() int { return 1 }
func (c cube) Type() hm.Type {
	a := gorgonia.TensorType{Dims: 2, Of: hm.TypeVariable('a')}
	return hm.NewFnType(a, a)
}
func (c cube) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	return in[0].(tensor.Shape).Clone(), nil
}
func (c cube) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	x := in[0].(*tensor.Dense).Clone().(*tensor.Dense)
	for i, v := range x.Data().([]float64) {
		x.Data().([]float64)[i] = v * v * v
	}
	return x, nil
}
func (c cube) ReturnsPtr() bool      { return true }
func (c cube) CallsExtern() bool     { return false }
func (c cube) OverwritesInput() int  { return -1 }
func (c cube) WriteHash(h hash.Hash) { fmt.Fprint(h, c) }
func (c cube) Hashcode() uint32      { return math.Float32bits(float32(c.wrong)) }
func (c cube) String() string        { return fmt.Sprintf("cube{%v}", c.wrong) }
func (c cube) DiffWRT(int) []bool    { return []bool{true} }
func (c cube) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	sq, err := gorgonia.Square(in[0])
	if err != nil {
		return nil, err
	}
	d, err := gorgonia.HadamardProd(sq, gorgonia.NewConstant(3*c.wrong))
	if err != nil {
		return nil, err
	}
	d, err = gorgonia.HadamardProd(d, dy)
	return gorgonia.Nodes{d}, err
}

func TestCheckGrad(t *testing.T) {
	x, w := Normal(1, tensor.Float64, 3, 5), Normal(2, tensor.Float64, 5, 2)
	apply := func(wrong float64) Builder {
		return func(_ *gorgonia.ExprGraph, ins []*gorgonia.Node) (*gorgonia.Node, error) {
			return gorgonia.ApplyOp(cube{wrong}, ins[0])
		}
	}
	matmul := func(_ *gorgonia.ExprGraph, ins []*gorgonia.Node) (*gorgonia.Node, error) {
		return gorgonia.Mul(ins[0], ins[1])
	}
	for _, c := range []struct {
		name  string
		build Builder
		ins   []*tensor.Dense
		opts  GradOptions
		fail  string
	}{
		{"right", apply(1), []*tensor.Dense{x}, GradOptions{}, ""},
		{"1 part in 100,000 wrong", apply(1.00001), []*tensor.Dense{x}, GradOptions{}, "central difference"},
		{"says where", apply(-1), []*tensor.Dense{x}, GradOptions{}, "element ["},
		{"no gradient at all", apply(0), []*tensor.Dense{x}, GradOptions{}, "symbolic 0"},
		{"two inputs", matmul, []*tensor.Dense{x, w}, GradOptions{}, ""},
		{"one fixed", matmul, []*tensor.Dense{x, w}, GradOptions{Fixed: []int{1}}, ""},
		{"all fixed", matmul, []*tensor.Dense{x, w}, GradOptions{Fixed: []int{0, 1}}, "none of the 2 inputs"},
		{"scalar result", func(_ *gorgonia.ExprGraph, ins []*gorgonia.Node) (*gorgonia.Node, error) {
			return gorgonia.Sum(ins[0])
		}, []*tensor.Dense{x}, GradOptions{}, ""},
		{"builder fails", matmul, []*tensor.Dense{x, x}, GradOptions{}, "forward"},
		{"nothing built", func(*gorgonia.ExprGraph, []*gorgonia.Node) (*gorgonia.Node, error) { return nil, nil },
			[]*tensor.Dense{x}, GradOptions{}, "neither a node nor an error"},
		{"not finite", apply(1), []*tensor.Dense{dense(tensor.Float64, []int{1, 1}, []float64{math.NaN()})}, GradOptions{}, "not finite"},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := record(func(t testing.TB) { CheckGrad(t, c.build, c.ins, c.opts) })
			if c.fail == "" {
				require.Empty(t, report)
				return
			}
			require.Contains(t, report, c.fail)
		})
	}
}
