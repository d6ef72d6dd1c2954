package demo

import (
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// line fits y = w·x to y = 2·x.
func line(dt tensor.Dtype) (*Model, error) {
	p := NewParams(dt)
	x, w := p.Input("x", 3), p.Filled(0, 3)
	off := gorgonia.Must(gorgonia.Sub(gorgonia.Must(gorgonia.HadamardProd(x, w)), gorgonia.Must(gorgonia.Add(x, x))))
	numbers := Dense(dt, []float64{1, 2, 3}, 3)
	return &Model{
		Cost: gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(off)))), Weights: p.Nodes,
		Solver: gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.1)),
		Batch:  func(int) error { return gorgonia.Let(x, numbers) },
	}, nil
}

func TestMachinesAgree(t *testing.T) { Compare(t, line, 10) }

func TestRunPrintsCosts(t *testing.T) {
	for _, machine := range []string{Stheno, Gorgonia} {
		var out strings.Builder
		if err := run(line, machine, "float64", 3, &out); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); !strings.HasPrefix(got, "step   1  cost 18.666667\n") || !strings.Contains(got, machine+": ") {
			t.Errorf("%s printed:\n%s", machine, got)
		}
	}
}

func TestRunSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ machine, dtype, want string }{
		{"lisp", "float32", `there is no machine "lisp"; use stheno or gorgonia`},
		{Stheno, "int", `there is no type "int" here; use float32 or float64`},
	} {
		if err := run(line, c.machine, c.dtype, 1, &strings.Builder{}); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
