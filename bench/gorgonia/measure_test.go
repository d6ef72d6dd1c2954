package main

import (
	"strings"
	"testing"
	"time"
)

// The machines agree on the small workloads; the large ones are checked whenever they are timed.
func TestMachinesAgree(t *testing.T) {
	for _, w := range workloads {
		for _, small := range []string{"scalars", "ten", "regression", "recurrent"} {
			if !strings.HasPrefix(w.name, small) && !strings.Contains(w.name, " "+small) {
				continue
			}
			t.Run(w.name, func(t *testing.T) {
				var in [machines]*instance
				for k := range in {
					var err error
					if in[k], err = open(w, k); err != nil {
						t.Fatal(err)
					}
					defer in[k].vm.Close()
				}
				if _, err := agree(w, in); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func TestTurnsAreCounted(t *testing.T) {
	in, err := open(workloads[0], ours)
	if err != nil {
		t.Fatal(err)
	}
	defer in.vm.Close()
	if turn, err := in.take(time.Millisecond); err != nil || turn.run <= 0 || turn.solve < 0 {
		t.Errorf("%+v, %v", turn, err)
	}
}

func TestTable(t *testing.T) {
	r := row{workload: workload{name: "net", train: true}, run: [machines]float64{0.5, 0.05}, step: [machines]float64{0.6, 0.1},
		allocated: [machines]float64{2e9, 0}, peak: [machines]float64{3e6, 4e3}, differ: 1e-7}
	want := "| net | 500 ms | 50 ms | **10.0 ×** | 6.0 × | 2.00 GB | 0 B | 3 MB | 4 kB | 1e-07 |\n"
	if got := table([]row{r}); !strings.HasSuffix(got, want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestSelected(t *testing.T) {
	if n := len(selected("")); n != len(workloads) {
		t.Errorf("%d of %d cases by default", n, len(workloads))
	}
	for _, w := range selected("VGG,MLP") {
		if !strings.Contains(w.name, "VGG") && !strings.Contains(w.name, "MLP") {
			t.Errorf("%s was selected", w.name)
		}
	}
	names := map[string]bool{}
	for _, w := range workloads {
		if names[w.name] || strings.Contains(w.name, "@") {
			t.Errorf("the memory of %q cannot be asked for", w.name)
		}
		names[w.name] = true
	}
}
