package cpu

import (
	"maps"
	"slices"
)

// VectoredKinds lists vectored.
func VectoredKinds() []string { return slices.Sorted(maps.Keys(vectored)) }
