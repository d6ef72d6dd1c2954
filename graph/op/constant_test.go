package op

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func TestApplyTakesConstantsWithoutGraph(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(2), gorgonia.WithName("x"),
		gorgonia.WithValue(tensor.New(tensor.WithBacking([]float32{1, 2}))))
	k := gorgonia.NewConstant(tensor.New(tensor.WithBacking([]float32{10, 20})))
	y, err := Apply(&Add{}, x, k)
	require.NoError(t, err)
	m := gorgonia.NewTapeMachine(g)
	defer m.Close()
	require.NoError(t, m.RunAll())
	require.Equal(t, []float32{11, 22}, y.Value().Data())
}

func TestApplyRefusesConstantsThatGorgoniaConfuses(t *testing.T) {
	g := gorgonia.NewGraph()
	// Gorgonia names a constant by its printed value, which is shortened for large tensors: these two look the same.
	long := func(middle float32) *gorgonia.Node {
		data := make([]float32, 5000)
		data[2500] = middle
		return gorgonia.NewConstant(tensor.New(tensor.WithBacking(data)))
	}
	x := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(5000), gorgonia.WithName("x"))
	_, err := Apply(&Add{}, x, long(1))
	require.NoError(t, err)
	_, err = Apply(&Mul{}, x, long(2))
	require.ErrorContains(t, err, "has the name of another constant")
}

func TestAsArrayRefusesColumnMajor(t *testing.T) {
	d := tensor.New(tensor.WithShape(2, 3), tensor.AsFortran([]float32{1, 2, 3, 4, 5, 6}))
	_, err := AsArray(d)
	require.ErrorContains(t, err, "column-major")
}
