package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

// plan is how much is done in each case.
type plan struct {
	rounds   int
	seconds  float64 // of a turn
	optional bool    // contestants that may be left out take part
	slow     bool    // so do the slow ones
	siblings bool    // the configuration that was best for a net is taken in all of its batches and threads
	compiled bool    // configurations that take a minute to get ready are tried too
}

// compiling is about how long they take, in seconds.
const compiling = 45

func compiles(config string) bool { return strings.Contains(config, "compile") }

func (p plan) has(c contestant) bool { return (p.optional || !c.optional) && (p.slow || !c.slow) }

// plans for a limited time, from the best to the shortest.
var plans = []plan{
	{rounds: 7, seconds: 2, optional: true, slow: true, compiled: true},
	{rounds: 5, seconds: 2, optional: true, slow: true, compiled: true},
	{rounds: 5, seconds: 2, optional: true, slow: true},
	{rounds: 5, seconds: 1.5, optional: true, slow: true},
	{rounds: 5, seconds: 1, optional: true, slow: true},
	{rounds: 5, seconds: 1, optional: true, slow: true, siblings: true},
	{rounds: 5, seconds: 1, slow: true},
	{rounds: 5, seconds: 1, slow: true, siblings: true},
	{rounds: 3, seconds: 1, slow: true, siblings: true},
	{rounds: 3, seconds: 0.7, siblings: true},
	{rounds: 3, seconds: 0.3, siblings: true},
	{rounds: 1, seconds: 0.3, siblings: true},
}

// spare is the share of the time that no plan counts on.
const spare = 0.07

// plan is what the cases that are left have time for: the first that fits, or the shortest.
func (d *driver) plan(cases []peer.Case) (how plan, total time.Duration) {
	if d.deadline.IsZero() {
		how = plan{rounds: d.rounds, seconds: d.seconds, optional: true, slow: true, compiled: true}
		return how, d.total(cases, how)
	}
	left := time.Duration((1 - spare) * float64(time.Until(d.deadline)))
	for _, how = range plans {
		if total = d.total(cases, how); total <= left {
			break
		}
	}
	return how, total
}

func (d *driver) total(cases []peer.Case, how plan) (total time.Duration) {
	tried := map[string]bool{}
	for _, c := range cases {
		total += d.estimate(c, how, tried)
	}
	return total
}

// estimate is about how long a case takes. Configurations that are tried are added to tried.
func (d *driver) estimate(c peer.Case, how plan, tried map[string]bool) time.Duration {
	seconds := 0.5
	for _, who := range d.entered {
		if _, hopeless := d.hopeless(who, c); hopeless || !how.has(who) || !d.takes(who, c) {
			continue
		}
		step, ready := d.expect(who, c)
		turn := max(step, how.seconds+step/2)
		rounds := float64(how.rounds)
		if who.slow || who.key != ours && turn > 3*how.seconds+1 {
			rounds = 1
		}
		seconds += ready + turn*rounds + 0.3
		name := fmt.Sprint(who.key, c.Arch, c.Size, c.Mode)
		if len(who.configs[c.Mode]) > 1 && !d.knows(who, c, how) && !(how.siblings && tried[name]) {
			for _, config := range who.configs[c.Mode] {
				if compiles(config) && !how.compiled {
					continue
				}
				seconds += ready + max(step, d.trial+step/2)
				if compiles(config) {
					seconds += compiling
				}
			}
			tried[name] = true
		}
	}
	return time.Duration(seconds * float64(time.Second))
}

// expect is how long a step of a contestant takes, and how long it takes to get ready, in seconds: what the record says, or a guess.
func (d *driver) expect(who contestant, c peer.Case) (step, ready float64) {
	if e := d.past.of(c).entry(who.key); e != nil && e.Ready > 0 {
		return float64(e.Result.Batch) / e.Result.ImagesPerSecond, e.Ready
	}
	step = gflop(c) / (who.speed * float64(c.Threads))
	if who.slow {
		step = min(step, 10) // those that are worse take smaller batches
	}
	return step, who.startup + 4*step
}

// hopeless is why a contestant cannot do a case, if that is known.
func (d *driver) hopeless(who contestant, c peer.Case) (reason string, known bool) {
	if e := d.past.of(c).about(who.key); e != nil && e.Cannot && e.tells(who) && !d.again {
		return e.Reason, true
	}
	return "", false
}

// known is an entry that tells which configuration of a contestant is the best for a case, and the case it is of; nil if that must be tried.
func (d *driver) known(who contestant, c peer.Case, how plan) (e *entry, in peer.Case) {
	usable := func(m *measurement) bool {
		e = m.entry(who.key)
		return e != nil && e.tells(who) && slices.Contains(who.configs[c.Mode], e.Result.Config)
	}
	if d.tried && usable(d.past.of(c)) {
		return e, c
	}
	if how.siblings {
		for _, m := range d.past.Measurements {
			if m.Arch == c.Arch && m.Size == c.Size && m.Mode == c.Mode && usable(m) {
				return e, m.Case
			}
		}
	}
	return nil, c
}

func (d *driver) knows(who contestant, c peer.Case, how plan) bool {
	e, _ := d.known(who, c, how)
	return e != nil
}

// complete says that nothing is left to measure in a case: everybody who takes part has a result, or cannot have one, and the rounds
// are as many as there shall be.
func (d *driver) complete(c peer.Case, how plan) bool {
	m := d.past.of(c)
	if m == nil || m.Seconds < how.seconds {
		return false
	}
	for _, who := range d.entered {
		if !how.has(who) || !d.takes(who, c) {
			continue
		}
		e := m.about(who.key)
		if e == nil || !e.tells(who) || who.key == ours && len(e.Result.Rates) < how.rounds {
			return false
		}
	}
	return true
}

// String says what a plan does.
func (p plan) String() string {
	s := fmt.Sprintf("%d rounds of %g s", p.rounds, p.seconds)
	var left []string
	for _, c := range contestants {
		if !p.has(c) {
			left = append(left, c.title)
		}
	}
	if len(left) > 0 {
		s += ", without " + strings.Join(left, ", ")
	}
	if !p.compiled {
		s += ", without configurations that compile"
	}
	if p.siblings {
		s += ", configurations tried once for each net"
	}
	return s
}

// announce prints the plan of all cases.
func (d *driver) announce(cases []peer.Case, how plan, total time.Duration) {
	fmt.Fprintf(d.screen, "%d cases, %v: about %v", len(cases), how, total.Round(time.Second))
	if !d.deadline.IsZero() {
		fmt.Fprintf(d.screen, " of %v", time.Until(d.deadline).Round(time.Second))
	}
	fmt.Fprintln(d.screen)
	tried := map[string]bool{}
	for _, c := range cases {
		var who []string
		for _, e := range d.entered {
			if how.has(e) && d.takes(e, c) {
				who = append(who, e.title)
			}
		}
		fmt.Fprintf(d.screen, "  %s: %s; about %.0f s\n", describe(c), strings.Join(who, ", "), math.Ceil(d.estimate(c, how, tried).Seconds()))
	}
}
