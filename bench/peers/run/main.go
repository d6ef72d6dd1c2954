// Run measures the same training steps and inference in Stheno and in other frameworks, in turns, and prints how they compare:
//
//	go run ./bench/peers/run [-arch vgg16] [-mode train] [-threads 2] [-rounds 5] [-seconds 2] [-out bench/results/cpu.md]
//
// bench/peers/README.md says how the others are installed; those that are not are left out, with a line that says so.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	selection
	only                       string // contestants
	rounds                     int
	seconds, trial             float64
	tried                      bool
	patience                   time.Duration
	out, record                string
	gatePreparing, gateRunning string
	pythons                    map[string]*string // by key of contestant
}

func main() {
	o := options{pythons: map[string]*string{}}
	var archs, sizes, batches, threads, modes string
	flag.StringVar(&archs, "arch", "", "nets, with commas between them; all by default")
	flag.StringVar(&sizes, "size", "", "rows and columns of images; 32, and 224 for resnet50, by default")
	flag.StringVar(&batches, "batch", "", "images in a batch, instead of the usual ones")
	flag.StringVar(&threads, "threads", "", "threads, instead of the usual ones")
	flag.StringVar(&modes, "mode", "", "train, inference; both by default")
	flag.StringVar(&o.only, "contestants", "", "contestants, with commas between them; all by default: "+strings.Join(keys(), ", "))
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of a case, in each of which every contestant has a turn")
	flag.Float64Var(&o.seconds, "seconds", 2, "least seconds of a turn")
	flag.Float64Var(&o.trial, "trial", 1, "seconds in which a configuration is tried, where a contestant has several")
	flag.BoolVar(&o.tried, "tried", false, "take the configurations that the record has, instead of trying them again")
	flag.DurationVar(&o.patience, "patience", 3*time.Minute, "how long a contestant may take to get ready, or for a turn")
	flag.StringVar(&o.out, "out", "", "Markdown file for the tables")
	flag.StringVar(&o.record, "record", ".build/peers/record.json", "file that keeps what was measured, to which later runs add; \"\" for none")
	flag.StringVar(&o.gateRunning, "gate", "", "command that holds the machine for a measurement on a machine that others use: \"GATE COMMAND…\" waits, then runs the command")
	flag.StringVar(&o.gatePreparing, "gate-preparing", "", "the same while contestants build and warm up")
	for _, c := range contestants {
		if c.script != "" {
			o.pythons[c.key] = flag.String("python-"+c.key, "python3", "Python that has "+c.title)
		}
	}
	flag.Parse()
	err := func() (err error) {
		o.archs, o.modes = list(archs), list(modes)
		for _, numbers := range []struct {
			from string
			to   *[]int
		}{{sizes, &o.sizes}, {batches, &o.batches}, {threads, &o.threads}} {
			if *numbers.to, err = integers(numbers.from); err != nil {
				return err
			}
		}
		return run(o)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// list splits a flag's value.
func list(s string) (words []string) {
	for word := range strings.SplitSeq(s, ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words
}

func integers(s string) (ns []int, err error) {
	for _, word := range list(s) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is no number above 0", word)
		}
		ns = append(ns, n)
	}
	return ns, nil
}

func run(o options) error {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	cases, err := o.cases()
	if err != nil {
		return err
	}
	past, err := readRecord(o.record)
	if err != nil {
		return err
	}
	d := &driver{options: o, screen: os.Stdout}
	if err := d.gather(); err != nil {
		return err
	}
	machine := inspect()
	for _, c := range cases {
		select {
		case <-interrupted:
			return fmt.Errorf("interrupted; what was measured is in %s", o.record)
		default:
		}
		m, err := d.measure(c, past.of(c))
		if err != nil {
			return fmt.Errorf("%s: %w", describe(c), err)
		}
		past.add(m)
		past.Machine = machine
		if err := past.write(o.record); err != nil {
			return err
		}
		fmt.Fprintln(d.screen, summary(m))
	}
	if o.out == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(o.out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(o.out, []byte(document(past)), 0o644)
}
