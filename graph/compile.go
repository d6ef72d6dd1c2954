package graph

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// Compile turns a finished graph into a machine: only what the outputs and the updates need is compiled and run.
// Inputs are read from the values of their nodes (gorgonia.Let, gorgonia.WithValue) at every run. What is wrong with the
// graph comes back as a [*CompileError]. Close the machine when it is done.
func Compile(g *gorgonia.ExprGraph, opts ...Option) (*Machine, error) {
	o := newOptions(nil, opts)
	if g == nil {
		return nil, &CompileError{Stage: "capture", Reason: "the graph is nil"}
	}
	if o.engine == nil {
		e, err := Open(defaultDevice, Config{})
		if err != nil {
			return nil, err
		}
		o.engine, o.owned = e, true
	}
	m, err := compile(g, o)
	if err != nil && o.owned {
		o.engine.Close()
	}
	return m, err
}

func compile(g *gorgonia.ExprGraph, o options) (*Machine, error) {
	o.graph = g
	plan, host, err := makePlan(g, &o)
	if err != nil {
		return nil, err
	}
	if len(host) > 0 {
		slices.Sort(host)
		o.logf("no kernel for %s: computed by the operation's own Do, on copies", strings.Join(slices.Compact(host), ", "))
	}
	prog, err := o.engine.Build(plan)
	if err != nil {
		return nil, &CompileError{Stage: "build", Reason: "engine " + o.engine.Name() + " cannot run the plan", Err: err}
	}
	m, err := newMachine(plan, prog, o)
	if err != nil {
		prog.Close()
		return nil, err
	}
	return m, nil
}

// PlanFor compiles g as [Compile] does, but stops before an engine builds it. Without [WithEngine] it plans for [Null], which
// fuses all that can be fused.
func PlanFor(g *gorgonia.ExprGraph, opts ...Option) (*Plan, error) {
	if g == nil {
		return nil, &CompileError{Stage: "capture", Reason: "the graph is nil"}
	}
	o := newOptions(Null{}, opts)
	p, _, err := makePlan(g, &o)
	return p, err
}

func makePlan(g *gorgonia.ExprGraph, o *options) (*Plan, []string, error) {
	if !o.demanded() {
		o.addStatements(g)
		o.outputs = roots(g)
	}
	if !o.demanded() {
		o.outputs = onCycle(g)
	}
	if !o.demanded() {
		return nil, nil, &CompileError{Stage: "capture", Reason: "the graph computes nothing", Remedy: "name outputs with WithOutputs"}
	}
	outputs := o.outputs
	for i, n := range outputs {
		if n != nil && isStatement(n) {
			return nil, nil, &CompileError{Stage: "capture", Node: n.Name(), Reason: "a statement has no value",
				Remedy: "name the node that it reads in WithOutputs"}
		}
		if n == nil {
			return nil, nil, &CompileError{Stage: "capture", Reason: fmt.Sprintf("output %d is nil", i)}
		}
	}
	if o.budget > 0 {
		return planWithin(g, o)
	}
	return planWith(g, o, o.recompute)
}

// planWith compiles with one way of recomputation.
func planWith(g *gorgonia.ExprGraph, o *options, r Recompute) (*Plan, []string, error) {
	if r.kind == recomputeSegments && r.segments == 0 {
		return planSegments(g, o)
	}
	prog, err := capture(g, o)
	if err != nil {
		return nil, nil, err
	}
	plan, err := finishPlan(prog, o, r)
	return plan, prog.host, err
}

// demanded says whether anything is to be computed.
func (o *options) demanded() bool {
	return len(o.outputs) > 0 || len(o.updates) > 0 || len(o.reads) > 0 || len(o.gradients) > 0
}

// onCycle returns a node of a graph without roots that computes something, which capture will find to be on or behind a cycle.
func onCycle(g *gorgonia.ExprGraph) []*gorgonia.Node {
	for _, n := range g.AllNodes() {
		if n.Op() != nil && !isConstant(n) && !isStatement(n) {
			return []*gorgonia.Node{n}
		}
	}
	return nil
}

// finishPlan is the compiler behind capture.
func finishPlan(prog *program, o *options, r Recompute) (*Plan, error) {
	prog.scarce = o.scarce || r.kind != recomputeOff
	if o.seen != nil {
		o.seen("", prog)
	}
	for _, pass := range o.passes {
		pass.run(prog, o.engine)
		if o.seen != nil {
			o.seen(pass.name, prog)
		}
	}
	if err := recompute(prog, r); err != nil {
		return nil, err
	}
	if o.seen != nil {
		o.seen("recompute", prog)
	}
	if !o.plain {
		markOnce(prog, o.engine)
	}
	if err := order(prog, o.engine); err != nil {
		return nil, err
	}
	planBeside(prog, o.engine)
	plan := prog.plan(planMemory(prog, o.engine))
	plan.Recompute = r
	return plan, nil
}

// plan drops the values that passes left without use and numbers the rest in the order of their appearance.
func (p *program) plan(arena int) *Plan {
	plan := &Plan{Steps: p.steps, Outputs: p.outputs, Assigns: p.assigns, ArenaBytes: arena,
		kept: p.kept, slices: p.slices, counter: p.counter}
	seen := map[*Value]bool{}
	add := func(v *Value) {
		for ; v != nil && !seen[v]; v = v.Alias {
			seen[v] = true
			plan.Values = append(plan.Values, v)
		}
	}
	for _, v := range p.values {
		if v.Input { // first, in the order in which the graph needs them; unused inputs were never captured
			add(v)
		}
	}
	for _, s := range p.steps {
		for _, v := range s.In {
			add(v)
		}
		for _, v := range s.Out {
			add(v)
		}
	}
	for _, a := range p.assigns {
		add(a.Target)
		add(a.New)
	}
	for _, v := range p.kept {
		add(v)
	}
	for i, v := range plan.Values {
		v.ID = i
		if v.Input {
			plan.Inputs = append(plan.Inputs, v)
		}
	}
	return plan
}

// roots returns the nodes that nothing reads, without inputs, constants, and the gradients that gorgonia.Grad leaves
// behind unused. ExprGraph.Roots is not used: it caches and goes stale.
func roots(g *gorgonia.ExprGraph) []*gorgonia.Node {
	nodes := g.AllNodes()
	readers := map[*gorgonia.Node]int{}
	for _, n := range nodes {
		if isStatement(n) {
			continue
		}
		for _, c := range op.Children(n) {
			readers[c]++
		}
	}
	var out []*gorgonia.Node
	for _, n := range slices.Backward(nodes) { // readers come after what they read
		if readers[n] > 0 || n.Op() == nil || isStatement(n) {
			continue
		}
		if unusedGradient(n) {
			for _, c := range op.Children(n) {
				readers[c]--
			}
		} else if _, constant := constantOf(n); !constant {
			out = append(out, n)
		}
	}
	slices.Reverse(out)
	return out
}

// unusedGradient says that gorgonia.Grad made n on its way and found no use for it: it is the derivative of no node.
func unusedGradient(n *gorgonia.Node) bool { return inGradients(n) && len(n.DerivOf()) == 0 }
