package bench

import (
	"fmt"

	"github.com/stheno-ml/stheno/internal/words"
)

const (
	// ceilingTries is how often a CPU's ceiling is measured; the best counts.
	ceilingTries = 3
	// leastGain is what the threads of a machine with as many idle cores gain at least over one of them.
	leastGain = 1.2
	// mostSpread is how far the rounds of a case may be apart where nothing else runs.
	mostSpread = 0.3
)

// best is what tries of one device showed at best.
func best(tries []Ceiling) Ceiling {
	c := tries[0]
	for _, t := range tries {
		c.FLOPs, c.Bytes = max(c.FLOPs, t.FLOPs), max(c.Bytes, t.Bytes)
	}
	return c
}

// busyPeak says that something else uses the cores, "" where the peaks show nothing of it: threads that have cores of their own are faster
// than one.
func busyPeak(ceilings []Ceiling, cores int) string {
	one := (&Machine{Ceilings: ceilings}).ceilingOf(Case{Device: "cpu", Threads: 1}).FLOPs
	for _, c := range ceilings {
		if c.Device == "cpu" && c.Threads > 1 && c.Threads <= cores && c.FLOPs > 0 && c.FLOPs < leastGain*one {
			return fmt.Sprintf("%d threads reach %.2f times the arithmetic of one, though there are %d cores (unless those are halves of one)", c.Threads, c.FLOPs/one, cores)
		}
	}
	return ""
}

// BusyNotes are reasons to believe that something else used the machine, so that the numbers of the report are too low: one for the peak,
// and one for cases whose rounds are far apart. There is none where the machine was quiet.
func (r *Report) BusyNotes() (notes []string) {
	if r.Machine.Busy != "" {
		notes = append(notes, "the machine is busy: "+r.Machine.Busy+"; shares of the peak are too high, and times may be too long; measure again when nothing else runs")
	}
	apart, worst := 0, &Result{}
	for i := range r.Cases {
		if c := &r.Cases[i]; c.Busy {
			apart++
			if c.Spread > worst.Spread {
				worst = c
			}
		}
	}
	if apart > 0 {
		notes = append(notes, fmt.Sprintf("the machine is busy: the rounds of %d %s are more than %.0f%% apart, at most those of %v with %.0f%%; measure again when nothing else runs",
			apart, words.Plural("case", apart), 100*mostSpread, worst.Case, 100*worst.Spread))
	}
	return notes
}
