package train

import (
	"errors"

	"github.com/stheno-ml/stheno/graph"
)

// profiler counts the steps that are timed. Before them it looks, where the device can tell, at how long it waits between steps as they
// usually are: those that are timed are slower, and wait for each other.
type profiler struct {
	steps  int
	timing bool

	watch    graph.IdleTeller
	watching bool
	half     int // steps to warm up, and steps to watch
	ahead    int // steps until watching begins, or ends
	idle     *graph.Idle
}

// idleSteps is how many steps come before a profile at most: the first half only warms up.
const idleSteps = 80

// startProfile begins to time steps, or to look at what the device does between them. A quarter of an epoch may go for that, so that
// a short run has a profile.
func (t *Trainer) startProfile() error {
	p := t.profile
	if p == nil || p.timing || p.watch != nil {
		return nil
	}
	w, ok := t.engine.(graph.IdleTeller)
	if n := min(idleSteps, (t.loader.Batches()-t.state.Batch)/4); ok && n > 3 {
		p.watch, p.half, p.ahead = w, n/2, n/2
		return nil
	}
	return t.timeSteps()
}

// timeSteps lets all steps be timed from now on.
func (t *Trainer) timeSteps() error {
	t.profile.timing = true
	for _, s := range t.steps {
		if err := s.machine.StartProfile(); err != nil {
			return err
		}
	}
	return nil
}

// watched counts a step before the profile.
func (t *Trainer) watched() error {
	p := t.profile
	if p.ahead--; p.ahead > 0 {
		return nil
	}
	if !p.watching {
		err := p.watch.WatchIdle()
		if err == nil {
			p.watching, p.ahead = true, p.half
			return nil
		}
		return errors.Join(err, t.timeSteps())
	}
	idle, err := p.watch.Idle()
	if err == nil && idle.Runs > 0 {
		p.idle = &idle
	}
	return errors.Join(err, t.timeSteps())
}
