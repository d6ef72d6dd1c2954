//go:build gpu && cgo && linux

package cuda

import (
	"errors"
	"os"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/graph"
)

// besideEnv is the environment variable that, set to 0, makes every step of a CUDA graph wait for the one before; set to "gradients", it
// leaves gradients alone beside other steps.
const besideEnv = "STHENO_CUDA_BESIDE"

// allBeside says whether nothing is kept from running beside other steps.
func allBeside() bool {
	v := os.Getenv(besideEnv)
	return v != "0" && v != "gradients"
}

// lanes is how a CUDA graph has steps beside others (graph.Step.Beside): they go one after the other on a stream of their own, which
// waits for what they need, and the other steps wait for those whose memory they touch. Small nets leave most of a GPU idle, and the
// gradients of filters, which nothing needs before the updates, fill it.
type lanes struct {
	marks map[int]*driver.Event // behind a step, where another lane waits for it
}

// span is memory from low on, without high.
type span struct{ low, high driver.Ptr }

// touched is the memory that a step reads and writes.
type touched struct{ reads, writes []span }

func (p *program) touched(i int) touched {
	var t touched
	s := p.plan.Steps[i]
	of := func(v *graph.Value) span {
		at := p.address(v)
		return span{at, at + driver.Ptr(v.StoredBytes())}
	}
	for _, v := range s.In {
		t.reads = append(t.reads, of(v))
	}
	for _, v := range s.Out {
		t.writes = append(t.writes, of(v))
	}
	if n := p.works[i]; n > 0 {
		at := p.engine.scratch.at + driver.Ptr(p.room.Work[i])
		t.writes = append(t.writes, span{at, at + driver.Ptr(n)})
	}
	return t
}

// conflicts says whether two steps must keep their order.
func (t touched) conflicts(o touched) bool {
	return meet(t.writes, o.writes) || meet(t.writes, o.reads) || meet(t.reads, o.writes)
}

func meet(a, b []span) bool {
	for _, x := range a {
		for _, y := range b {
			if x.low < y.high && y.low < x.high {
				return true
			}
		}
	}
	return false
}

// part is the actions of a step, or an action of several that were merged.
type part struct {
	step, last int
	actions    []action
	beside     bool
	touched
	after  int // the latest part on the other lane that it waits for, −1 for none
	marked bool
}

// parts are those of the merged list, with what they wait for.
func (p *program) parts() []part {
	var all []part
	for _, a := range p.merged.list {
		if k := len(all) - 1; k >= 0 && all[k].step == a.step && all[k].last == a.last {
			all[k].actions = append(all[k].actions, a.action)
			continue
		}
		x := part{step: a.step, last: a.last, actions: []action{a.action}, after: -1, beside: p.beside(a.step)}
		for i := a.step; i <= a.last; i++ {
			t := p.touched(i)
			x.reads, x.writes = append(x.reads, t.reads...), append(x.writes, t.writes...)
		}
		all = append(all, x)
	}
	joined := -1 // parts beside, up to here, for which the others have waited
	for k := range all {
		x := &all[k]
		for i := k - 1; i >= 0; i-- {
			o := &all[i]
			if o.beside == x.beside || !x.beside && i <= joined {
				continue
			}
			if x.conflicts(o.touched) {
				x.after, o.marked = i, true
				if !x.beside {
					joined = i
				}
				break
			}
		}
	}
	return all
}

// The marks that are behind no part: the beginning of a run, and the end of what is packed beside the steps.
const beginMark, packedMark = -1, -2

// mark is the event behind a part.
func (p *program) mark(i int) (*driver.Event, error) {
	if e := p.lanes.marks[i]; e != nil {
		return e, nil
	}
	e, err := driver.NewEvent()
	if err != nil {
		return nil, err
	}
	if p.lanes.marks == nil {
		p.lanes.marks = map[int]*driver.Event{}
	}
	p.lanes.marks[i] = e
	p.close = append(p.close, e.Close)
	return e, nil
}

// beside says whether a step runs beside others.
func (p *program) beside(step int) bool { return p.plan.Steps[step].Beside > 0 }

// besides says whether any step runs beside others.
func (p *program) besides() bool {
	for _, s := range p.plan.Steps {
		if s.Beside > 0 {
			return true
		}
	}
	return false
}

// inLanes is a run as it is captured.
func (p *program) inLanes() (err error) {
	if !p.besides() {
		return p.everything()
	}
	main, side := p.engine.stream, p.engine.side
	begin, err := p.mark(beginMark)
	if err != nil {
		return err
	}
	if err := errors.Join(begin.Record(main), side.Wait(begin)); err != nil {
		return err
	}
	packed, late, err := p.packBeside()
	if err != nil {
		return err
	}
	parts := p.parts()
	for k, x := range parts {
		on := main
		if x.beside {
			on = side
		} else if packed != nil && x.last >= late {
			if err := main.Wait(packed); err != nil {
				return err
			}
			packed = nil
		}
		if x.after >= 0 {
			e, err := p.mark(x.after)
			if err != nil {
				return err
			}
			if err := on.Wait(e); err != nil {
				return err
			}
		}
		if err := p.actOn(on, x); err != nil {
			return err
		}
		if x.marked {
			e, err := p.mark(k)
			if err != nil {
				return err
			}
			if err := e.Record(on); err != nil {
				return err
			}
		}
	}
	end, err := p.mark(len(parts)) // the lanes end together
	if err != nil {
		return err
	}
	if err := errors.Join(end.Record(side), main.Wait(end)); err != nil {
		return err
	}
	return p.last()
}

// actOn puts a part on a stream.
func (p *program) actOn(s *driver.Stream, x part) error {
	return p.on(s, func() error {
		for _, a := range x.actions {
			if err := a.run(p); driver.IsLost(err) { // see everything
				return err
			} else if err != nil {
				return p.failed(x.step, err)
			}
		}
		return nil
	})
}

// on has actions go on a stream while do runs.
func (p *program) on(s *driver.Stream, do func() error) (err error) {
	if s != p.engine.stream {
		defer func() { err = errors.Join(err, p.engine.changeStream(p.engine.stream)) }() // also where only a part was changed
		if err := p.engine.changeStream(s); err != nil {
			return err
		}
	}
	return do()
}

// changeStream makes actions go on another stream.
func (e *Engine) changeStream(s *driver.Stream) error {
	e.on = s
	if e.libs.dnn == nil {
		return nil
	}
	return e.libs.dnn.SetStream(uintptr(s.Handle()))
}
