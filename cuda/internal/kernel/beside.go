package kernel

import "github.com/stheno-ml/stheno/graph"

const (
	// besideSteps is how long a step may last while others begin: about two layers of a backward pass.
	besideSteps = 10
	// besideBytes is the most that a gradient beside other steps reads and writes: larger ones fill a GPU alone, and would only cost memory.
	besideBytes = 24 << 20
	// largeUpdateSteps is the same for updates whose gradients are large, so that the memory of these is soon there for others, and
	// penaltySteps for penalties, which keep nothing.
	largeUpdateSteps, penaltySteps = 2, 1000
	// GroupBytes is of how many bytes of parameters the updates come together: so many that the launch is nothing beside its work, and so
	// few that most of a large net's come beside its backward pass.
	GroupBytes = 24 << 20
)

// Beside implements graph.Overlapper: for how many steps one may last that nothing but updates and outputs waits for.
func Beside(s *graph.Step) int {
	switch s.Instr.Kind() {
	case "L2Penalties":
		return penaltySteps
	case "MomentumUpdate", "AdamUpdate", "FusedUpdate", "Descend":
		if !Gathers(s.Out[0].Bytes(), false) {
			return largeUpdateSteps
		}
		return besideSteps
	}
	if !IsGradient(s) {
		return 0
	}
	bytes := 0
	for _, v := range append(s.In[:len(s.In):len(s.In)], s.Out...) {
		bytes += v.Bytes()
	}
	if bytes > besideBytes {
		return 0
	}
	return besideSteps
}

// IsGradient says whether a step computes what only updates wait for, or a count that only the host does.
func IsGradient(s *graph.Step) bool {
	switch s.Instr.Kind() {
	case "Conv2DBackwardFilter", "BiasGrad", "TopKCorrect":
		return true
	}
	return false
}
