package tensorboard

import (
	"fmt"
	"math"
)

// buckets is their number, TensorBoard's default.
const buckets = 30

// histogram counts values in buckets of equal width from the least to the largest: rows of left edge, right edge, count. All counts are in the
// last bucket where all values are the same, and no values leave every row 0, as TensorBoard's own summary does.
func histogram(values []float32) ([][3]float64, error) {
	rows := make([][3]float64, buckets)
	if len(values) == 0 {
		return rows, nil
	}
	least, most := math.Inf(1), math.Inf(-1)
	for i, v := range values {
		if v-v != 0 {
			return nil, fmt.Errorf("value %d is %v; a histogram wants finite numbers", i, v)
		}
		least, most = min(least, float64(v)), max(most, float64(v))
	}
	width := (most - least) / buckets
	edge := func(i int) float64 { return least + float64(float64(i)*width) } // rounded twice on every machine
	for i := range rows {
		rows[i][0], rows[i][1] = edge(i), edge(i+1)
	}
	rows[buckets-1][1] = most
	for _, v := range values {
		i := buckets - 1
		if width > 0 {
			i = min(int((float64(v)-least)/width), buckets-1)
		}
		rows[i][2]++
	}
	return rows, nil
}
