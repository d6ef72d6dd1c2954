package op

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/augment"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// Images are those of Pillow's bilinear resize of a box.
func TestCropAndResizeGolden(t *testing.T) {
	eachGolden(t, []string{"crop_and_resize"}, func(t *testing.T, c *numtest.Case, dt tensor.Dtype) {
		pictures, draws := c.Tensor("pictures"), c.Tensor("draws")
		bytes, numbers := make([]uint8, len(pictures.Data)), make([]int, len(draws.Data))
		for i, v := range pictures.Data {
			bytes[i] = uint8(v)
		}
		for i, v := range draws.Data {
			numbers[i] = int(v)
		}
		o := &CropAndResize{Height: c.Int("height"), Width: c.Int("width"), To: dt}
		got := cropped(t, o, Array{pictures.Shape, bytes}, Array{draws.Shape, numbers})
		require.Equal(t, dt, got.Dtype())
		for i, want := range c.Tensor("y").Data {
			v := reflect.ValueOf(got.Data()).Index(i).Float()
			require.InDelta(t, want, v, 1e-6, "element %d", i)
		}
	})
}

// cropped runs an operation on Gorgonia's machine.
func cropped(t *testing.T, o *CropAndResize, pictures, draws Array) *tensor.Dense {
	t.Helper()
	g := gorgonia.NewGraph()
	y, err := Apply(o, feed(g, "pictures", pictures), feed(g, "draws", draws))
	require.NoError(t, err)
	m := gorgonia.NewTapeMachine(g)
	require.NoError(t, m.RunAll())
	require.NoError(t, m.Close())
	return y.Value().(*tensor.Dense)
}

// A box of whole pixels that keeps its size is the pixels, normalised; what lies behind a picture is not looked at.
func TestCropAndResizeKeepsPixels(t *testing.T) {
	mean, std := []float32{0.4, 0.5}, []float32{0.2, 0.3}
	picture := pixels(2, 40, 2) // rows × columns are 5 × 6 and 4 × 10
	o := &CropAndResize{Height: 3, Width: 4, Mean: mean, Std: std}
	const u = augment.Unit
	got := cropped(t, o, picture, Array{tensor.Shape{2, 7}, []int{5, 6, 1 * u, 2 * u, 3 * u, 4 * u, 0, 4, 10, 0, 6 * u, 3 * u, 4 * u, 1}})
	require.Equal(t, tensor.Shape{2, 3, 4, 2}, got.Shape())
	for b, at := range []struct{ top, left, columns int }{{1, 2, 6}, {0, 6, 10}} {
		for y := range 3 {
			for x := range 4 {
				from := x
				if b == 1 {
					from = 3 - x
				}
				for k := range 2 {
					v := picture.Data.([]uint8)[(b*40+(at.top+y)*at.columns+at.left+from)*2+k]
					want := (float64(v)/255 - float64(mean[k])) / float64(std[k])
					require.InDelta(t, want, got.Data().([]float32)[((b*3+y)*4+x)*2+k], 1e-6)
				}
			}
		}
	}
}

func TestCropAndResizeRefusesDraws(t *testing.T) {
	const u = augment.Unit
	o := &CropAndResize{Height: 2, Width: 2}
	good := []int{4, 5, 0, 0, 4 * u, 5 * u, 1}
	require.NoError(t, o.CheckDraws(append(good, good...), 20))
	for _, c := range []struct {
		at, value int
		want      string
	}{
		{0, 0, "a picture of 0×5 pixels"}, {1, 6, "a picture of 4×6 pixels, want at least 1×1 and at most 20 pixels in all"}, {0, 1 << 40, "pixels in all"},
		{2, -1, "does not lie in the picture"}, {3, 1, "does not lie in the picture of 4×5 pixels"}, {4, 4*u + 1, "does not lie"}, {5, 0, "does not lie"},
		{4, 1 << 62, "does not lie"}, {6, 2, "mirrors by 2, want 0 or 1"},
	} {
		bad := append([]int(nil), good...)
		bad[c.at] = c.value
		err := o.CheckDraws(append(append([]int(nil), good...), bad...), 20)
		require.ErrorContains(t, err, "op: CropAndResize: the draw of picture 1: ")
		require.ErrorContains(t, err, c.want)
	}
	varied := &CropAndResize{Height: 3, Width: 4, Cutout: 2, Mixup: true}
	good = append(good, 2, 3, 1, augment.Whole)
	require.NoError(t, varied.CheckDraws(append(good, good...), 20))
	for at, wants := range map[int]map[int]string{
		7: {3: "the square cut out of image 1 has its middle at (3, 3), want a pixel of 3×4", -1: "(-1, 3)"}, 8: {4: "(2, 4)"},
		9: {2: "image 1 is mixed with image 2 by a share of 16777216, want an image of 0 to 1"}, 10: {-1: "by a share of -1", augment.Whole + 1: "a share of 0 to 16777216"},
	} {
		for value, want := range wants {
			bad := append([]int(nil), good...)
			bad[at] = value
			require.ErrorContains(t, varied.CheckDraws(append(append([]int(nil), good...), bad...), 20), want)
		}
	}
}
