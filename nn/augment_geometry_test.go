package nn

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/numtest"
)

// Where both ends of a factor are one, images are Keras's.
func TestGoldenGeometry(t *testing.T) {
	at := func(f float64) [2]float64 { return [2]float64{f, f} }
	layers := map[string]Layer{
		"rotation":          RandomRotation{Factor: at(0.1)},
		"rotation back":     RandomRotation{Factor: at(-0.3), FillMode: FillConstant, FillValue: 0.25},
		"rotation first":    RandomRotation{Factor: at(0.1), FillMode: FillNearest, Interpolation: Nearest},
		"translation":       RandomTranslation{HeightFactor: at(0.2), WidthFactor: at(-0.3)},
		"translation first": RandomTranslation{HeightFactor: at(0.1), WidthFactor: at(0.35), FillMode: FillConstant},
		"zoom":              RandomZoom{HeightFactor: at(0.3)},
		"zoom in":           RandomZoom{HeightFactor: at(-0.4), WidthFactor: at(0.15), FillMode: FillNearest},
		"zoom of rows":      RandomZoom{HeightFactor: at(-0.4), FixedWidth: true},
		"shear":             RandomShear{XFactor: at(0.2), YFactor: at(0.3), FillMode: FillConstant},
		"shear of columns":  RandomShear{XFactor: at(0.4)},
	}
	cases := numtest.LoadGolden(t, "testdata/golden/geometry.json").Cases
	require.Len(t, layers, len(cases))
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			c := c.For(t)
			l, x, want := layers[c.Name], c.Tensor("x"), c.Tensor("y")
			require.NotNil(t, l)
			near := func(a, b []float64) bool {
				for i, v := range a {
					if !(math.Abs(v-b[i]) <= 1e-4) {
						return false
					}
				}
				return true
			}
			class, _ := l.Identity()
			require.Equal(t, c.Str("class"), class)
			b := NewBuilder("")
			if c.Int("first") == 1 {
				b.DataFormat = ChannelsFirst
			}
			in := b.Input(Shape(x.Shape[1:]))
			m, err := b.Model(in, b.Add(l, in))
			require.NoError(t, err)
			images := tensor.New(tensor.WithShape(x.Shape...), tensor.WithBacking(x.Float32()))
			require.Equal(t, float64s(t, images), predict(t, m, images, false), "inference")
			got := predict(t, m, images, true)
			if c.Int("signs") == 0 {
				require.InDeltaSlice(t, want.Data, got, 1e-4)
				return
			}
			either := c.Tensor("opposite")
			for i := range x.Shape[0] { // each image has a sign of its own
				n := len(got) / x.Shape[0]
				g, y, z := got[i*n:][:n], want.Data[i*n:][:n], either.Data[i*n:][:n]
				require.True(t, near(g, y) || near(g, z), "image %d", i)
			}
		})
	}
}

// Each image has numbers of its own, from all of the range; another step has others. On the engine and Gorgonia's machine they are the same, as augmented sees.
func TestGeometryDraws(t *testing.T) {
	const batch, side = 64, 21
	x := tensor.New(tensor.WithShape(batch, side, side, 2), tensor.Of(tensor.Float32))
	for i := range x.Data().([]float32) { // the pixel's row and column
		x.Data().([]float32)[i] = float32(i / 2 / []int{side, 1}[i%2] % side)
	}
	middle := func(l Layer) (rows, columns []float64) { // what the images' middles are read from
		b := NewBuilder("")
		in := b.Input(Shape{side, side, 2})
		m, err := b.Model(in, b.Add(l, in))
		require.NoError(t, err)
		y := predict(t, m, x, true)
		for i := range batch {
			at := 2 * ((i*side+side/2)*side + side/2)
			rows, columns = append(rows, y[at]-side/2), append(columns, y[at+1]-side/2)
		}
		return rows, columns
	}
	rows, columns := middle(RandomTranslation{HeightFactor: [2]float64{-0.1, 0.3}, WidthFactor: [2]float64{0.1, 0.2}})
	for _, c := range []struct {
		of          []float64
		least, most float64
	}{{rows, -0.3 * side, 0.1 * side}, {columns, -0.2 * side, -0.1 * side}} {
		low, high := slices.Min(c.of), slices.Max(c.of)
		wide := c.most - c.least
		require.True(t, low >= c.least-1e-4 && low < c.least+wide/5 && high > c.most-wide/5 && high <= c.most+1e-4, "%v to %v", low, high)
	}
	for _, l := range []Layer{RandomRotation{Factor: [2]float64{-1, 1}}, RandomZoom{HeightFactor: [2]float64{-0.5, 0.5}}} { // about the middle
		rows, columns = middle(l)
		require.InDeltaSlice(t, make([]float64, 2*batch), append(rows, columns...), 1e-4)
	}
	for _, l := range []Layer{RandomRotation{Factor: [2]float64{-0.5, 0.5}}, RandomTranslation{WidthFactor: [2]float64{0, 1}},
		RandomZoom{HeightFactor: [2]float64{0, 0.5}}, RandomShear{XFactor: [2]float64{0, 0.5}}} {
		for _, f := range []DataFormat{ChannelsLast, ChannelsFirst} {
			_, first := augmented(t, l, f, 1)
			_, second := augmented(t, l, f, 2)
			require.NotEqual(t, first, second)
		}
	}
}
