package op

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTopKCorrect(t *testing.T) {
	for _, c := range []struct {
		name   string
		scores []float64 // one row of four classes
		label  int
		first  int // the least K for which the row counts; 0 if none does
	}{
		{"best", []float64{1, 4, 2, 3}, 1, 1},
		{"second", []float64{1, 4, 2, 3}, 3, 2},
		{"last", []float64{1, 4, 2, 3}, 0, 4},
		{"tied for the best", []float64{4, 4, 2, 3}, 1, 1},
		{"tied for the second", []float64{3, 4, 3, 3}, 3, 2},
		{"all tied", []float64{0, 0, 0, 0}, 3, 1},
		{"the label is NaN", []float64{1, nan, 2, 3}, 1, 0},
		{"another class is NaN", []float64{1, nan, 2, 3}, 3, 1},
		{"+Inf", []float64{1, inf, 2, inf}, 1, 1},
		{"−Inf", []float64{-inf, 1, 2, 3}, 0, 4},
	} {
		for k := 1; k <= 6; k++ {
			want := 0.
			if c.first > 0 && k >= c.first {
				want = 1
			}
			got := reference(t, &TopKCorrect{K: k}, matrix(1, 4, c.scores...), labels(c.label))
			require.Equal(t, []float64{want}, got.Data, "%s, K = %d", c.name, k)
		}
	}
	many := reference(t, &TopKCorrect{K: 1}, matrix(3, 2, 1, 2, 2, 1, 1, 2), labels(1, 1, 1))
	require.Equal(t, []float64{2}, many.Data)
	require.Empty(t, many.Shape)
}
