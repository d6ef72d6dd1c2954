package graph_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Integers and booleans go through all operations that Gorgonia's machine has for them, with Gorgonia's results.
func TestTapeElementTypes(t *testing.T) {
	row := func(x *node) *node { return must(gorgonia.Slice(x, gorgonia.S(0, 1))) }
	operations := []named[func(x *node) *node]{
		{"transpose", func(x *node) *node { return must(gorgonia.Transpose(x)) }},
		{"reshape", func(x *node) *node { return must(gorgonia.Reshape(x, tensor.Shape{6})) }},
		{"slice", func(x *node) *node { return must(gorgonia.Slice(x, nil, gorgonia.S(0, 2))) }},
		{"concat", func(x *node) *node { return must(gorgonia.Concat(0, x, x)) }},
		{"rows", func(x *node) *node {
			which := tensor.New(tensor.WithBacking([]int{1, 0, 1}))
			return must(gorgonia.ByIndices(x, gorgonia.NewVector(x.Graph(), tensor.Int, gorgonia.WithName("which"), gorgonia.WithValue(which)), 0))
		}},
		{"sum", func(x *node) *node { return must(gorgonia.Add(x, x)) }},
		{"product", func(x *node) *node { return must(gorgonia.HadamardProd(x, x)) }},
		{"sum of all", func(x *node) *node { return must(gorgonia.Sum(x)) }},
		{"maximum", func(x *node) *node { return must(gorgonia.MaxBetween(x, x)) }},
		{"comparison", func(x *node) *node { return must(gorgonia.Gt(x, x, false)) }},
		{"broadcast sum", func(x *node) *node {
			return must(gorgonia.BroadcastAdd(x, must(gorgonia.Reshape(row(x), tensor.Shape{1, 3})), nil, []byte{0}))
		}},
		{"broadcast product", func(x *node) *node { return must(gorgonia.BroadcastHadamardProd(x, row(x), nil, []byte{0})) }},
	}
	run := func(data any, f func(x *node) *node, vm newVM) (y any, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("%v", r)
			}
		}()
		g := gorgonia.NewGraph()
		x := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking(data)).Clone().(*tensor.Dense)
		root := f(gorgonia.NewMatrix(g, x.Dtype(), gorgonia.WithShape(2, 3), gorgonia.WithName("x"), gorgonia.WithValue(x)))
		m := vm(g)
		defer m.Close()
		if err := m.RunAll(); err != nil {
			return nil, err
		}
		return root.Value().Data(), nil
	}
	for _, data := range []any{[]int{1, 2, 3, 4, 5, 6}, []int32{1, 2, 3, 4, 5, 6}, []int64{1, 2, 3, 4, 5, 6}, []uint8{1, 2, 3, 4, 5, 6},
		[]bool{true, false, true, false, true, true}} {
		compared := 0
		for _, o := range operations {
			want, err := run(data, o.f, stockVM)
			if err != nil {
				continue // Gorgonia has no such operation
			}
			if _, booleans := data.([]bool); booleans && o.name == "rows" {
				continue // Gorgonia's come out otherwise from run to run
			}
			compared++
			got, err := run(data, o.f, ourVM)
			require.NoError(t, err, "%T, %s", data, o.name)
			require.Equal(t, want, got, "%T, %s", data, o.name)
		}
		require.GreaterOrEqual(t, compared, 3, "%T", data)
	}
}
