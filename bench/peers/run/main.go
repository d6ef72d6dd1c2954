// Run measures the same training steps and inference in Stheno and in other frameworks, in turns, and prints how they compare:
//
//	go run ./bench/peers/run [-arch vgg16] [-mode train] [-threads 2] [-rounds 5] [-seconds 2] [-out bench/results/cpu.md]
//
// With -budget it plans for a time. bench/peers/README.md says how the others are installed; those that are not are left out, with a line that says so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

// options are the flags.
type options struct {
	selection
	only                       string // contestants
	rounds                     int
	seconds, trial             float64
	budget                     time.Duration
	tried, again, resume, show bool
	slow                       string
	patience                   time.Duration
	out, record                string
	pythons                    map[string]*string // by key of contestant
}

func main() {
	o := options{pythons: map[string]*string{}}
	var archs, sizes, batches, threads, modes string
	flag.StringVar(&archs, "arch", "", "nets, with commas between them; those that count by default")
	flag.BoolVar(&o.families, "families", false, "one network of each further family, instead of those that count")
	flag.StringVar(&sizes, "size", "", "rows and columns of images; 32, and 224 for resnet50, by default")
	flag.StringVar(&batches, "batch", "", "images in a batch, instead of the usual ones")
	flag.StringVar(&threads, "threads", "", "threads, instead of the usual ones")
	flag.StringVar(&modes, "mode", "", "train, inference; both by default")
	flag.StringVar(&o.only, "contestants", "", "contestants, with commas between them; all by default: "+strings.Join(keys(), ", "))
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of a case, in each of which every contestant has a turn")
	flag.Float64Var(&o.seconds, "seconds", 2, "least seconds of a turn")
	flag.Float64Var(&o.trial, "trial", 1, "seconds in which a configuration is tried, where a contestant has several")
	flag.BoolVar(&o.tried, "tried", false, "take the configurations that the record has, instead of trying them again")
	flag.DurationVar(&o.budget, "budget", 0, "time for everything; rounds, seconds and contestants are planned for it, and again before each case")
	flag.BoolVar(&o.show, "plan", false, "print what would be done, and how long it takes, and do nothing")
	flag.BoolVar(&o.resume, "resume", false, "leave out cases that the record has already, measured in this version")
	flag.BoolVar(&o.again, "again", false, "ask again who could not do a case before")
	flag.StringVar(&o.slow, "slow", "few", "cases that "+slowOnes()+" take part in: few, all, none")
	flag.DurationVar(&o.patience, "patience", 3*time.Minute, "how long a contestant may take to get ready, or for a turn; a 25th of the budget at most, if there is one")
	flag.StringVar(&o.out, "out", "", "Markdown file for the tables")
	flag.StringVar(&o.record, "record", ".build/peers/record.json", "file that keeps what was measured, to which later runs add; \"\" for none")
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
		if err := o.check(); err != nil {
			return err
		}
		return run(o, os.Stdout)
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

func slowOnes() string {
	var all []string
	for _, c := range contestants {
		if c.slow {
			all = append(all, c.key)
		}
	}
	return strings.Join(all, ", ")
}

func (o *options) check() error {
	switch {
	case o.rounds < 1 || !(o.seconds > 0) || !(o.trial > 0):
		return fmt.Errorf("%d rounds of %g s, with trials of %g s: they must be above 0", o.rounds, o.seconds, o.trial)
	case !slices.Contains([]string{"few", "all", "none"}, o.slow):
		return fmt.Errorf("-slow is few, all or none, not %q", o.slow)
	case o.budget < 0:
		return fmt.Errorf("a budget of %v is less than nothing", o.budget)
	}
	return nil
}

var (
	errInterrupted = errors.New("interrupted")
	errLate        = errors.New("the time is over")
)

func run(o options, screen io.Writer) error {
	cases, err := o.cases()
	if err != nil {
		return err
	}
	past, err := readRecord(o.record)
	if err != nil {
		return err
	}
	machine := inspect()
	if old := past.Machine; old.CPU != "" && (old.CPU != machine.CPU || old.Processors != machine.Processors) {
		return fmt.Errorf("%s is of another machine, %s with %d cores; give another -record", o.record, old.CPU, old.Processors)
	}
	past.Machine = machine
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(interrupted)
	go func() {
		select {
		case <-interrupted:
			cancel(errInterrupted)
		case <-ctx.Done():
		}
	}()
	d := &driver{options: o, ctx: ctx, screen: screen, past: past}
	if o.budget > 0 {
		d.patience = min(d.patience, max(o.budget/25, 20*time.Second))
		d.deadline = time.Now().Add(o.budget)
		late := time.AfterFunc(o.budget, func() { cancel(errLate) })
		defer late.Stop()
	}
	if err := d.gather(contestants); err != nil {
		return err
	}
	return d.all(cases)
}

// all measures cases, and writes what there is after each.
func (d *driver) all(cases []peer.Case) error {
	how, total := d.plan(cases)
	if d.resume {
		cases = slices.DeleteFunc(cases, func(c peer.Case) bool { return d.complete(c, how) })
		how, total = d.plan(cases)
	}
	d.announce(cases, how, total)
	if d.show {
		return nil
	}
	for i, c := range cases {
		if now, _ := d.plan(cases[i:]); now != how {
			how = now
			fmt.Fprintf(d.screen, "from here on %v\n", how)
		}
		m, err := d.measure(c, how)
		if err != nil {
			return errors.Join(append(d.failures, fmt.Errorf("%s: %w; what was measured before is in %s", describe(c), err, d.record), d.document())...)
		}
		d.past.add(m)
		if err := errors.Join(d.past.write(d.record), d.document()); err != nil {
			return err
		}
		fmt.Fprintln(d.screen, summary(m))
	}
	return errors.Join(append(d.failures, d.document())...)
}

// document writes the table, if it is asked for.
func (d *driver) document() error {
	if d.out == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(d.out), 0o755); err != nil {
		return err
	}
	return replace(d.out, []byte(document(d.past)+notes(read(d.out))))
}
