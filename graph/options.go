package graph

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// defaultDevice is where graphs run that were given no engine. Tests try others.
var defaultDevice = "cpu"

// Option configures [Compile].
type Option func(*options)

type options struct {
	engine  Engine
	owned   bool // the machine closes the engine
	outputs []*gorgonia.Node
	updates []op.Update
	mode    mode
	logf    func(format string, args ...any)
	passes  []pass // the list passes; tests run parts of it
	plain   bool   // every step runs every time

	recompute Recompute
	budget    int  // bytes, 0 means none
	scarce    bool // memory counts for more than time: see Gatherer
	resident  []*gorgonia.Node
	constants []*gorgonia.Node
	shared    []*gorgonia.Node
	since     *gorgonia.Node

	// What tape machines have besides (tape.go).
	reads     []reading
	gradients []gradient
	soft      []*gorgonia.Node // values to leave bound if they are computed
	explained []*gorgonia.Node // nodes that are bound to a ValueNotKept if they have no value
	graph     *gorgonia.ExprGraph
	watch     watchlist
	trace     bool // values that are left bound are copies
	turn      *turn
	seen      func(pass string, p *program) // is shown the program before the first pass, called "", and after each; may be nil
}

func newOptions(e Engine, opts []Option) options {
	o := options{engine: e, logf: func(string, ...any) {}, passes: passes}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return o
}

// WithEngine runs the plan on e, which the caller opened and closes. Without it, Compile opens the CPU engine (import
// its package) and the machine closes it.
func WithEngine(e Engine) Option {
	return func(o *options) {
		if e != nil {
			o.engine = e
		}
	}
}

// WithOutputs names the nodes whose values are wanted after a run. Without it, the roots of the graph are,
// or nothing if there are updates.
func WithOutputs(nodes ...*gorgonia.Node) Option {
	return func(o *options) { o.outputs = append(o.outputs, nodes...) }
}

// WithUpdates adds assignments that take effect at the end of every run, all at once.
func WithUpdates(updates ...op.Update) Option {
	return func(o *options) { o.updates = append(o.updates, updates...) }
}

// WithResident names inputs whose tensors stay as they are from run to run, such as the weights of a model that is evaluated. What is
// changed in them counts after [Machine.Refresh], or when another tensor is bound with gorgonia.Let. An engine with memory of its own
// brings them there once; the CPU engine computes once what depends on nothing else, such as filters into which a batch norm has been
// folded, and keeps filters and matrices as its kernels read them. Of variables, which updates change, nothing of this is true.
func WithResident(nodes ...*gorgonia.Node) Option {
	return func(o *options) { o.resident = append(o.resident, nodes...) }
}

// WithConstants names inputs whose tensors never change, such as a data set of which every run takes a part: as [WithResident], but
// [Machine.Refresh] does not bring them to the device again.
func WithConstants(nodes ...*gorgonia.Node) Option {
	return func(o *options) { o.constants = append(o.constants, nodes...) }
}

// WithVariables names inputs that other machines update on the same engine, such as the weights in a program that reads them between two
// updates: as of variables, the engine has the newest values, and nothing that is made of them is kept from run to run.
func WithVariables(nodes ...*gorgonia.Node) Option {
	return func(o *options) { o.shared = append(o.shared, nodes...) }
}

// WithUpdatesSince says that nodes made after n, such as those of an optimizer after those of the gradients, only serve updates where no output
// needs them: each runs as soon as its inputs are there, so that gradients die young. Of operations that are made for updates, such as
// op.Momentum, this is known without it.
func WithUpdatesSince(n *gorgonia.Node) Option {
	return func(o *options) { o.since = n }
}

// WithoutPasses compiles a graph as it stands, a step a node and nothing fused or computed once: the plan to compare another one with when a
// result is in doubt.
func WithoutPasses() Option {
	return func(o *options) { o.passes, o.plain = only("view", "materialise"), true }
}

// WithLog receives a line about what a user may want to know, such as the operations without a kernel. Nil is silence.
func WithLog(logf func(format string, args ...any)) Option {
	return func(o *options) {
		if logf != nil {
			o.logf = logf
		}
	}
}

// WithRecompute throws results of the forward pass away and computes them again for the backward pass, so that a training
// step needs less memory. It changes no result.
func WithRecompute(r Recompute) Option {
	return func(o *options) { o.recompute = r }
}

// WithMemoryBudget computes again as little as makes [Plan.PeakBytes] at most n; [WithRecompute] is then not looked at. If
// nothing does, Compile returns a [*BudgetError] that tells the least there is. 0 means no budget.
func WithMemoryBudget(n int) Option {
	return func(o *options) { o.budget = n }
}
