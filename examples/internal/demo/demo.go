// Package demo is what the example programs share: the loop that trains a graph on the machine of one's choice.
package demo

import (
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	_ "github.com/stheno-ml/stheno/cpu" // the engine of Stheno's machine
	"github.com/stheno-ml/stheno/graph"
)

// Model is a graph to train, made of Gorgonia's own operations.
type Model struct {
	Cost    *gorgonia.Node
	Weights gorgonia.Nodes
	Solver  gorgonia.Solver
	Batch   func(step int) error // binds the inputs of a step
	Report  func(w io.Writer)    // says what was learned; may be nil
}

// Build makes a model for numbers of one of the types float32 and float64.
type Build func(dt tensor.Dtype) (*Model, error)

// The machines to choose from.
const (
	Stheno   = "stheno"
	Gorgonia = "gorgonia"
)

// NewMachine is where the two differ: in the name of the package before NewTapeMachine.
func NewMachine(name string, g *gorgonia.ExprGraph, opts ...gorgonia.VMOpt) (gorgonia.VM, error) {
	switch name {
	case Stheno:
		return graph.NewTapeMachine(g, opts...), nil
	case Gorgonia:
		return gorgonia.NewTapeMachine(g, opts...), nil
	}
	return nil, fmt.Errorf("there is no machine %q; use %s or %s", name, Stheno, Gorgonia)
}

// Train runs steps of training, and calls each with the cost of every one.
func Train(m *Model, machine string, steps int, each func(step int, cost float64)) error {
	g := m.Cost.Graph()
	if _, err := gorgonia.Grad(m.Cost, m.Weights...); err != nil {
		return err
	}
	var cost gorgonia.Value
	gorgonia.Read(m.Cost, &cost)
	vm, err := NewMachine(machine, g, gorgonia.BindDualValues(m.Weights...))
	if err != nil {
		return err
	}
	defer vm.Close()
	weights := gorgonia.NodesToValueGrads(m.Weights)
	for step := range steps {
		if err := m.Batch(step); err != nil {
			return err
		}
		if err := vm.RunAll(); err != nil {
			return err
		}
		if err := m.Solver.Step(weights); err != nil {
			return err
		}
		vm.Reset() // Stheno's machine does not need it
		each(step, Number(cost))
	}
	return nil
}

// Number is the value of a scalar.
func Number(v gorgonia.Value) float64 {
	switch x := v.Data().(type) {
	case float32:
		return float64(x)
	case float64:
		return x
	}
	panic(fmt.Sprintf("%v is not a number", v))
}

// Main is the main function of an example.
func Main(build Build) {
	machine := flag.String("machine", Stheno, "what runs the graph: "+Stheno+" or "+Gorgonia)
	dtype := flag.String("dtype", "float32", "type of the numbers: float32 or float64")
	steps := flag.Int("steps", 100, "steps of training")
	flag.Parse()
	if err := run(build, *machine, *dtype, *steps, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(build Build, machine, dtype string, steps int, w io.Writer) error {
	dt, ok := map[string]tensor.Dtype{"float32": tensor.Float32, "float64": tensor.Float64}[dtype]
	if !ok {
		return fmt.Errorf("there is no type %q here; use float32 or float64", dtype)
	}
	m, err := build(dt)
	if err != nil {
		return err
	}
	var start time.Time
	err = Train(m, machine, steps, func(step int, cost float64) {
		if step == 0 {
			start = time.Now() // the first step warms up
		}
		if step < 5 || (step+1)%max(steps/10, 1) == 0 {
			fmt.Fprintf(w, "step %3d  cost %.6f\n", step+1, cost)
		}
	})
	if err != nil {
		return err
	}
	if steps > 1 {
		fmt.Fprintf(w, "%s: %v a step\n", machine, (time.Since(start) / time.Duration(steps-1)).Round(time.Microsecond))
	}
	if m.Report != nil {
		m.Report(w)
	}
	return nil
}
