//go:build gpu && cgo && linux

package cuda

import (
	"time"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/graph"
)

// idleRuns is how many runs are noted.
const idleRuns = 128

// idleWatch has events at the beginning and the end of runs of the engine's programs, in the order of the stream.
type idleWatch struct {
	events [2 * idleRuns]*driver.Event
	used   int
}

func (w *idleWatch) record(s *driver.Stream) error {
	if w == nil || w.used == len(w.events) {
		return nil
	}
	err := w.events[w.used].Record(s)
	w.used++
	return err
}

func (w *idleWatch) Close() error {
	if w == nil {
		return nil
	}
	var errs []error
	for _, e := range w.events {
		errs = append(errs, e.Close())
	}
	return driver.Join(errs...)
}

// WatchIdle implements graph.IdleTeller.
func (e *Engine) WatchIdle() error {
	if e.isClosed() {
		return errClosed
	}
	return e.failed(e.dev.Do(func() (err error) {
		if err := e.endIdle(); err != nil {
			return err
		}
		w := &idleWatch{}
		for i := range w.events {
			if w.events[i], err = driver.NewTimer(); err != nil {
				return driver.Join(err, w.Close())
			}
		}
		e.idle = w
		return nil
	}))
}

// endIdle drops what was noted.
func (e *Engine) endIdle() error {
	w := e.idle
	e.idle = nil
	return w.Close()
}

// Idle implements graph.IdleTeller.
func (e *Engine) Idle() (idle graph.Idle, err error) {
	if e.isClosed() {
		return idle, errClosed
	}
	err = e.dev.Do(func() error {
		w := e.idle
		if w == nil {
			return nil
		}
		err := e.stream.Synchronize()
		for i := 2; err == nil && i+1 < w.used; i += 2 {
			var waiting, busy float64
			if waiting, err = w.events[i].Since(w.events[i-1]); err != nil {
				break
			}
			if busy, err = w.events[i+1].Since(w.events[i]); err == nil {
				idle.Runs++
				idle.Waiting += time.Duration(waiting * float64(time.Millisecond))
				idle.Busy += time.Duration(busy * float64(time.Millisecond))
			}
		}
		return driver.Join(err, e.endIdle())
	})
	return idle, e.failed(err)
}
