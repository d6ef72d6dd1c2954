package graph

import (
	"maps"
	"slices"

	"gorgonia.org/gorgonia"
)

// DefaultDevice is where graphs run that were given no engine.
var DefaultDevice = &defaultDevice

// PlanWith is PlanFor with the named passes only. The pass "materialise" always runs: without it outputs have no
// memory.
func PlanWith(g *gorgonia.ExprGraph, names []string, opts ...Option) (*Plan, error) {
	wanted := map[string]bool{"materialise": true}
	for _, n := range names {
		wanted[n] = true
	}
	o := newOptions(Null{}, opts)
	o.passes = nil
	for _, p := range passes {
		if wanted[p.name] {
			o.passes = append(o.passes, p)
			delete(wanted, p.name)
		}
	}
	if len(wanted) != 0 {
		return nil, &CompileError{Stage: "test", Reason: "unknown passes"}
	}
	p, _, err := makePlan(g, &o)
	return p, err
}

// PassNames lists the passes in their order.
func PassNames() []string {
	var names []string
	for _, p := range passes {
		names = append(names, p.name)
	}
	return names
}

// Work counts what the compiler does with a graph, in the elementary pieces that its stages count.
func Work(g *gorgonia.ExprGraph, opts ...Option) (int, error) {
	o := newOptions(Null{}, opts)
	p, err := capture(g, &o)
	if err != nil {
		return 0, err
	}
	_, err = finishPlan(p, &o, o.recompute)
	return p.work, err
}

// StockOps lists the names of the types of Gorgonia's operations that are translated.
func StockOps() []string { return slices.Sorted(maps.Keys(stockOps)) }
