package data

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func small(n, h, w, c int) *Dataset {
	d := &Dataset{Name: "small", Shape: [3]int{h, w, c}, Classes: []string{"a", "b", "c"}}
	for i := range n {
		d.Labels = append(d.Labels, int32(i%3))
		for p := range h * w * c {
			d.Images = append(d.Images, byte(i*31+p*5+1))
		}
	}
	return d
}

func TestHeadSharesMemory(t *testing.T) {
	d := small(5, 2, 3, 1)
	require.Same(t, d, d.Head(0))
	require.Same(t, d, d.Head(5))
	require.Same(t, d, d.Head(9))
	h := d.Head(2)
	require.Equal(t, 2, h.Len())
	require.NoError(t, h.Validate())
	require.Same(t, &d.Images[0], &h.Images[0])
}

func TestExpand(t *testing.T) {
	d := small(2, 2, 3, 1)
	e, err := d.Expand(5, 4, 3) // three rows more: one above, two below; one column more: to the right
	require.NoError(t, err)
	require.NoError(t, e.Validate())
	for i := range 2 {
		for y := range 5 {
			for x := range 4 {
				want := byte(0)
				if y >= 1 && y < 3 && x < 3 {
					want = d.Image(i)[(y-1)*3+x]
				}
				at := (y*4 + x) * 3
				require.Equal(t, []byte{want, want, want}, e.Image(i)[at:at+3], "image %d (%d, %d)", i, y, x)
			}
		}
	}
	same, err := small(1, 2, 2, 3).Expand(2, 2, 3)
	require.NoError(t, err)
	require.Equal(t, small(1, 2, 2, 3).Images, same.Images)
	for _, s := range [][3]int{{1, 3, 1}, {2, 2, 1}, {2, 3, 0}} {
		_, err := d.Expand(s[0], s[1], s[2])
		require.Error(t, err)
	}
	_, err = small(1, 2, 2, 3).Expand(2, 2, 1)
	require.ErrorContains(t, err, "cannot turn")
}

func TestValidate(t *testing.T) {
	var none *Dataset
	require.ErrorContains(t, none.Validate(), "nil")
	for name, c := range map[string]struct {
		change func(*Dataset)
		text   string
	}{
		"no images":   {func(d *Dataset) { d.Labels, d.Images = nil, nil }, "holds no images"},
		"shape":       {func(d *Dataset) { d.Shape[1] = 0 }, "image shape 2×0×1"},
		"pixels":      {func(d *Dataset) { d.Images = d.Images[:7] }, "2 labels of 2×2×1 images want 8 pixel bytes, there are 7"},
		"label":       {func(d *Dataset) { d.Labels[1] = 3 }, "label of image 1: expected 0 … 2, found 3"},
		"negative":    {func(d *Dataset) { d.Labels[0] = -1 }, "found -1"},
		"coarse":      {func(d *Dataset) { d.CoarseLabels = []int32{0, 0} }, "coarse label of image 0"},
		"few coarse":  {func(d *Dataset) { d.CoarseLabels = []int32{0}; d.CoarseClasses = []string{"x"} }, "1 coarse labels for 2 images"},
		"no classes":  {func(d *Dataset) { d.Classes = nil }, "label of image 0"},
		"wrong count": {func(d *Dataset) { d.Labels = d.Labels[:1] }, "1 labels"},
	} {
		t.Run(name, func(t *testing.T) {
			d := small(2, 2, 2, 1)
			c.change(d)
			require.ErrorContains(t, d.Validate(), c.text)
		})
	}
}

func TestCoarse(t *testing.T) {
	_, err := small(1, 1, 1, 1).Coarse()
	require.ErrorContains(t, err, "no coarse labels")
	d := newCIFAR("cifar100/test", CIFAR100)
	d.Labels, d.CoarseLabels, d.Images = []int32{99}, []int32{13}, make([]byte, cifarPixels)
	c, err := d.Coarse()
	require.NoError(t, err)
	require.NoError(t, c.Validate())
	require.Len(t, c.Classes, 20)
	require.Equal(t, "non-insect_invertebrates", c.Classes[c.Labels[0]])
}

func TestClassNames(t *testing.T) {
	require.Len(t, cifar10Classes(), 10)
	require.Len(t, cifar100Classes(), 100)
	require.Len(t, cifar100Coarse(), 20)
	require.Len(t, fashionClasses(), 10)
	require.Len(t, digitClasses(), 10)
	require.Equal(t, "Ankle boot", fashionClasses()[9])
}

func TestSample(t *testing.T) {
	s, err := Sample()
	require.NoError(t, err)
	require.Equal(t, [3]int{32, 32, 3}, s.Train.Shape)
	for _, c := range []struct {
		set      *Dataset
		perClass int
	}{{s.Train, 500}, {s.Test, 100}} {
		require.NoError(t, c.set.Validate())
		d := Describe(c.set)
		for class, n := range d.PerClass {
			require.Equal(t, c.perClass, n, "class %d", class)
		}
		// Real clothes on black: means of the complete set are 0.286 and 0.353 without the border of 2 in 28.
		require.InDelta(t, 0.286*28*28/32/32, d.Mean[0], 0.01)
		require.Equal(t, d.Mean[0], d.Mean[2])
	}
	require.NotEqual(t, s.Train.Image(0), s.Test.Image(0))
}

func TestDescribe(t *testing.T) {
	d := &Dataset{Name: "d", Shape: [3]int{1, 2, 2}, Classes: []string{"a", "b", "c"}, Labels: []int32{2, 2},
		Images: []byte{0, 10, 255, 10, 0, 10, 255, 10}}
	s := Describe(d)
	require.Equal(t, []int{0, 0, 2}, s.PerClass)
	require.Equal(t, []float64{0.5, 10.0 / 255}, s.Mean)
	require.Equal(t, []float64{0.5, 0}, s.Std)
	require.Equal(t, []byte{0, 10}, s.Min)
	require.Equal(t, []byte{255, 10}, s.Max)
	require.Zero(t, Describe(nil).Images)
	require.Equal(t, Normalize{Mean: []float32{0.5, 10.0 / 255}, Std: []float32{0.5, 1}}, Standardize(d))
}
