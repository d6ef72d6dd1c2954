package pool

import "time"

// spinFor is how long a worker looks for a change before it parks. It covers
// the gap between two consecutive kernels of a step, and not more.
const spinFor = 30 * time.Microsecond

// spin bounds a busy wait by time; it reads the clock only now and then.
type spin struct {
	until time.Time
	round int
}

func newSpin() spin { return spin{} }

func (s *spin) again() bool {
	s.round++
	if s.round&63 != 0 {
		return true
	}
	if s.round == 64 {
		s.until = time.Now().Add(spinFor)
		return true
	}
	return time.Now().Before(s.until)
}
