package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

// contest is a case in all contestants. What one of them cannot do, or fails in, is noted, and the others go on.
type contest struct {
	*driver
	c       peer.Case
	how     plan
	runners []*runner // those that are still in it
}

// runner is a contestant in a case.
type runner struct {
	contestant
	entry  *entry
	config string
	p      *process
	once   bool // it has no second turn
}

// measure is a case as it was planned.
func (d *driver) measure(c peer.Case, how plan) (*measurement, error) {
	fmt.Fprintf(d.screen, "%s…\n", describe(c))
	m := &measurement{Case: c, Seconds: how.seconds, Trial: d.trial, Date: time.Now().UTC().Format(time.DateOnly)}
	k := &contest{driver: d, c: c, how: how}
	for _, entered := range d.entered {
		if !how.has(entered) || !d.takes(entered, c) {
			continue
		}
		e := &entry{Key: entered.key, Title: entered.title, Version: entered.version}
		m.Entries = append(m.Entries, e)
		if reason, known := d.hopeless(entered, c); known {
			e.Reason, e.Cannot = reason, true
			fmt.Fprintf(d.screen, "  %s: %s (known from before)\n", e.Title, reason)
			continue
		}
		k.runners = append(k.runners, &runner{contestant: entered, entry: e, once: entered.slow})
	}
	defer k.close()
	return m, k.run()
}

func (k *contest) run() error {
	if err := k.each(k.choose); err != nil {
		return err
	}
	if err := k.each(k.prepare); err != nil {
		return err
	}
	for round := range k.how.rounds {
		begin := time.Now()
		if err := k.round(round); err != nil {
			return err
		}
		if !k.deadline.IsZero() && round+1 < k.how.rounds && time.Until(k.deadline) < time.Since(begin)+grace {
			fmt.Fprintf(k.screen, "  there is time for %d of %d rounds\n", round+1, k.how.rounds)
			break
		}
	}
	return k.each(func(r *runner) (err error) {
		if r.entry.Result, err = r.p.finish(); err != nil {
			r.entry.Result = peer.Result{}
			return err
		}
		r.entry.Result.Config = r.config // the program does not know of withMalloc
		return nil
	})
}

func (k *contest) close() {
	for _, r := range k.runners {
		if r.p != nil {
			r.p.kill()
		}
	}
}

// each does something for every contestant that is still in, and takes out those that it goes wrong with.
func (k *contest) each(work func(*runner) error) error {
	for _, r := range slices.Clone(k.runners) {
		wrong := work(r)
		if over := context.Cause(k.ctx); over != nil {
			return over
		}
		if wrong != nil {
			k.leave(r, wrong)
		}
	}
	return nil
}

// leave takes a contestant out, with the reason.
func (k *contest) leave(r *runner, wrong error) {
	if r.p != nil {
		r.p.kill()
	}
	r.entry.Cannot = errors.Is(wrong, errCannot)
	r.entry.Reason = strings.TrimPrefix(wrong.Error(), errCannot.Error()+": ")
	fmt.Fprintf(k.screen, "  %s: %s\n", r.title, r.entry.Reason)
	if !r.entry.Cannot {
		k.failures = append(k.failures, fmt.Errorf("%s: %s: %w", describe(k.c), r.title, wrong))
	}
	k.runners = slices.DeleteFunc(k.runners, func(other *runner) bool { return other == r })
}

// choose finds the best configuration of a contestant, or takes one that is known.
func (k *contest) choose(r *runner) error {
	names := r.configs[k.c.Mode]
	r.config = names[0]
	if len(names) == 1 {
		return nil
	}
	if known, in := k.known(r.contestant, k.c, k.how); known != nil {
		r.config, r.entry.Trials = known.Result.Config, known.Trials
		if r.entry.TriedIn = known.TriedIn; in != k.c && r.entry.TriedIn == "" {
			r.entry.TriedIn = describe(in)
		}
		return nil
	}
	best := 0.0
	var failed error // the first configuration that was tried
	for _, config := range names {
		if compiles(config) && !k.how.compiled {
			r.entry.Trials = append(r.entry.Trials, trial{Config: config, Reason: "not tried, for want of time"})
			continue
		}
		rate, err := k.try(r.contestant, config)
		t := trial{Config: config, ImagesPerSecond: rate}
		if err != nil {
			// One that fails is no reason not to measure the others.
			t.Reason = strings.TrimPrefix(err.Error(), errCannot.Error()+": ")
			failed = cmp.Or(failed, err)
		}
		if over := context.Cause(k.ctx); over != nil {
			return over
		}
		r.entry.Trials = append(r.entry.Trials, t)
		if rate > best {
			r.config, best = config, rate
		}
	}
	if best == 0 {
		return failed // in all of them; nil if none was tried
	}
	return nil
}

// try is a short turn of a configuration, in a process of its own.
func (k *contest) try(r contestant, config string) (float64, error) {
	p, err := k.start(r, config, k.trial)
	if err != nil {
		return 0, err
	}
	defer p.kill()
	return p.turn()
}

func (k *contest) prepare(r *runner) (err error) {
	begin := time.Now()
	r.p, err = k.start(r.contestant, r.config, k.how.seconds)
	r.entry.Ready = time.Since(begin).Seconds()
	return err
}

// start has a contestant ready for its turns.
func (k *contest) start(r contestant, config string, seconds float64) (*process, error) {
	command := append(append(slices.Clone(r.command), arguments(k.c)...), "--paced", "--seconds", fmt.Sprint(seconds), "--config", strings.TrimSuffix(config, withMalloc))
	p, err := start(k.ctx, bound(command, k.past.Machine.Usable, k.c.Threads), r.environment(config, k.c.Threads), k.patience)
	if err != nil {
		return nil, err
	}
	return p, p.ready()
}

// round gives everybody a turn; who is first goes round, and who is slow comes after them all. Who takes very long has one turn only.
func (k *contest) round(round int) error {
	n := round % max(1, len(k.runners))
	k.runners = append(slices.Clone(k.runners[n:]), k.runners[:n]...)
	slices.SortStableFunc(k.runners, func(a, b *runner) int { return rank(a.contestant) - rank(b.contestant) })
	return k.each(func(r *runner) error {
		if r.once && round > 0 {
			return nil
		}
		begin := time.Now()
		_, err := r.p.turn()
		r.once = r.once || r.key != ours && time.Since(begin).Seconds() > 3*k.how.seconds+1
		return err
	})
}

func rank(c contestant) int {
	if c.slow {
		return 1
	}
	return 0
}
