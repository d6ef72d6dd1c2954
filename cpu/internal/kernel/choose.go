package kernel

import (
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/graph/op"
)

// Pass is one of the three computations of a convolution.
type Pass uint8

const (
	Forward Pass = iota
	BackwardInput
	BackwardFilter
)

// String is "forward", "input" or "filter".
func (p Pass) String() string { return [...]string{"forward", "input", "filter"}[p] }

// Conv is what the choice among the ways to compute a convolution depends on; two that are equal are computed the same way.
// Threads are not in it: ways differ in rounding, and results must not depend on the number of threads.
type Conv struct {
	Pass     Pass
	Geometry op.ConvGeometry
	Frozen   bool        // the filter stays the same from run to run
	Double   bool        // the elements are float64
	Rounds   bool        // the products round their factors to bfloat16
	Level    cpuid.Level // of the kernels
}

// Way is a way to compute a convolution and what it is expected to take.
type Way struct {
	Name    string
	Seconds float64 // on one thread, see cost.go
}

// The ways of convolutions.
const (
	byDepth    = "depthwise"
	byGemm     = "gemm"          // the images themselves are a factor
	byPatches  = "implicit gemm" // patches are gathered
	byTaps     = "gemm by tap"
	byRows     = "gemm by row" // patches are read where they lie
	byWinograd = "winograd 4x4"
)

// Ways lists the ways that there are to compute a convolution, at least one, with the model's estimates.
func (c Conv) Ways() []Way {
	g := c.Geometry
	switch {
	case c.direct():
		return []Way{{Name: byDepth}}
	case isPointwise(g):
		return []Way{{Name: byGemm}}
	}
	ways := []Way{{byPatches, c.patchesCost()}}
	if c.canTaps() {
		ways = append(ways, Way{byTaps, c.tapsCost()})
	}
	if c.canWinograd() {
		ways = append(ways, Way{byWinograd, c.winogradCost()})
	}
	if c.canRows() {
		ways = append(ways, Way{byRows, c.rowsCost()})
	}
	return ways
}

// direct says whether it is computed by sums in registers.
func (c Conv) direct() bool {
	return isDepthwise(c.Geometry) || isNarrow(c.Geometry) && !c.Rounds
}

// canTaps says whether there are few enough positions for products of their own.
func (c Conv) canTaps() bool {
	g := c.Geometry
	return g.Groups == 1 && g.H.Out*g.W.Out <= tinyPixels
}

// canRows says whether rowConv computes it: windows that follow each other must be as far apart in a row as their elements. Pairs of
// bfloat16 would not be, where there is an odd number of channels.
func (c Conv) canRows() bool {
	g := c.Geometry
	return c.Pass == Forward && !c.Rounds && g.Groups == 1 && (g.W.Dilation == 1 || g.W.Kernel == 1)
}

// forcedWay, if it is not empty, is taken wherever it is one of the ways. Tests set it.
var forcedWay string

// way is the way a convolution is computed: what tests force, what Choose says, or what the model expects to be fastest.
func (e Env[T]) way(pass Pass, g op.ConvGeometry, frozen bool) string {
	c := Conv{pass, g, frozen, unsafe.Sizeof(*new(T)) == 8, e.Gemm.Rounds(), e.Gemm.Level()}
	ways := c.Ways()
	for _, w := range ways {
		if w.Name == forcedWay {
			return w.Name
		}
	}
	if e.Choose != nil && len(ways) > 1 {
		name := e.Choose(c, ways)
		for _, w := range ways {
			if w.Name == name {
				return name
			}
		}
	}
	return Best(ways).Name
}
