package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

const (
	stock = iota
	ours
	machines
)

var machineNames = [machines]string{"gorgonia", "stheno"}

// instance is a workload on one machine.
type instance struct {
	vm      gorgonia.VM
	result  gorgonia.Value // cost or output
	weights []gorgonia.ValueGrad
	solver  gorgonia.Solver
}

func open(w workload, machine int) (in *instance, err error) {
	b := newBuilder(w.dtype)
	out := w.build(b)
	in = &instance{}
	gorgonia.Read(out, &in.result)
	var opts []gorgonia.VMOpt
	if w.train {
		if _, err := gorgonia.Grad(out, b.weights...); err != nil {
			return nil, err
		}
		opts = append(opts, gorgonia.BindDualValues(b.weights...))
		in.weights, in.solver = gorgonia.NodesToValueGrads(b.weights), gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(1e-4))
	}
	if machine == stock {
		in.vm = gorgonia.NewTapeMachine(b.g, opts...)
	} else {
		in.vm = graph.NewTapeMachine(b.g, opts...)
	}
	return in, nil
}

// run is one run of the machine. Reset, which only stock Gorgonia needs, belongs to it.
func (in *instance) run() error {
	err := in.vm.RunAll()
	in.vm.Reset()
	return err
}

func (in *instance) solve() error {
	if in.solver == nil {
		return nil
	}
	return in.solver.Step(in.weights)
}

// turn is what a machine did in a turn, per step.
type turn struct {
	run, solve time.Duration
	allocated  float64 // bytes, of runs only
}

// take lets the machine work for at least the given time.
func (in *instance) take(least time.Duration) (t turn, err error) {
	runtime.GC() // leave the other's garbage to neither
	var before, after runtime.MemStats
	steps := 0
	for t.run+t.solve < least || steps < 2 {
		// Small graphs run often between two looks at the clock and the statistics.
		repeat := 1
		if steps > 0 {
			repeat = max(1, min(1000, int(10*time.Millisecond/(1+(t.run+t.solve)/time.Duration(steps)))))
		}
		if in.solver != nil {
			repeat = 1
		}
		runtime.ReadMemStats(&before)
		start := time.Now()
		for range repeat {
			if err := in.run(); err != nil {
				return t, err
			}
		}
		t.run += time.Since(start)
		runtime.ReadMemStats(&after)
		t.allocated += float64(after.TotalAlloc - before.TotalAlloc)
		start = time.Now()
		if err := in.solve(); err != nil {
			return t, err
		}
		t.solve += time.Since(start)
		steps += repeat
	}
	n := time.Duration(steps)
	return turn{run: t.run / n, solve: t.solve / n, allocated: t.allocated / float64(steps)}, nil
}

// row is a line of the table.
type row struct {
	workload
	run, step, allocated, peak [machines]float64 // seconds, bytes
	differ                     float64           // largest relative difference of results
}

func measure(w workload, rounds int, least time.Duration) (r row, err error) {
	r.workload = w
	for k := range machines { // before this process grows
		if r.peak[k], err = peakMemory(w, k); err != nil {
			return r, err
		}
	}
	var in [machines]*instance
	for k := range in {
		if in[k], err = open(w, k); err != nil {
			return r, err
		}
		defer in[k].vm.Close()
	}
	if r.differ, err = agree(w, in); err != nil {
		return r, err
	}
	var turns [machines][]turn
	for round := range rounds {
		for k := range machines {
			k = (k + round) % machines // neither is always first
			t, err := in[k].take(least)
			if err != nil {
				return r, err
			}
			turns[k] = append(turns[k], t)
		}
	}
	for k := range machines {
		r.run[k] = median(turns[k], func(t turn) float64 { return t.run.Seconds() })
		r.step[k] = median(turns[k], func(t turn) float64 { return (t.run + t.solve).Seconds() })
		r.allocated[k] = median(turns[k], func(t turn) float64 { return t.allocated })
	}
	return r, nil
}

func median(ts []turn, of func(turn) float64) float64 {
	var xs []float64
	for _, t := range ts {
		xs = append(xs, of(t))
	}
	slices.Sort(xs)
	return xs[len(xs)/2]
}

// agree runs both machines for some steps and compares what they compute.
func agree(w workload, in [machines]*instance) (worst float64, err error) {
	const steps = 3
	tolerance := 1e-9
	if w.dtype == tensor.Float32 {
		tolerance = 5e-3
	}
	for step := range steps {
		var results [machines][]float64
		for k := range in {
			if err := in[k].run(); err != nil {
				return worst, fmt.Errorf("%s: %w", machineNames[k], err)
			}
			results[k] = numbers(in[k].result)
			if err := in[k].solve(); err != nil {
				return worst, err
			}
		}
		scale, off := 0.0, 0.0
		for i, x := range results[stock] {
			scale, off = max(scale, math.Abs(x)), max(off, math.Abs(x-results[ours][i]))
		}
		if worst = max(worst, off/scale); !(off <= tolerance*scale) {
			return worst, fmt.Errorf("step %d: the machines differ by %.2g of %.6g", step+1, off, scale)
		}
	}
	return worst, nil
}

// numbers copies the elements of a value.
func numbers(v gorgonia.Value) (xs []float64) {
	switch d := v.Data().(type) {
	case float32:
		return []float64{float64(d)}
	case float64:
		return []float64{d}
	case []float32:
		for _, x := range d {
			xs = append(xs, float64(x))
		}
	case []float64:
		xs = append(xs, d...)
	}
	return xs
}

// peakMemory runs some steps in a process of their own and returns the most memory that it had.
func peakMemory(w workload, machine int) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	out, err := exec.Command(self, "-memory", w.name+"@"+machineNames[machine]).Output()
	if err != nil {
		return 0, fmt.Errorf("memory of %s: %w", machineNames[machine], err)
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}

func memoryChild(what string) error {
	name, machine, _ := strings.Cut(what, "@")
	i := slices.IndexFunc(workloads, func(w workload) bool { return w.name == name })
	k := slices.Index(machineNames[:], machine)
	if i < 0 || k < 0 {
		return fmt.Errorf("there is no %s", what)
	}
	in, err := open(workloads[i], k)
	if err != nil {
		return err
	}
	defer in.vm.Close()
	for range 3 {
		if err := in.run(); err != nil {
			return err
		}
		if err := in.solve(); err != nil {
			return err
		}
	}
	fmt.Println(residentPeak())
	return nil
}

// residentPeak is the most memory that the process occupied so far, in bytes; where Linux's /proc is missing, what Go's runtime
// got from the system.
func residentPeak() int {
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		for line := range strings.Lines(string(status)) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
				if kib, err := strconv.Atoi(f[1]); err == nil {
					return kib << 10
				}
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.Sys)
}
