package op

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// pixels are images of bytes that are never black.
func pixels(s ...int) Array {
	b := make([]uint8, Len(s))
	for i := range b {
		b[i] = byte(i*37%255 + 1)
	}
	return Array{tensor.Shape(s), b}
}

// Each pixel is the one that the draw says, in both types; on Gorgonia's machine and by the reference.
func TestAugment(t *testing.T) {
	mean, std := []float32{0.4, 0.5, 0.6}, []float32{0.2, 0.3, 0.25}
	const n, h, w, c = 3, 4, 5, 3
	images := pixels(n, h, w, c)
	draws := []int{2, -1, 0, 0, 0, 1, -2, 1, 1}
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		want, err := NewArray(dt, images.Shape)
		require.NoError(t, err)
		for i := range Len(images.Shape) {
			k, x, y, b := i%c, i/c%w, i/c/w%h, i/c/w/h
			if draws[3*b+2] == 1 {
				x = w - 1 - x
			}
			y, x = y+draws[3*b], x+draws[3*b+1]
			v := 0.0
			if y >= 0 && y < h && x >= 0 && x < w {
				v = float64(images.Data.([]uint8)[((b*h+y)*w+x)*c+k])
			}
			v = (v/255 - float64(mean[k])) / float64(std[k])
			if single(want) {
				want.Data.([]float32)[i] = float32(v)
			} else {
				want.Data.([]float64)[i] = v
			}
		}
		g := gorgonia.NewGraph()
		y, err := Apply(&Augment{Padding: 2, Mean: mean, Std: std, To: dt}, feed(g, "images", images), feed(g, "draws", Array{tensor.Shape{n, 3}, draws}))
		require.NoError(t, err)
		require.Equal(t, dt, y.Dtype())
		require.Equal(t, want.Data, stock(t, g, y)[0].Data)
	}
}

func TestAugmentRefusesDraws(t *testing.T) {
	o := &Augment{Padding: 2}
	least := -int(^uint(0)>>1) - 1
	for _, bad := range [][3]int{{3, 0, 0}, {-3, 0, 0}, {0, 3, 0}, {0, -3, 1}, {0, 0, 2}, {0, 0, -1}, {least, 0, 0}} {
		draws := []int{2, -2, 1, bad[0], bad[1], bad[2]}
		require.ErrorContains(t, o.CheckDraws(draws, tensor.Shape{2, 4, 4, 1}), "the draw of image 1 is (", "%v", bad)
		_, err := o.Do(pixels(2, 4, 4, 1).Value(), Array{tensor.Shape{2, 3}, draws}.Value())
		require.ErrorContains(t, err, "want -2 to 2 twice, then 0 or 1")
	}
	require.NoError(t, o.CheckDraws([]int{2, -2, 1, 0, 0, 0}, tensor.Shape{2, 4, 4, 1}))
}

// Bytes have no derivative, and what is asked for one says so.
func TestAugmentHasNoDerivative(t *testing.T) {
	g := gorgonia.NewGraph()
	images := feed(g, "images", pixels(1, 3, 3, 1))
	y, err := Apply(&Augment{}, images, feed(g, "draws", Array{tensor.Shape{1, 3}, make([]int, 3)}))
	require.NoError(t, err)
	_, err = (&Augment{}).SymDiff(nil, y, y)
	require.EqualError(t, err, "op: Augment has no derivative")
	_, err = gorgonia.Grad(costOf(t, y), images)
	require.Error(t, err)

	// It does not stand in the way of the gradients of what comes after it.
	w := feed(g, "w", as(t, tensor.Float32, normal(rand.New(rand.NewPCG(1, 2)), 1, 3, 3, 1)))
	z, err := Apply(&Mul{}, y, w)
	require.NoError(t, err)
	cost, err := Apply(&Sum{}, z)
	require.NoError(t, err)
	grads, err := gorgonia.Grad(cost, w)
	require.NoError(t, err)
	values := stock(t, g, y, grads[0])
	require.Equal(t, values[0].Data, values[1].Data)
}

// Raw bytes stay what they are, black borders too; Mean and Std have no part in it.
func TestAugmentRaw(t *testing.T) {
	images, draws := pixels(1, 2, 2, 1), Array{tensor.Shape{1, 3}, []int{1, 0, 1}}
	g := gorgonia.NewGraph()
	y, err := Apply(&Augment{Padding: 1, Raw: true}, feed(g, "images", images), feed(g, "draws", draws))
	require.NoError(t, err)
	b := images.Data.([]byte)
	require.Equal(t, []float32{float32(b[3]), float32(b[2]), 0, 0}, stock(t, g, y)[0].Data)
	require.NotEqual(t, (&Augment{}).Hashcode(), (&Augment{Raw: true}).Hashcode())
	require.NotEqual(t, (&CropAndResize{}).Hashcode(), (&CropAndResize{Raw: true}).Hashcode())
	for _, o := range []Op{&Augment{Padding: 1, Raw: true, Mean: []float32{0}}, &CropAndResize{Height: 2, Width: 2, Raw: true, Std: []float32{1}}} {
		in := []tensor.Shape{{1, 2, 2, 1}, {1, 3}}
		if o.Kind() == "CropAndResize" {
			in = []tensor.Shape{{1, 4, 1}, {1, 7}}
		}
		_, err := o.Infer(in)
		require.ErrorContains(t, err, "raw bytes exclude Mean and Std")
	}
}

// What cutout, mixup and an index add: the square is 0, the other image is mixed in as drawn, and images come from a set.
func TestAugmentOfASet(t *testing.T) {
	mean, std := []float32{0.4}, []float32{0.2}
	set := pixels(5, 6, 7, 1)
	shape := tensor.Shape{3, 6, 7, 1}
	index := []int{4, 0, 4}
	plain := []int{1, -1, 1, 0, 0, 0, -2, 2, 0}
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		want, err := NewArray(dt, shape)
		require.NoError(t, err)
		chosen := Array{shape, append(append(append([]byte(nil), set.Data.([]byte)[4*42:]...), set.Data.([]byte)[:42]...), set.Data.([]byte)[4*42:]...)}
		o := &Augment{Padding: 2, Mean: mean, Std: std, To: dt}
		require.NoError(t, o.Reference(want, []Array{chosen, {tensor.Shape{3, 3}, plain}}))
		// Squares of 3 around (0, 6), (3, 3) and (5, 0); the second has 1/4 of the first, the others are themselves.
		draws := []int{1, -1, 1, 0, 6, 2, 1 << 24, 0, 0, 0, 3, 3, 0, 3 << 22, -2, 2, 0, 5, 0, 1, 1 << 24}
		cut := func(i int, y, x int) bool {
			m := [][2]int{{0, 6}, {3, 3}, {5, 0}}[i]
			return max(y-m[0], m[0]-y, x-m[1], m[1]-x) <= 1
		}
		at := func(a Array, i int) float64 {
			if single(a) {
				return float64(a.Data.([]float32)[i])
			}
			return a.Data.([]float64)[i]
		}
		erased, err := NewArray(dt, shape)
		require.NoError(t, err)
		for i := range Len(shape) {
			v := at(want, i)
			if cut(i/42, i/7%6, i%7) {
				v = 0
			}
			if single(want) {
				erased.Data.([]float32)[i] = float32(v)
			} else {
				erased.Data.([]float64)[i] = v
			}
		}
		for i := range 42 { // the factors are exact
			if single(want) {
				x := erased.Data.([]float32)
				x[42+i] = float32(0.75*x[42+i]) + float32(0.25*x[i])
			} else {
				x := erased.Data.([]float64)
				x[42+i] = float64(0.75*x[42+i]) + float64(0.25*x[i])
			}
		}
		g := gorgonia.NewGraph()
		o = &Augment{Padding: 2, Cutout: 3, Mixup: true, Indexed: true, Mean: mean, Std: std, To: dt}
		require.Equal(t, 7, o.Numbers())
		y, err := Apply(o, feed(g, "images", set), feed(g, "draws", Array{tensor.Shape{3, 7}, draws}), feed(g, "index", Array{tensor.Shape{3}, index}))
		require.NoError(t, err)
		require.Equal(t, erased.Data, stock(t, g, y)[0].Data)

		for at, text := range map[int]string{3: "has its middle at (6, 6)", 4: "has its middle at (0, 7)", 5: "with image 3 by", 6: "a share of 16777217"} {
			bad := append([]int(nil), draws...)
			bad[at] = map[int]int{3: 6, 4: 7, 5: 3, 6: 1<<24 + 1}[at]
			require.ErrorContains(t, o.CheckDraws(bad, shape), text)
			bad[at] = -1
			require.ErrorContains(t, o.CheckDraws(bad, shape), "image 0")
		}
		_, err = o.Do(set.Value(), Array{tensor.Shape{3, 7}, draws}.Value(), Array{tensor.Shape{3}, []int{0, 5, 1}}.Value())
		require.ErrorContains(t, err, "image 1 of the batch is number 5 of the set, want 0 to 4")
		require.Error(t, o.CheckIndex([]int{-1}, 5))
	}
}
