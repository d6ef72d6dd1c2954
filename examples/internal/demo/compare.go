package demo

import (
	"fmt"
	"math"
	"testing"

	"gorgonia.org/tensor"
)

// Compare trains the model on both machines and expects the same costs up to rounding, and that it learned something.
func Compare(t *testing.T, build Build, steps int) {
	t.Helper()
	for _, c := range []struct {
		dt        tensor.Dtype
		tolerance float64 // of a cost, relative; rounding errors grow with the steps
	}{{tensor.Float64, 1e-9}, {tensor.Float32, 2e-3}} {
		t.Run(fmt.Sprint(c.dt), func(t *testing.T) {
			ours, stock := curve(t, build, Stheno, c.dt, steps), curve(t, build, Gorgonia, c.dt, steps)
			for i := range ours {
				if off := math.Abs(ours[i] - stock[i]); !(off <= c.tolerance*math.Abs(stock[i])) {
					t.Fatalf("step %d: cost %v on Stheno's machine, %v on Gorgonia's", i+1, ours[i], stock[i])
				}
			}
			if first, last := ours[0], ours[steps-1]; !(last < first) {
				t.Errorf("the cost went from %v to %v in %d steps", first, last, steps)
			}
		})
	}
}

func curve(t *testing.T, build Build, machine string, dt tensor.Dtype, steps int) (costs []float64) {
	t.Helper()
	m, err := build(dt)
	if err != nil {
		t.Fatal(err)
	}
	if err := Train(m, machine, steps, func(_ int, cost float64) { costs = append(costs, cost) }); err != nil {
		t.Fatalf("%s: %v", machine, err)
	}
	return costs
}
