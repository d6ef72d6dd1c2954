package graph_test

import (
	"bytes"
	"fmt"
	"log"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// What the options set, which capture reads by reflection: a new Gorgonia that names it otherwise fails here.
func TestStockVMOptions(t *testing.T) {
	g, x, _ := doubled(t)
	machine := reflect.TypeOf(gorgonia.NewTapeMachine).Out(0).Elem()
	for name, kind := range map[string]string{
		"p": "*gorgonia.program", "bindNodesDV": "gorgonia.Nodes", "watchNodes": "gorgonia.Nodes", "watchNodeIDs": "[]gorgonia.NodeID",
		"logger": "*log.Logger", "valueFmt": "string", "logFlags": "uint16", "runFlags": "uint16", "evalMode": "bool",
	} {
		f, ok := machine.FieldByName(name)
		require.True(t, ok, "field %s is gone", name)
		require.Equal(t, kind, f.Type.String(), name)
	}
	require.NoError(t, gorgonia.Let(x, vector(1, 2, 3)))
	flags := func(field string, opts ...gorgonia.VMOpt) uint64 {
		m := gorgonia.NewTapeMachine(g, opts...)
		defer m.Close()
		return reflect.ValueOf(m).Elem().FieldByName(field).Uint()
	}
	none := flags("runFlags")
	require.Zero(t, flags("logFlags"))
	require.Equal(t, uint64(1<<2), flags("runFlags", gorgonia.WithNaNWatch())^none)
	require.Equal(t, uint64(1<<3), flags("runFlags", gorgonia.WithInfWatch())^none)
	require.Equal(t, uint64(1<<6), flags("runFlags", gorgonia.TraceExec())^none)
	require.Equal(t, uint64(1<<7), flags("runFlags", gorgonia.BindDualValues())^none)
	require.Equal(t, uint64(1<<8), flags("logFlags", gorgonia.WithWatchlist()))
}

// Every option that Gorgonia's tape machine takes leaves results as they are, alone and with all others.
func TestTapeTakesStockOptions(t *testing.T) {
	silent := log.New(new(bytes.Buffer), "", 0)
	options := map[string]func(n *tapeNet) gorgonia.VMOpt{
		"none":               func(*tapeNet) gorgonia.VMOpt { return nil },
		"EvalMode":           func(*tapeNet) gorgonia.VMOpt { return gorgonia.EvalMode() },
		"WithLogger":         func(*tapeNet) gorgonia.VMOpt { return gorgonia.WithLogger(silent) },
		"WithLogger(nil)":    func(*tapeNet) gorgonia.VMOpt { return gorgonia.WithLogger(nil) },
		"WithValueFmt":       func(*tapeNet) gorgonia.VMOpt { return gorgonia.WithValueFmt("%v") },
		"WithWatchlist":      func(*tapeNet) gorgonia.VMOpt { return gorgonia.WithWatchlist() },
		"WithWatchlist of":   func(n *tapeNet) gorgonia.VMOpt { return gorgonia.WithWatchlist(n.cost, gorgonia.NodeID(1), 2) },
		"WithNaNWatch":       func(*tapeNet) gorgonia.VMOpt { return gorgonia.WithNaNWatch() },
		"WithInfWatch":       func(*tapeNet) gorgonia.VMOpt { return gorgonia.WithInfWatch() },
		"WithPointerWatch":   func(*tapeNet) gorgonia.VMOpt { return gorgonia.WithPointerWatch() },
		"TraceExec":          func(*tapeNet) gorgonia.VMOpt { return gorgonia.TraceExec() },
		"BindDualValues":     func(*tapeNet) gorgonia.VMOpt { return gorgonia.BindDualValues() },
		"BindDualValues of":  func(n *tapeNet) gorgonia.VMOpt { return gorgonia.BindDualValues(n.weights...) },
		"WithManualGradient": func(*tapeNet) gorgonia.VMOpt { return gorgonia.WithManualGradient() },
		"WithEngine":         func(*tapeNet) gorgonia.VMOpt { return gorgonia.WithEngine(tensor.StdEng{}) },
		"UseCudaFor":         func(*tapeNet) gorgonia.VMOpt { return gorgonia.UseCudaFor("add", "mul") },
		"WithPrecompiled": func(n *tapeNet) gorgonia.VMOpt {
			prog, where, err := gorgonia.Compile(n.G)
			require.NoError(t, err)
			return gorgonia.WithPrecompiled(prog, where)
		},
	}
	n := perceptron(t, tensor.Float64)
	m := tape(t, n.G)
	require.NoError(t, m.RunAll())
	want := numbers(t, n.read, n.grads[0].Value())

	run := func(t *testing.T, opts func(n *tapeNet) []gorgonia.VMOpt) {
		n := perceptron(t, tensor.Float64)
		m := tape(t, n.G, opts(n)...)
		for range 2 {
			require.NoError(t, m.RunAll())
			require.InDeltaSlice(t, want, numbers(t, n.read, n.grads[0].Value()), 1e-12)
		}
	}
	for name, opt := range options {
		t.Run(name, func(t *testing.T) {
			run(t, func(n *tapeNet) []gorgonia.VMOpt { return []gorgonia.VMOpt{opt(n)} })
		})
	}
	t.Run("all", func(t *testing.T) {
		run(t, func(n *tapeNet) (all []gorgonia.VMOpt) {
			for _, opt := range options {
				all = append(all, opt(n))
			}
			return all
		})
	})
}

// Options of the lisp machine are refused with an error, where Gorgonia panics.
func TestTapeRefusesOptionsOfLispMachines(t *testing.T) {
	for name, opt := range map[string]gorgonia.VMOpt{
		"ExecuteFwdOnly": gorgonia.ExecuteFwdOnly(), "ExecuteBwdOnly": gorgonia.ExecuteBwdOnly(),
		"LogFwd": gorgonia.LogFwd(), "LogBwd": gorgonia.LogBwd(), "LogBothDir": gorgonia.LogBothDir(),
		"WithWatchlist": gorgonia.WithWatchlist("a name"),
	} {
		t.Run(name, func(t *testing.T) {
			g, _, _ := doubled(t)
			m := graph.NewTapeMachine(g, opt)
			var ce *graph.CompileError
			require.ErrorAs(t, m.Err(), &ce)
			require.Contains(t, ce.Error(), "tape machine")
			require.ErrorIs(t, m.RunAll(), ce)
			require.NoError(t, m.Close())
		})
	}
}

// Our own options mean nothing to Gorgonia's machines.
func TestOurOptionsOnStockMachines(t *testing.T) {
	n := perceptron(t, tensor.Float64)
	opts := []gorgonia.VMOpt{graph.Keep(n.cost), graph.WithSeed(1), graph.Using(graph.WithLog(nil))}
	m := gorgonia.NewTapeMachine(n.G, opts...)
	defer m.Close()
	require.NoError(t, m.RunAll())
	lisp := gorgonia.NewLispMachine(n.G, opts...)
	require.NoError(t, lisp.Close())
}

// Of a compiled function only the outputs are computed.
func TestTapePrecompiledFunction(t *testing.T) {
	both(t, 0, func(t *testing.T, vm newVM) []float64 {
		g := gorgonia.NewGraph()
		x := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(3), gorgonia.WithName("x"))
		y := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(3), gorgonia.WithName("y")) // never gets a value
		h := built(gorgonia.Square(x))
		a := built(gorgonia.Sqrt(h))
		built(gorgonia.Add(h, y))
		prog, where, err := gorgonia.CompileFunction(g, gorgonia.Nodes{x}, gorgonia.Nodes{a})
		require.NoError(t, err)
		m := vm(g, gorgonia.WithPrecompiled(prog, where))
		defer m.Close()
		require.NoError(t, gorgonia.Let(x, tensor.New(tensor.WithBacking([]float64{1, -2, 3}))))
		require.NoError(t, m.RunAll())
		return numbers(t, a.Value())
	})
}

// Using hands over options of Compile.
func TestTapeUsing(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float32)
	x := b.Input("x", 2, 3)
	y, err := gorgonia.ApplyOp(userOp{name: "mine", do: first}, x, x)
	require.NoError(t, err)
	h := built(gorgonia.Tanh(x))
	var lines []string
	m := tape(t, b.G, graph.Using(graph.WithEngine(enginetest.Reference{}), graph.WithOutputs(h),
		graph.WithLog(func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) })))
	require.NoError(t, m.RunAll())
	require.Len(t, lines, 1)
	require.Contains(t, lines[0], "mine")
	require.True(t, strings.HasPrefix(fmt.Sprintf("%T", y.Value()), "*tensor"), "%T", y.Value())
	_, err = m.Value(h)
	require.NoError(t, err)
}
