//go:build gpu && cgo && linux

package cuda

import (
	"errors"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// numbered is an action and the step that it belongs to, or the first and the last of those of which it does some of the work.
type numbered struct {
	step, last int
	action
}

// merged is the program's actions with neighbouring updates of different parameters made one. It holds addresses, so it is made
// anew when another value was bound.
type merged struct {
	list  []numbered
	own   []*driver.Launch
	lists []driver.Ptr
}

// merge makes the program's list of actions.
func (p *program) merge() error {
	if p.merged.list != nil {
		return nil
	}
	var list []numbered
	for i, s := range p.steps {
		for _, a := range s.actions {
			list = append(list, numbered{i, i, a})
		}
	}
	for len(list) > 0 {
		n := 0
		var launches []kernel.Resolved
		for n < len(list) {
			l, ok := list[n].action.(*launch)
			if !ok || !kernel.Mergeable(l.spec) || p.beside(list[n].step) != p.beside(list[0].step) {
				break
			}
			launches = append(launches, l.resolve())
			n++
		}
		if n < 2 {
			p.merged.list, list = append(p.merged.list, list[0]), list[1:]
			continue
		}
		fewer := kernel.MergeUpdates(launches, p.engine.dev.Multiprocessors)
		if len(fewer) == n {
			p.merged.list, list = append(p.merged.list, list[:n]...), list[n:]
			continue
		}
		for _, r := range fewer {
			a, err := p.resolved(r)
			if err != nil {
				return errors.Join(err, p.unmerge())
			}
			p.merged.own = append(p.merged.own, a.Launch)
			p.merged.list = append(p.merged.list, numbered{list[0].step, list[n-1].step, a})
		}
		list = list[n:]
	}
	return nil
}

// unmerge forgets the list.
func (p *program) unmerge() error {
	for _, l := range p.merged.own {
		l.Close()
	}
	var errs []error
	for _, l := range p.merged.lists { // what will use the memory next is put on the same stream, behind what may still read it
		errs = append(errs, p.engine.dev.Memory.Free(l))
	}
	p.merged = merged{}
	return driver.Join(errs...)
}

// resolve is the launch with the addresses that it has now.
func (l *launch) resolve() kernel.Resolved {
	r := kernel.Resolved{Source: l.spec.Source, Name: l.spec.Name, Grid: l.spec.Grid, Block: l.spec.Block, Shared: l.spec.Shared,
		Args: make([]any, len(l.spec.Args))}
	for i, a := range l.spec.Args {
		if _, ok := a.(kernel.Pointer); ok {
			a = kernel.Address(*l.Arg(i))
		}
		r.Args[i] = a
	}
	return r
}

// resolved is a launch of the program's own.
func (p *program) resolved(r kernel.Resolved) (*launch, error) {
	for i, a := range r.Args {
		list, ok := a.(kernel.List)
		if !ok {
			continue
		}
		at, err := p.engine.alloc(int64(len(list)), useLists, "the list of what an update is of")
		if err != nil {
			return nil, err
		}
		p.merged.lists = append(p.merged.lists, at)
		if err := p.engine.staging.toDevice(at, list); err != nil {
			return nil, err
		}
		r.Args[i] = kernel.Address(at)
	}
	spec := &kernel.Launch{Source: r.Source, Name: r.Name, Grid: r.Grid, Block: r.Block, Shared: r.Shared, Args: r.Args}
	if err := p.engine.compiler.compile([]kernel.Source{r.Source}, nil); err != nil {
		return nil, err
	}
	return p.engine.newLaunch(spec)
}
