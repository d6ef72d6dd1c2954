// Gorgonia times graphs of Gorgonia's own operations on its own tape machine and on Stheno's, in turns in one process, after it has
// checked that both compute the same. It prints a table; see bench/results/gorgonia.md for the last one that was kept.
//
//	go run ./bench/gorgonia [-cases name,…] [-rounds 5] [-out file]
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	_ "github.com/stheno-ml/stheno/cpu"
)

func main() {
	only := flag.String("cases", "", "names of cases, or parts of names, with commas between them; all by default")
	rounds := flag.Int("rounds", 5, "rounds, of which the medians are printed")
	block := flag.Duration("time", 300*time.Millisecond, "least time of a machine's turn in a round")
	out := flag.String("out", "", "file to write the table to, besides the screen")
	child := flag.String("memory", "", "for the program's own use: measures the memory of case@machine")
	flag.Parse()
	err := func() error {
		if *child != "" {
			return memoryChild(*child)
		}
		return bench(selected(*only), *rounds, *block, *out)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func selected(only string) (cs []workload) {
	for _, w := range workloads {
		for part := range strings.SplitSeq(only, ",") {
			if strings.Contains(w.name, part) {
				cs = append(cs, w)
				break
			}
		}
	}
	return cs
}

func bench(cs []workload, rounds int, block time.Duration, out string) error {
	var rows []row
	for _, w := range cs {
		fmt.Fprintf(os.Stderr, "%s…\n", w.name)
		r, err := measure(w, rounds, block)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		rows = append(rows, r)
	}
	t := table(rows)
	fmt.Print(t)
	if out == "" {
		return nil
	}
	return os.WriteFile(out, []byte(document(t, rounds)), 0o644)
}
