package graph

import (
	"fmt"
	"log"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"gorgonia.org/gorgonia"
)

// tapeSettings is what the options of a tape machine said.
type tapeSettings struct {
	graph    *gorgonia.ExprGraph // of gorgonia.WithPrecompiled, else nil
	bind     bool                // gorgonia.BindDualValues
	bindTo   gorgonia.Nodes      // its nodes; none means all inputs
	evaluate bool                // gorgonia.EvalMode
	trace    bool                // gorgonia.TraceExec
	watch    watchlist           // gorgonia.WithNaNWatch, WithInfWatch, WithLogger, WithWatchlist
	own      tapeOptions         // ours
}

// tapeOptions are the options of a tape machine that stock Gorgonia does not have.
type tapeOptions struct {
	compile []Option
	keep    []*gorgonia.Node
	seed    *uint64
}

// A gorgonia.VMOpt is a function that sets fields of Gorgonia's own machine. So that stock options work here, they are
// given a machine of that type, which never runs, and its fields are read. Our own options are functions of the same type; they
// find what they set under that machine's address, and do nothing to a machine of Gorgonia's that really is one.
var ownOptions sync.Map // gorgonia.VM → *tapeOptions

func ownOption(set func(o *tapeOptions)) gorgonia.VMOpt {
	return func(m gorgonia.VM) {
		if o, ok := ownOptions.Load(m); ok {
			set(o.(*tapeOptions))
		}
	}
}

// Using passes options of [Compile] to [NewTapeMachine]: an engine, a log, recomputation. Outputs and updates add to those
// that the graph itself asks for.
func Using(opts ...Option) gorgonia.VMOpt {
	return ownOption(func(o *tapeOptions) { o.compile = append(o.compile, opts...) })
}

// Keep leaves the values of nodes bound to them after every run of a [NewTapeMachine], whatever their size and even if a
// fused operation has no other use for them.
func Keep(nodes ...*gorgonia.Node) gorgonia.VMOpt {
	return ownOption(func(o *tapeOptions) { o.keep = append(o.keep, nodes...) })
}

// WithSeed makes dropout and random nodes of a [NewTapeMachine] repeat themselves from run to run of the program. Without
// it they are seeded by the clock, as in stock Gorgonia.
func WithSeed(seed uint64) gorgonia.VMOpt {
	return ownOption(func(o *tapeOptions) { o.seed = &seed })
}

// The bits of stock Gorgonia's flags (vm.go); TestStockVMOptions watches them.
const (
	flagWatchNaN = 2
	flagWatchInf = 3
	flagTrace    = 6
	flagBind     = 7
	flagWatchAll = 8
)

func readTapeOptions(opts []gorgonia.VMOpt) (s tapeSettings, err error) {
	shim := reflect.New(reflect.TypeOf(gorgonia.NewTapeMachine).Out(0).Elem())
	vm := shim.Interface().(gorgonia.VM)
	ownOptions.Store(vm, &s.own)
	defer ownOptions.Delete(vm)
	defer func() {
		if r := recover(); r != nil { // that is how Gorgonia's options refuse a machine
			what, _, _ := strings.Cut(fmt.Sprint(r), "&{") // the fields of Gorgonia's machine say nothing
			err = &CompileError{Stage: "capture", Reason: "an option is not for tape machines: " + strings.TrimSuffix(what, " for "),
				Remedy: "leave it out, or use gorgonia.NewLispMachine"}
		}
	}()
	for _, opt := range opts {
		if opt != nil {
			opt(vm)
		}
	}
	v := shim.Elem()
	field := func(name string) reflect.Value { // reflect hands out unexported fields for looking at only
		f := v.FieldByName(name)
		return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem()
	}
	run, logs := field("runFlags").Uint(), field("logFlags").Uint()
	on := func(flags uint64, bit int) bool { return flags>>bit&1 == 1 }
	s.bind, s.bindTo = on(run, flagBind), slices.Clone(field("bindNodesDV").Interface().(gorgonia.Nodes))
	s.evaluate, s.trace = field("evalMode").Bool(), on(run, flagTrace)
	s.watch = watchlist{
		nan: on(run, flagWatchNaN), inf: on(run, flagWatchInf), all: on(logs, flagWatchAll),
		nodes:  slices.Clone(field("watchNodes").Interface().(gorgonia.Nodes)),
		logger: field("logger").Interface().(*log.Logger), format: field("valueFmt").String(),
	}
	if s.watch.format == "" {
		s.watch.format = "%3.3g"
	}
	for _, id := range field("watchNodeIDs").Interface().([]gorgonia.NodeID) {
		s.watch.ids = append(s.watch.ids, int64(id))
	}
	if p := field("p"); !p.IsNil() {
		s.graph = p.Interface().(interface{ Graph() *gorgonia.ExprGraph }).Graph()
	}
	return s, nil
}
