//go:build gpu && cgo && linux

package cuda

import (
	"errors"
	"fmt"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
)

// scratch is memory that the programs of an engine use in turn: for the values in their arenas, and for the working memory of kernels and
// libraries. Runs follow each other on one stream, and nothing of a run in it is wanted by another, so there is as much as the program with the most
// needs. A larger program that is built later makes it move, and with it every address in launches and CUDA graphs.
type scratch struct {
	engine *Engine
	at     driver.Ptr
	bytes  int64
}

// fit makes room for a program, and for the others.
func (s *scratch) fit(p *program) error {
	if p.needs <= s.bytes {
		return nil
	}
	old := s.bytes
	// What is there goes first: together the two may be more than the device has.
	err := errors.Join(s.free(), s.take(s.most(), fmt.Sprintf("a program of %d steps, for values and working memory,", len(p.plan.Steps))))
	if err != nil && old > 0 && !driver.IsLost(err) {
		// The others go on as before. If somebody else has taken the memory meanwhile, their next run tries again, and tells.
		if again := s.take(old, ""); driver.IsLost(again) {
			err = again
		}
	}
	return errors.Join(err, s.move())
}

// most is what the program with the most needs wants.
func (s *scratch) most() (bytes int64) {
	for p := range s.engine.programs {
		bytes = max(bytes, p.needs)
	}
	return bytes
}

// release gives the memory back if the programs that are left do not need half of it. What they need is taken when the next of them runs, as
// they may be about to be closed, too.
func (s *scratch) release() error {
	if s.bytes == 0 || s.most() > s.bytes/2 { // what moves must be captured anew, for which a little is not enough
		return nil
	}
	return errors.Join(s.free(), s.move())
}

func (s *scratch) take(bytes int64, purpose string) (err error) {
	m := s.engine.dev.Memory
	if s.at, err = m.AllocLarge(bytes, purpose); err != nil {
		return s.engine.exhausted(err)
	}
	s.bytes = bytes
	m.Count(s.at, useSteps)
	return nil
}

// poisoned says that every run begins with memory full of NaN: a test of that no run finds there what it needs.
var poisoned bool

// begin makes the memory ready for a run.
func (s *scratch) begin(p *program) error {
	if err := s.fit(p); err != nil { // it did, unless memory ran out when it had to move
		return err
	}
	if !poisoned {
		return nil
	}
	return s.engine.stream.Fill(s.at, 0xff, s.bytes)
}

// free lets go of the memory. What may still use it is on the stream that those will use who get it next.
func (s *scratch) free() error {
	if s.bytes == 0 {
		return nil
	}
	err := s.engine.dev.Memory.Free(s.at)
	s.at, s.bytes = 0, 0
	return err
}

// move tells all programs where the memory is now.
func (s *scratch) move() error {
	var errs []error
	for p := range s.engine.programs {
		s.tell(p)
		errs = append(errs, p.moved())
	}
	return driver.Join(errs...)
}

// tell writes the addresses of a program.
func (s *scratch) tell(p *program) {
	for _, a := range p.within {
		*a.to = uint64(s.at) + uint64(a.offset)
	}
}
