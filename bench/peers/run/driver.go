package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

// driver runs cases.
type driver struct {
	options
	screen  io.Writer
	entered []contestant // those that are here
}

// gather finds out which contestants there are, and says which are not.
func (d *driver) gather() error {
	only := list(d.only)
	for _, key := range only {
		if find(key) < 0 {
			return fmt.Errorf("there is no contestant %q; they are %s", key, strings.Join(keys(), ", "))
		}
	}
	root, err := root()
	if err != nil {
		return err
	}
	seen := map[string]string{}
	for _, c := range contestants {
		if !has(only, c.key) {
			continue
		}
		if err := c.build(root, d.pythons); err != nil {
			d.absent(c, err)
			continue
		}
		about, err := d.ask(c, peer.Case{Arch: "simplecnn", Size: 32, Batch: 1, Threads: 1, Mode: peer.Inference})
		if err != nil {
			d.absent(c, err)
			continue
		}
		name := about.Framework + " " + about.Version
		if other, ok := seen[name]; ok {
			d.absent(c, fmt.Errorf("it is %s again, as %s", name, other))
			continue
		}
		seen[name] = c.key
		d.entered = append(d.entered, c)
	}
	if len(d.entered) == 0 {
		return errors.New("no contestant is here")
	}
	return nil
}

func (d *driver) absent(c contestant, err error) {
	fmt.Fprintf(d.screen, "%s is left out: %v (bench/peers/README.md says how to install it)\n", c.title, err)
}

// ask lets a contestant describe itself.
func (d *driver) ask(c contestant, what peer.Case) (about peer.Description, err error) {
	p, err := start(append(append([]string{}, c.command...), append(arguments(what), "--describe")...), c.environment(what.Threads), d.patience)
	if err != nil {
		return about, err
	}
	if err := p.receive(&about); err != nil {
		return about, err
	}
	if len(about.Configs) == 0 || about.Framework == "" {
		p.kill()
		return about, errors.New("it does not describe itself")
	}
	return about, p.cmd.Wait()
}

// runner is a contestant in a case.
type runner struct {
	contestant
	entry  *entry
	config string
	p      *process
	slow   bool // a turn takes so long that it has no more
}

// measure is a case in all contestants. That one cannot do it is noted; that one fails is an error.
func (d *driver) measure(c peer.Case, past *measurement) (m *measurement, err error) {
	fmt.Fprintf(d.screen, "%s…\n", describe(c))
	m = &measurement{Case: c, Seconds: d.seconds, Date: time.Now().UTC().Format(time.DateOnly)}
	var runners []*runner
	preparing, running := gate{command: d.gatePreparing}, gate{command: d.gateRunning}
	defer func() {
		preparing.close()
		running.close()
		for _, r := range runners {
			if r.p != nil {
				r.p.kill()
			}
		}
	}()
	for _, entered := range d.entered {
		if !entered.inference || c.Mode == peer.Inference {
			r := &runner{contestant: entered, entry: &entry{Key: entered.key, Title: entered.title}}
			runners, m.Entries = append(runners, r), append(m.Entries, r.entry)
		}
	}
	each := func(step func(*runner) error) (err error) {
		runners = slices.DeleteFunc(runners, func(r *runner) bool {
			if err != nil {
				return false
			}
			wrong := step(r)
			if errors.Is(wrong, errCannot) {
				r.entry.Reason = reason(wrong)
				fmt.Fprintf(d.screen, "  %s: %s\n", r.title, r.entry.Reason)
			} else if wrong != nil {
				err = fmt.Errorf("%s: %w", r.title, wrong)
			}
			return errors.Is(wrong, errCannot)
		})
		return err
	}
	if err := each(func(r *runner) error { return d.choose(r, c, past, &running) }); err != nil {
		return nil, err
	}
	running.close()
	if err := each(func(r *runner) (err error) {
		if err := preparing.pass(); err != nil {
			return err
		}
		r.p, err = d.start(r.contestant, c, r.config, d.seconds)
		return err
	}); err != nil {
		return nil, err
	}
	preparing.close()
	for round := range d.rounds {
		if err := running.pass(); err != nil {
			return nil, err
		}
		if err := d.round(runners, round); err != nil {
			return nil, err
		}
	}
	for _, r := range runners {
		if r.entry.Result, err = r.p.finish(); err != nil {
			return nil, fmt.Errorf("%s: %w", r.title, err)
		}
	}
	return m, nil
}

func reason(err error) string { return strings.TrimPrefix(err.Error(), errCannot.Error()+": ") }

// choose finds the best configuration of a contestant, or takes that of the past.
func (d *driver) choose(r *runner, c peer.Case, past *measurement, running *gate) error {
	about, err := d.ask(r.contestant, c)
	if err != nil {
		return err
	}
	r.config = about.Configs[0]
	if len(about.Configs) == 1 {
		return nil
	}
	if d.tried && past != nil {
		if e := past.entry(r.key); e != nil && slices.Contains(about.Configs, e.Result.Config) {
			r.config, r.entry.Trials = e.Result.Config, e.Trials
			return nil
		}
	}
	best := 0.0
	for _, config := range about.Configs {
		if err := running.pass(); err != nil {
			return err
		}
		t := trial{Config: config}
		if t.ImagesPerSecond, err = d.try(r.contestant, c, config); errors.Is(err, errCannot) {
			t.Reason = reason(err)
		} else if err != nil {
			return fmt.Errorf("configuration %s: %w", config, err)
		}
		r.entry.Trials = append(r.entry.Trials, t)
		if t.ImagesPerSecond > best {
			r.config, best = config, t.ImagesPerSecond
		}
	}
	return nil
}

// try is a short turn of a configuration, in a process of its own.
func (d *driver) try(r contestant, c peer.Case, config string) (float64, error) {
	p, err := d.start(r, c, config, d.trial)
	if err != nil {
		return 0, err
	}
	defer p.kill()
	return p.turn()
}

// start has a contestant ready for its turns.
func (d *driver) start(r contestant, c peer.Case, config string, seconds float64) (*process, error) {
	command := append(append(append([]string{}, r.command...), arguments(c)...), "--paced", "--seconds", fmt.Sprint(seconds), "--config", config)
	p, err := start(bound(command, c.Threads), r.environment(c.Threads), d.patience)
	if err != nil {
		return nil, err
	}
	var ready struct{ Ready bool }
	if err := p.receive(&ready); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

// round gives everybody a turn; who is first goes round. Who takes very long has one turn only.
func (d *driver) round(runners []*runner, round int) error {
	for i := range runners {
		r := runners[(i+round)%len(runners)]
		if r.slow {
			continue
		}
		begin := time.Now()
		if _, err := r.p.turn(); err != nil {
			return fmt.Errorf("%s: %w", r.title, err)
		}
		r.slow = r.key != ours && time.Since(begin).Seconds() > 3*d.seconds
	}
	return nil
}
