package train

import (
	"fmt"
	"math"
	"strings"

	"github.com/stheno-ml/stheno/data"
)

// balanced is the class weight that makes all classes count the same: images/(classes·images of the class).
const balanced = "balanced"

// parseClassWeight reads a Config.ClassWeight; nil means that there is none, or that it is balanced.
func parseClassWeight(text string) ([]float32, error) {
	if text == "" || text == balanced {
		return nil, nil
	}
	var weights []float32
	for _, item := range strings.Split(text, ",") {
		v, ok := parseNumber(item)
		if !ok || v < 0 || v > math.MaxFloat32 {
			return nil, fmt.Errorf("train: --class-weight wants %q, or a number of at least 0 for every class with commas between them, got %q", balanced, short(item))
		}
		weights = append(weights, float32(v))
	}
	return weights, nil
}

// classWeights are the weights of the classes of a data set, nil where all weigh 1. limit is the number of images that are trained on, 0
// for all.
func classWeights(text string, d *data.Dataset, limit int) ([]float32, error) {
	weights, err := parseClassWeight(text)
	if err != nil || text == "" {
		return nil, err
	}
	if text != balanced {
		if len(weights) != len(d.Classes) {
			return nil, fmt.Errorf("train: --class-weight has %d numbers, the images have %d classes", len(weights), len(d.Classes))
		}
		return weights, nil
	}
	d = d.Head(limit)
	n, counts := d.Len(), make([]int, len(d.Classes))
	for _, l := range d.Labels {
		counts[l]++
	}
	weights = make([]float32, len(counts))
	for i, count := range counts {
		if count > 0 { // of others there is none to weigh
			weights[i] = float32(float64(n) / float64(len(counts)*count))
		}
	}
	return weights, nil
}
