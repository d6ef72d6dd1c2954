package shape_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/internal/shape"
)

func TestIdleTaps(t *testing.T) {
	cases := map[string]struct {
		in, kernel, stride int
		mode               shape.PadMode
		before, after      int
		first, left        int
	}{
		"one element":             {in: 1, kernel: 3, stride: 1, mode: shape.Same, first: 1, left: 1},
		"two elements":            {in: 2, kernel: 3, stride: 1, mode: shape.Same, left: 3},
		"two to one":              {in: 2, kernel: 3, stride: 2, mode: shape.Same, left: 2},
		"two to one, centered":    {in: 2, kernel: 3, stride: 2, mode: shape.Explicit, before: 1, after: 1, first: 1, left: 2},
		"five taps, one element":  {in: 1, kernel: 5, stride: 1, mode: shape.Same, first: 2, left: 1},
		"five taps, two elements": {in: 2, kernel: 5, stride: 1, mode: shape.Same, first: 1, left: 3},
		"no padding":              {in: 4, kernel: 3, stride: 1, mode: shape.Valid, left: 3},
		"even":                    {in: 1, kernel: 2, stride: 1, mode: shape.Same, left: 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := shape.Along(c.in, c.kernel, c.stride, 1, c.mode, c.before, c.after)
			require.NoError(t, err)
			cut, first, ok := s.WithoutIdleTaps()
			assert.Equal(t, c.left != c.kernel, ok)
			assert.Equal(t, c.first, first)
			assert.Equal(t, c.left, cut.Kernel)
		})
	}
}

// What is left reads the same elements for the same outputs, and every tap that is gone read none.
func TestIdleTapsReadNothing(t *testing.T) {
	cuts := 0
	for in := 1; in <= 5; in++ {
		for kernel := 1; kernel <= 7; kernel++ {
			for stride := 1; stride <= 3; stride++ {
				for dilation := 1; dilation <= 3; dilation++ {
					for before := 0; before <= 6; before++ {
						for after := 0; after <= 6; after++ {
							s, err := shape.Along(in, kernel, stride, dilation, shape.Explicit, before, after)
							if err != nil {
								continue
							}
							cut, first, ok := s.WithoutIdleTaps()
							if !ok {
								assert.Equal(t, s, cut)
								continue
							}
							cuts++
							require.GreaterOrEqual(t, cut.Before, 0, "%+v", s)
							require.GreaterOrEqual(t, cut.After, 0, "%+v", s)
							again, err := shape.Along(in, cut.Kernel, stride, dilation, shape.Explicit, cut.Before, cut.After)
							require.NoError(t, err, "%+v", s)
							require.Equal(t, again, cut, "%+v", s)
							require.Equal(t, reads(s, 0), reads(cut, first), "%+v", s)
						}
					}
				}
			}
		}
	}
	assert.Greater(t, cuts, 1000)
}

// reads lists output, tap and input element wherever a tap is on one; the taps are counted from first on.
func reads(s shape.Span, first int) (all [][3]int) {
	for o := range s.Out {
		for k := range s.Kernel {
			if i := o*s.Stride - s.Before + k*s.Dilation; i >= 0 && i < s.In {
				all = append(all, [3]int{o, k + first, i})
			}
		}
	}
	return all
}
