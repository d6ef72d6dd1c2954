package nvml

import (
	"sync"
	"time"
)

// source is where energy and power are read.
type source interface {
	Energy() (joules float64, err error)
	Power() (watts float64, err error)
}

// interval is how often power is read where the GPU does not count energy.
const interval = 20 * time.Millisecond

// Measure begins to measure the energy that a GPU takes, and returns what tells it, in joules: by the GPU's counter or, where it has none, by
// its power, read many times a second.
func Measure(d source) (stop func() (joules float64, err error), err error) {
	if before, err := d.Energy(); err == nil {
		return func() (float64, error) {
			after, err := d.Energy()
			return after - before, err
		}, nil
	}
	watts, err := d.Power()
	if err != nil {
		return nil, err
	}
	s := &sampler{watts: watts, last: time.Now(), ended: make(chan struct{})}
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-s.ended:
				s.sample(d)
				return
			case <-tick.C:
				s.sample(d)
			}
		}
	})
	return sync.OnceValues(func() (float64, error) {
		close(s.ended)
		done.Wait()
		return s.joules, s.err
	}), nil
}

// sampler adds power up over time.
type sampler struct {
	watts, joules float64 // watts are those at last
	last          time.Time
	err           error
	ended         chan struct{}
}

// sample adds what was drawn since the last sample, as if power had changed evenly.
func (s *sampler) sample(d source) {
	watts, err := d.Power()
	now := time.Now()
	if err != nil {
		s.err = err
		return
	}
	s.joules += (s.watts + watts) / 2 * now.Sub(s.last).Seconds()
	s.watts, s.last = watts, now
}
