package op

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// collision returns two inputs of one graph whose 32-bit node hashes really are equal. By the birthday paradox, about
// 80,000 names are enough.
func collision(t *testing.T) (a, b *gorgonia.Node) {
	input := func(name string) *gorgonia.Node {
		return gorgonia.NewTensor(gorgonia.NewGraph(), tensor.Float32, 4, gorgonia.WithShape(1, 2, 2, 1), gorgonia.WithName(name))
	}
	seen := map[uint32]string{}
	rng := rand.New(rand.NewPCG(1, 2)) // FNV seldom collides on names that differ in their last digits only
	for range 1 << 20 {
		name := fmt.Sprintf("x%016x", rng.Uint64())
		h := input(name).Hashcode()
		if other, ok := seen[h]; ok {
			g := gorgonia.NewGraph()
			in := func(name string) *gorgonia.Node {
				return gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(1, 2, 2, 1), gorgonia.WithName(name))
			}
			return in(other), in(name)
		}
		seen[h] = name
	}
	t.Fatal("no collision among 2²⁰ names: Gorgonia no longer hashes nodes to 32 bits; revise Apply's guard")
	return nil, nil
}

func TestApplyGuardsAgainstMerging(t *testing.T) {
	a, b := collision(t)
	require.NotSame(t, a, b)

	// The hazard is real: without the guard, Gorgonia takes relu(b) for relu(a).
	ya, err := gorgonia.ApplyOp(&ReLU{}, a)
	require.NoError(t, err)
	wrong, err := gorgonia.ApplyOp(&ReLU{}, b)
	require.NoError(t, err)
	require.Same(t, ya, wrong, "Gorgonia no longer merges by hash alone: the guard in Apply may go")

	yb, err := Apply(&ReLU{}, b)
	require.NoError(t, err)
	require.NotSame(t, ya, yb)
	require.Equal(t, []*gorgonia.Node{b}, Children(yb))

	again, err := Apply(&ReLU{}, a)
	require.NoError(t, err)
	require.Same(t, ya, again, "equal applications are still shared")
}

func TestApplyCopiesTheCallersSlice(t *testing.T) {
	g := gorgonia.NewGraph()
	y := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(3), gorgonia.WithName("y"))
	dy := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(3), gorgonia.WithName("dy"))
	children := []*gorgonia.Node{y, dy}
	n, err := Apply(&ReLUGrad{}, children...)
	require.NoError(t, err)
	children[0] = dy
	require.Equal(t, []*gorgonia.Node{y, dy}, Children(n))
}

func TestApplyErrors(t *testing.T) {
	g := gorgonia.NewGraph()
	y := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(3), gorgonia.WithName("y"))
	dy := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(4), gorgonia.WithName("dy"))

	_, err := Apply(&ReLUGrad{}, y, dy)
	var se *shape.Error
	require.ErrorAs(t, err, &se)
	require.Equal(t, []string{"y", "dy"}, se.Inputs)
	require.EqualError(t, err, "op: ReLUGrad: want input 1 of shape (3,), got (4,) on axis 0\n"+
		"    inputs (3,) from \"y\", (4,) from \"dy\"; this operation does not broadcast")

	_, err = Apply(&ReLUGrad{}, y, nil)
	require.ErrorContains(t, err, "input 1 is nil")
	_, err = Apply(&ReLUGrad{}, y)
	require.ErrorContains(t, err, "takes 2 inputs, got 1")
	_, err = gorgonia.ApplyOp(&ReLU{}, gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(0, 3), gorgonia.WithName("empty")))
	require.ErrorContains(t, err, "empty axes")
}
