package main

import (
	"testing"

	"github.com/stheno-ml/stheno/examples/internal/demo"
)

// Four steps: in float32, rounding decides maxima and rectifiers that are nearly ties, and later costs drift apart. Gorgonia's
// gradients are then up to 1 % off those in float64, ours less than a millionth.
func TestMachinesAgree(t *testing.T) { demo.Compare(t, build, 4) }
